"""The rig's night: what is told of a failed one, by mail and by a signed webhook; never a plate, a
picture, or a test's own words.
"""

import base64
import hashlib
import hmac
import json
import re
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hw_tests.history import page, record
from hw_tests.history.record import Figure
from hw_tests.night import __main__ as night
from hw_tests.night.notice import (
    MOST_NAMES,
    Mail,
    Notice,
    NoticeError,
    Webhook,
    load,
    notice_of,
    signature,
)
from tests.components.test_hw_history import night as ran

ROOT = Path(__file__).parents[2]
NIGHT = ROOT / "hw_tests/night"
PLATE = "9ZZZ999"
FAILED = ran(1, ("test_a.py::t", "failed", f"expected {PLATE}"), ("test_b.py::t", "passed"))
SECRET = b"0123456789abcdef"


class Hooked(BaseHTTPRequestHandler):
    """Keeps what it is sent. `answer`: the status; `to`: where it sends people."""

    answer, to = 204, ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.answer)
        if self.to:
            self.send_header("Location", self.to)
        self.end_headers()

    def log_message(self, *_words):
        """Nothing on stderr."""


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), type("Hook", (Hooked,), {}))
    server.got = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}/rig"
    yield server
    server.shutdown()
    server.server_close()


class Postman(threading.Thread):
    """A mail server that takes one mail. `refuses`: at RCPT."""

    def __init__(self, *, refuses=False):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.mail, self.refuses = self.socket.getsockname()[1], "", refuses
        self.start()

    def run(self):
        connection, _ = self.socket.accept()
        with connection, connection.makefile("rwb") as stream:

            def say(text):
                stream.write(f"{text}\r\n".encode())
                stream.flush()

            say("220 rig")
            while line := stream.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    say("354 go on")
                    while (line := stream.readline()) != b".\r\n":
                        self.mail += line.decode()
                    say("250 taken")
                elif word == b"QUIT":
                    say("221 bye")
                    return
                else:
                    say("550 nobody here" if self.refuses and word == b"RCPT" else "250 ok")


def test_a_failed_night_names_its_tests_and_nothing_that_they_said():
    notice = notice_of(FAILED, "1")
    assert notice.headline == "the rig's night failed: 1 of 2 tests"
    for told in (notice.text(), notice.body().decode()):
        assert "test_a.py::t" in told
        assert "test_b.py" not in told
        assert PLATE not in told
        assert FAILED.where["commit"] in told


@pytest.mark.parametrize(
    ("run", "ended", "said"),
    [
        (None, "stopped after 21600 s", "left no record: pytest ended with stopped after 21600 s"),
        (None, "0", "left no record"),
        (ran(1, ("t", "passed")), "3", "did not end well: pytest ended with 3"),
        (ran(1, ("t", "error")), "1", "failed: 1 of 1"),
    ],
)
def test_a_night_that_says_nothing_is_told_too(run, ended, said):
    assert said in notice_of(run, ended).headline


def test_a_good_night_is_nobodys_mail():
    assert notice_of(ran(1, ("t", "passed"), ("u", "skipped", "no rtc")), "0") is None


def test_many_failures_are_counted_beyond_the_first():
    names = [(f"test_{number}", "failed") for number in range(50)]
    notice = notice_of(ran(1, *names), "1")
    assert f"and {50 - MOST_NAMES} more" in notice.text()
    assert len(json.loads(notice.body())["failed"]) == MOST_NAMES


def test_a_webhook_is_signed_as_standard_webhooks_asks(hook):
    Webhook(hook.url, SECRET).send(notice_of(FAILED, "1"))
    ((headers, body),) = hook.got
    given = {name.lower(): value for name, value in headers.items()}
    signed = f"{given['webhook-id']}.{given['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert given["webhook-signature"] == f"v1,{expected}"
    assert signature(b"another secret, long", given["webhook-id"], "1", body) != expected
    assert json.loads(body)["failed"] == ["test_a.py::t"]


@pytest.mark.parametrize("answer", [302, 400, 500])
def test_a_webhook_that_is_not_taken_is_an_error_and_is_sent_nowhere_else(hook, answer):
    hook.RequestHandlerClass.answer = answer
    hook.RequestHandlerClass.to = f"{hook.url}/elsewhere" if answer == 302 else ""
    with pytest.raises(NoticeError, match=str(answer)):
        Webhook(hook.url, SECRET).send(notice_of(FAILED, "1"))
    assert len(hook.got) == 1


def test_a_mail_arrives():
    postman = Postman()
    Mail("127.0.0.1", postman.port, "rig@example.org", "c@example.org", starttls=False).send(
        notice_of(FAILED, "1")
    )
    postman.join(10)
    assert "Subject: the rig's night failed: 1 of 2 tests" in postman.mail
    assert "test_a.py::t" in postman.mail
    assert PLATE not in postman.mail


def test_a_mail_that_is_refused_is_an_error():
    postman = Postman(refuses=True)
    mail = Mail("127.0.0.1", postman.port, "rig@example.org", "c@example.org", starttls=False)
    with pytest.raises(NoticeError, match="SMTPRecipientsRefused"):
        mail.send(Notice("failed", {}))


WEBHOOK = '[webhook]\nurl = "https://hooks.example.org/x"\nsecret_file = "secret"\n'


MAIL = '[mail]\nserver = "mail.example.org"\nport = 25\nfrom = "a"\nto = "b"\n'


