"""The inbox as a real server answers it: what is shown when, what the access log is told, and who
is turned away.
"""

import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta

import pytest

from agent import cli
from agent.core.time.instant import Instant
from agent.errors import RefusedError
from agent.receiver.inbox.lead_export import ExportForm
from agent.receiver.inbox.lead_words import PAGE_BANNER
from agent.receiver.inbox.leads import Leads
from agent.receiver.inbox.people.sign_in import Session
from agent.receiver.inbox.server import desk_of
from agent.receiver.store.acts.lead_acts import ActKind
from agent.storage.log_key import load_trusted_keys
from tests.support.inbox import PASSWORD, TABLES, Person, Serving, code_of, come, desk, records
from tests.support.plate_search import search
from tests.support.receiving import this_instant
from tests.support.sealed import DEVICE, PLATE

FORMS = {"acknowledge": {}, "assign": {"value": "dora"}, "outcome": {"value": "wrong-plate"}}
PURPOSE = "stolen-vehicle-recovery"


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    return desk(tmp_path_factory.mktemp("inbox") / "receiver", names=("dora", "eli", "fay", "gus"))


@pytest.fixture(scope="module")
def serving(enrolled):
    with Serving(enrolled.folder) as made:
        yield made


@pytest.fixture(scope="module")
def dora(serving, enrolled):
    return Person(serving, enrolled.folder)


@pytest.fixture
def lead(enrolled):
    [read_id] = come(enrolled)
    return f"/lead/{DEVICE}/{read_id}"


def opened(person, lead, **more):
    return person.post(f"{lead}/open", purpose=PURPOSE, **more)


class TestSigningIn:
    def test_every_page_wants_a_session(self, serving, lead):
        for path in ("/", lead, "/?page=2"):
            got = serving.ask("GET", path)
            assert (got.status, got.headers["location"]) == (303, "/sign-in")
        for path in ("/sign-out", f"{lead}/open", f"{lead}/export"):
            assert serving.ask("POST", path, {"csrf": "x"}).headers["location"] == "/sign-in"

    def test_a_wrong_code_is_told_and_logged_without_what_was_typed(self, serving, enrolled):
        form = {"name": "a-typed-password", "password": PASSWORD, "code": "000000"}
        got = serving.ask("POST", "/sign-in", form)
        assert got.status == 401
        assert "is wrong, or the code was used" in got.words
        last = records(enrolled.folder)[-1]
        assert (last["act"], last["username"]) == ("sign-in-refused", "not signed in")
        assert "a-typed-password" not in json.dumps(records(enrolled.folder))

    def test_the_cookie_is_for_our_pages_and_this_window_alone(self, dora):
        assert "HttpOnly" in dora.cookie
        assert "SameSite=strict" in dora.cookie
        assert not re.search("max-age|expires", dora.cookie, re.IGNORECASE)

    def test_who_signs_out_is_out_and_the_browser_forgets(self, serving, enrolled):
        eli = Person(serving, enrolled.folder, "eli")
        csrf = eli.get().csrf
        got = serving.ask("POST", "/sign-out", {"csrf": csrf}, Cookie=eli._cookie)
        assert got.headers["clear-site-data"] == '"cache", "cookies", "storage"'
        assert eli.get().status == 303
        acts = [(one["act"], one["username"]) for one in records(enrolled.folder)]
        assert {("sign-in", "eli"), ("sign-out", "eli")} <= set(acts)

    def test_a_used_code_signs_nobody_in_again(self, serving, enrolled):
        form = {"name": "fay", "password": PASSWORD, "code": code_of(enrolled.folder, "fay")}
        answers = [serving.ask("POST", "/sign-in", form).status for _ in range(2)]
        assert answers == [303, 401]