def written(tmp_path, text):
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    secret.chmod(0o600)
    path = tmp_path / "notice.toml"
    path.write_text(text)
    return path


def test_the_example_is_read(tmp_path):
    shutil.copy(NIGHT / "notice.example.toml", tmp_path / "notice.toml")
    (tmp_path / "webhook.secret").write_bytes(SECRET)
    (tmp_path / "webhook.secret").chmod(0o600)
    mail, webhook = load(tmp_path / "notice.toml")
    assert (mail.server, mail.starttls) == ("127.0.0.1", False)
    assert webhook.secret == SECRET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds [mail], [webhook]"),
        ("[sms]\n", "holds [mail], [webhook]"),
        (WEBHOOK.replace("https", "http"), "write https://"),
        (WEBHOOK + "retries = 3\n", "webhook.retries: unknown"),
        ('[webhook]\nurl = "https://h.example.org"\n', "webhook.secret_file: is missing"),
        (WEBHOOK.replace('"secret"', '"nowhere"'), "nowhere: No such file"),
        (MAIL.replace("25", '"25"'), "mail.port: must be int"),
        (
            MAIL + "starttls = false\n",
            "for a server on this machine only",
        ),
        ("[mail\n", "notice.toml"),
    ],
)
def test_a_notices_file_is_closed(tmp_path, text, said):
    with pytest.raises(NoticeError, match=re.escape(said)):
        load(written(tmp_path, text))


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    path = written(tmp_path, WEBHOOK)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(NoticeError, match="others can read it"):
        load(path)


def slept(tmp_path, monkeypatch, ended, run=None, text=""):
    """(exit code) of a night in which pytest ended so, having written `run`."""

    def run_tests(_env, out, _more, _longest_s):
        if run:
            record.write(out / "history", run)
        return ended

    monkeypatch.setattr(night, "run_tests", run_tests)
    words = ["--out", str(tmp_path / "out")]
    return night.main([*words, *(["--notice", str(written(tmp_path, text))] if text else [])])


def test_a_good_night_ends_with_0_and_a_failed_one_with_1(tmp_path, monkeypatch, capsys):
    assert slept(tmp_path, monkeypatch, "0", ran(1, ("t", "passed"))) == 0
    assert slept(tmp_path, monkeypatch, "1", ran(2, ("t", "passed"), ("u", "failed"))) == 1
    assert "the rig's night failed: 1 of 2 tests" in capsys.readouterr().err


def test_yesterdays_record_is_not_tonights(tmp_path, monkeypatch, capsys):
    """A night that died at once would else be told as the good one before."""
    slept(tmp_path, monkeypatch, "0", ran(1, ("t", "passed")))
    assert slept(tmp_path, monkeypatch, "4") == 1
    assert "left no record: pytest ended with 4" in capsys.readouterr().err


def test_a_notice_that_is_not_sent_is_said(tmp_path, monkeypatch, capsys, hook):
    hook.RequestHandlerClass.answer = 500
    text = WEBHOOK.replace("https://hooks.example.org/x", hook.url)
    assert slept(tmp_path, monkeypatch, "1", FAILED, text) == 1
    assert "the notice was not sent: webhook: HTTPError" in capsys.readouterr().err
    assert len(hook.got) == 1


def test_a_wrong_file_is_told_before_anything_runs(tmp_path, monkeypatch, capsys):
    assert slept(tmp_path, monkeypatch, "1", FAILED, "[sms]\n") == 2
    assert not (tmp_path / "out").exists()
    assert "notice.toml" in capsys.readouterr().err


def test_a_played_figure_is_marked_beside_its_value(tmp_path):
    figures = [("rate", 9.5, "fps", True), ("heat", 61.0, "°C", False)]
    run = ran(1, ("t", "passed"), figures=figures)
    assert record.read(record.write(tmp_path, run)) == run
    shown = page.page([run], [])
    rate, heat = (shown[shown.index(f"<span>{name}</span>") :][:120] for name in ("rate", "heat"))
    assert '<b>9.5</b> fps <span class="mark">simulated</span>' in rate
    assert "simulated" not in heat


@pytest.mark.parametrize(
    ("sensor", "simulated"), [("none: played pictures", True), ("IMX708", False)]
)
def test_an_older_record_is_marked_by_its_sensor(tmp_path, sensor, simulated):
    path = record.write(tmp_path, ran(1, ("t", "passed"), figures=[("x", 1, "s")], sensor=sensor))
    table = json.loads(path.read_text())
    del table["figures"][0]["simulated"]
    path.write_text(json.dumps(table))
    assert record.read(path).figures == (Figure("x", 1.0, "s", simulated),)


@pytest.mark.parametrize("name", ["platewarden-rig-night.service", "platewarden-rig-night.timer"])
def test_systemd_understands_the_units(tmp_path, name):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    for unit in NIGHT.glob("platewarden-rig-night.*"):
        text = unit.read_text().replace("/opt/platewarden/.venv/bin/python", str(python))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_container_installs_what_make_hw_looks_for():
    recipe, makefile = (NIGHT / "Containerfile").read_text(), (ROOT / "Makefile").read_text()
    wanted = re.search(r"^PROGRAMS_hw := (.*)$", makefile, re.MULTILINE)[1].split()
    installed = recipe[recipe.index("apt-get install") : recipe.index("rm -rf")].split()
    assert {pair.partition(":")[2] for pair in wanted} <= set(installed)
    assert "hw_tests.night" in recipe