class TestStrangers:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "evil.example"},
            {"Host": "127.0.0.1"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec_Fetch_Site": "cross-site"},
        ],
    )
    def test_forms_of_other_sites_and_other_names_are_turned_away(self, serving, headers):
        form = {"name": "dora", "password": PASSWORD, "code": "000000"}
        got = serving.ask("POST", "/sign-in", form, **headers)
        assert got.status == 403
        assert got.headers["cache-control"] == "no-store"

    def test_a_form_without_the_sessions_token_does_nothing(self, dora, lead, enrolled):
        before = len(records(enrolled.folder))
        for csrf in ("", "x", "ä"):
            assert dora.post(f"{lead}/open", csrf, purpose=PURPOSE).status == 403
            assert dora.post(f"{lead}/acknowledge", csrf).status == 403
            assert dora.post("/sign-out", csrf).status == 403
        assert len(records(enrolled.folder)) == before

    def test_too_much_and_no_form(self, serving):
        assert serving.ask("POST", "/sign-in", {"name": "x" * 9000}).status == 413
        kinds = {"Content_Type": "text/plain"}
        assert serving.ask("POST", "/sign-in", {"name": "x"}, **kinds).status == 415
        many = {str(n): "x" for n in range(40)}
        assert serving.ask("POST", "/sign-in", many).status == 400

    @pytest.mark.parametrize(
        "path",
        [
            *("/nowhere", "/lead", "/lead/x", f"/lead/{DEVICE}/zz", "//evil.example/"),
            *("/lead/..%2f..%2fx/" + "a" * 32, "/static/../receiver.toml", "/inbox.css/"),
        ],
    )
    def test_nothing_lies_anywhere_else(self, dora, path):
        got = dora.get(path)
        assert got.status in {400, 404}
        assert got.headers["cache-control"] == "no-store"

    def test_a_lead_that_is_not_here(self, dora):
        got = dora.get(f"/lead/{DEVICE}/{'0' * 32}")
        assert (got.status, "no such lead is here" in got.words) == (410, True)

    def test_other_methods(self, serving):
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE"):
            assert serving.ask(method, "/").status == 405


class TestList:
    def test_what_waits_without_anything_that_was_sealed(self, dora, lead, enrolled):
        got = dora.get()
        assert got.status == 200
        assert lead in got.text
        assert "stolen-vehicle" in got.words
        assert "Main Street at 2nd Avenue, camera cam-test-1" in got.words
        clock = r"\d\d:\d\d:\d\d"
        both = rf"{clock} P[SD]T \(20\d\d-\d\d-\d\dT{clock}\.\d\d\dZ\)"
        assert re.search(both, got.words)
        assert "waits" in got.words
        for sealed in (PLATE, "2026-0118", "Exampleville PD"):
            assert sealed not in got.text
        last = records(enrolled.folder)[-1]
        assert (last["act"], last["purpose"]) == ("list", "to see what waits")

    def test_pages(self, dora, enrolled, monkeypatch):
        come(enrolled, 51)
        assert "page 1 of" in dora.get("/").words
        assert "Newer" in dora.get("/?page=2").words
        for odd in ("0", "-1", "x", "99999999999", "%D9%A3", "999999"):
            assert dora.get(f"/?page={odd}").status in {200, 400}


class TestLead:
    def test_before_it_is_opened_nothing_that_was_sealed_is_shown(self, dora, lead, enrolled):
        got = dora.get(lead)
        assert PAGE_BANNER in got.words
        assert "exact: text and issuing state were read as listed" in got.words
        assert PLATE not in got.text
        assert "base64," not in got.text
        assert "2026-0118" not in got.text
        assert records(enrolled.folder)[-1]["act"] == "look"

    def test_it_is_opened_for_a_purpose_and_shown_as_a_lead(self, dora, lead, enrolled):
        got = opened(dora, lead, incident="2026-4711")
        assert got.status == 200
        assert "".join(re.findall(r'class="character[^>]*>([A-Z0-9])', got.text)) == PLATE
        assert "Sure, % 99 99 99 97 98 99 99" in got.words
        for words in (
            PAGE_BANNER,
            "Exampleville PD, case 2026-0118",
            "Entered 2027-01-10",
            "not checked: no program is named",
            "Ask Exampleville PD before anybody is stopped.",
            "about 97 in 100",
            "Main Street at 2nd Avenue, camera cam-test-1",
            "exact: text and issuing state were read as listed",
            "CA, region us",
            "Direction not known",
            "under City of Exampleville ALPR policy, version 7",
        ):
            assert words in got.words, words
        assert 'src="data:image/jpeg;base64,/9j/' in got.text
        assert PLATE not in got.headers.get("content-security-policy", "")
        assert PLATE not in re.search("<title>(.*?)</title>", got.text)[1]
        [record] = [one for one in records(enrolled.folder) if one.get("incident") == "2026-4711"]
        assert {name: record[name] for name in ("act", "username", "organization", "purpose")} == {
            "act": "open",
            "username": "dora",
            "organization": "Exampleville Police Department",
            "purpose": PURPOSE,
        }
        assert record["query"] == {"camera": DEVICE, "read": lead.rpartition("/")[2]}
        assert record["at"].endswith("Z")

    def test_a_look_alike_and_doubt_are_marked(self, dora, lead):
        words = opened(dora, lead).words
        assert "Or perhaps TSTO042 (2 %)" in words

    def test_each_time_it_is_shown_is_told(self, dora, lead, enrolled):
        opened(dora, lead)
        before = len(records(enrolled.folder))
        dora.get(lead)
        dora.get(lead)
        told = records(enrolled.folder)[before:]
        assert [(one["act"], one["purpose"]) for one in told] == [("open", PURPOSE)] * 2

    def test_what_one_session_opened_is_closed_in_another(self, serving, enrolled, dora, lead):
        opened(dora, lead)
        gus = Person(serving, enrolled.folder, "gus")
        assert PLATE not in re.sub("<[^>]*>|\\s", "", gus.get(lead).text)

    def test_closed_again_it_is_out_of_sight(self, dora, lead):
        opened(dora, lead)
        assert "base64," not in dora.post(f"{lead}/close").text

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"purpose": ""}, "Choose a purpose"),
            ({"purpose": "curiosity"}, "Choose a purpose"),
            ({"purpose": PURPOSE, "incident": "x" * 41}, "40 at most"),
            ({"purpose": PURPOSE, "incident": "<script>"}, "40 at most"),
            ({"purpose": PURPOSE, "incident": f"seen {PLATE.lower()}"}, "holds the plate"),
            ({"purpose": PURPOSE, "incident": "TST-O 042"}, "holds the plate"),
        ],
    )
    def test_without_a_sound_purpose_it_stays_closed(self, dora, lead, enrolled, form, words):
        got = dora.post(f"{lead}/open", **form)
        assert (got.status, words in got.words) == (400, True)
        assert "base64," not in got.text
        assert PLATE.lower() not in json.dumps(records(enrolled.folder)).lower()

    def test_nothing_may_keep_a_page_and_it_leaves_by_itself(self, dora, lead):
        got = opened(dora, lead)
        assert got.headers["cache-control"] == "no-store"
        policy = got.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert got.headers["refresh"] == "900; url=/"
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", got.text)
        assert "<script" not in got.text

    @pytest.mark.parametrize("act", FORMS)
    def test_what_is_done_is_kept_and_told(self, dora, lead, enrolled, act):
        got = dora.post(f"{lead}/{act}", **FORMS[act])
        said = {
            "acknowledge": "dora acknowledged it",
            "assign": "dora gave it to dora",
            "outcome": "dora wrote: The camera misread the plate",
        }
        assert said[act] in got.words
        listed = {
            "acknowledge": "acknowledged by dora",
            "assign": "waits , given to dora",
            "outcome": "The camera misread the plate",
        }
        assert listed[act] in dora.get().words.replace("waits,", "waits ,")
        [record] = [
            one
            for one in records(enrolled.folder)
            if one["act"] == act and one["query"]["read"] == lead.rpartition("/")[2]
        ]
        assert (record["username"], record["value"]) == ("dora", FORMS[act].get("value", ""))

    @pytest.mark.parametrize(
        ("act", "value"), [("assign", "nobody"), ("assign", ""), ("outcome", "arrested")]
    )
    def test_what_cannot_be_done(self, dora, lead, act, value):
        got = dora.post(f"{lead}/{act}", value=value)
        assert got.status == 400
        assert "Nothing yet." in got.words


class TestExport:
    @pytest.mark.parametrize("form", ["json", "csv", "geojson"])
    def test_a_file_says_until_when_for_what_and_by_whom(self, dora, lead, enrolled, form):
        opened(dora, lead, incident="2026-4711")
        got = dora.post(f"{lead}/export", form=form)
        assert got.status == 200
        name = got.headers["content-disposition"]
        assert name == f'attachment; filename="lead-{lead.rpartition("/")[2]}.{form}"'
        if form == "csv":
            [table] = csv.DictReader(io.StringIO(got.text))
        else:
            table = json.loads(got.text)
            if form == "geojson":
                assert table["type"] == "Feature"
                assert table["geometry"] == {"type": "Point", "coordinates": [-121.3, 38.1]}
                table = table["properties"]
        assert table["plate"] == PLATE
        assert table["deadline"].endswith("Z")
        assert str(table["unverified"]) == "True"
        assert "Delete this file by its deadline" in table["notice"]
        told = {name: table[name] for name in ("purpose", "incident", "taken_by", "organization")}
        assert told == {
            "purpose": PURPOSE,
            "incident": "2026-4711",
            "taken_by": "dora",
            "organization": "Exampleville Police Department",
        }
        assert ("crop_jpeg" in table) == (form == "json")
        last = records(enrolled.folder)[-1]
        assert (last["act"], last["form"], last["purpose"]) == ("export", form, PURPOSE)

    def test_not_before_it_is_opened_and_in_no_other_form(self, dora, lead):
        got = dora.post(f"{lead}/export", form="json")
        assert (got.status, "Open the lead first" in got.words) == (400, True)
        opened(dora, lead)
        assert dora.post(f"{lead}/export", form="docx").status == 400

    def test_a_pdf_for_a_case_file(self, dora, lead, enrolled, tmp_path):
        """What it says and how it looks: test_case_file.py."""
        opened(dora, lead, incident="2026-4711")
        got = dora.post(f"{lead}/export", form="pdf")
        assert (got.status, got.headers["content-type"]) == (200, "application/pdf")
        assert got.headers["content-disposition"].endswith('.pdf"')
        (tmp_path / "lead.pdf").write_bytes(got.body)
        said = subprocess.run(
            ["pdftotext", "-layout", tmp_path / "lead.pdf", "-"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        said = " ".join(said.split())
        assert PAGE_BANNER in said
        assert "Exported by dora, Exampleville Police Department" in said
        assert f"for {PURPOSE}, incident 2026-4711" in said
        assert f"Character {' '.join(PLATE)}" in said
        last = records(enrolled.folder)[-1]
        assert (last["act"], last["form"], last["incident"]) == ("export", "pdf", "2026-4711")


def test_the_log_holds_no_plate_and_an_auditor_verifies_it(
    enrolled, dora, lead, serving, capsys, tmp_path
):
    opened(dora, lead)
    dora.post(f"{lead}/export", form="csv")
    folder = enrolled.folder / "access-log"
    assert search(folder, [PLATE, "TSTO042"]) == []
    assert search(enrolled.folder / "store", [PLATE]) == []
    (origin,) = load_trusted_keys(folder / "public.json").keys
    assert origin == "platewarden/exampleville-pd/access"
    shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(SystemExit) as ended:
        cli.main(["audit", "verify", str(tmp_path / "copy"), "--key", str(folder / "public.json")])
    assert ended.value.code == 0, capsys.readouterr()
    assert not [line for line in serving.said if PLATE in line]


def test_one_writer_and_an_orderly_end(enrolled, serving, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["receiver", "serve", str(enrolled.folder), "--listen", "127.0.0.1:0"])
    assert ended.value.code == 1
    assert "another process is writing this log" in capsys.readouterr().err


class TestEnds:
    def test_sigterm_ends_it_with_0(self, tmp_path):
        made = desk(tmp_path / "r")
        with Serving(made.folder) as serving:
            dora = Person(serving, made.folder)
            dora.get()
            assert serving.stop() == 0
        assert len(records(made.folder)) == 2

    def test_without_a_log_nothing_is_shown(self, tmp_path):
        """The log's folder is full, or taken away: the answer is an error, not a lead."""
        made = desk(tmp_path / "r")
        [read_id] = come(made)
        with Serving(made.folder) as serving:
            dora = Person(serving, made.folder)
            csrf = dora.get().csrf
            path = made.folder / "access-log" / "log.sqlite"
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("DROP TABLE leaf")
            lead = f"/lead/{DEVICE}/{read_id}"
            got = serving.ask(
                "POST", f"{lead}/open", {"csrf": csrf, "purpose": PURPOSE}, Cookie=dora._cookie
            )
            got = dora.get(lead)
            assert got.status == 500
            assert "base64," not in got.text
            assert dora.get("/").status == 500

    def test_by_tls_under_its_name_and_the_cookie_is_secure(self, tmp_path, ca):
        server = ca.server("inbox", hosts=("127.0.0.1", "inbox.example"))
        tables = TABLES.replace(
            "[inbox]\n",
            f'[inbox]\ncertificate = "{server.certificate}"\nkey = "{server.key}"\n'
            'host = "inbox.example"\n',
        )
        made = desk(tmp_path / "r", tables)
        with Serving(made.folder, "--listen", "127.0.0.1:0", ca=ca.pem) as serving:
            assert serving.url.startswith("https://inbox.example:")
            dora = Person(serving, made.folder)
            assert "Secure" in dora.cookie
            name, _, token = dora.cookie.partition(";")[0].partition("=")
            assert name == "__Host-inbox", "no other server of the domain can set it"
            assert serving.ask("GET", "/", Cookie=f"inbox={token}").status == 303
            door = serving.ask("GET", "/sign-in").headers["set-cookie"]
            assert door.startswith("__Host-inbox-door=")
            host = {"Host": f"inbox.example:{serving.port}"}
            assert serving.ask("GET", "/sign-in", **host).status == 200


class TellingLog:
    def __init__(self):
        self.told = []

    def looked(self, *said, **_more):
        self.told.append(said)


class TestDeadline:
    def test_at_its_deadline_a_lead_is_gone_although_it_was_open(self, enrolled):
        """In this process, with a clock that is set ahead."""
        [read_id] = come(enrolled, days=2)
        name, session, log = (DEVICE, read_id), Session("dora", "x", "c", 0, 0), TellingLog()
        leads, now = Leads(enrolled.place, log, desk_of(enrolled.place)), this_instant()
        leads.grant(session, name, PURPOSE, "", now)
        assert leads.shown(session, name, now).opened
        late = Instant(now.utc + timedelta(days=4), at_least=now.utc)
        before = len(log.told)
        for asked in (
            lambda: leads.shown(session, name, late),
            lambda: leads.act(session, name, ActKind.ACKNOWLEDGE, "", late),
            lambda: leads.taken_away(session, name, ExportForm.JSON, late),
        ):
            with pytest.raises(RefusedError):
                asked()
        assert len(log.told) == before
        assert name not in [(x.camera, x.read_id) for x in leads.listed(session, late, 1).lines]
