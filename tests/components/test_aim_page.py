"""The page's server over a real socket, with plates from a script: who gets in, who does not, and
what anybody is told.
"""

import http.client
import re
import socket
import time
from threading import Thread

import numpy as np
import pytest

from agent.aim import page_server as module
from agent.aim.desk import Desk
from agent.aim.page_server import MOST_CONNECTIONS, PageServer
from agent.aim.page_socket import listen
from agent.aim.painted_frame import Looker
from agent.core.camera.aim_gate import IDLE_S, Ending, Gate
from agent.core.camera.view import EVERYTHING, View, parse_view
from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.core.wire.test_plate import is_test_plate, plate_for
from agent.errors import PlatewardenError, StorageError, UsageError
from agent.pipeline import plates_in
from tests.fakes.clock import START, FakeClock
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support.aiming import Phone

PIN = "271828"
PLATES = [
    FakePlate("ABC1234", box=(300, 200, 80, 30)),
    FakePlate(plate_for((1, 2, 3, 4)), box=(60, 60, 120, 30)),
]
ZONE = {"v": 1, "zones": [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]], "masks": []}


class Page:
    """A server, its desk and clock. `show` puts a frame on it."""

    def __init__(self, can_save=True):
        self.clock = FakeClock()
        self.desk = Desk(
            PIN,
            Gate(self.clock.elapsed_s + 1200),
            self.clock.monotonic_s,
            EVERYTHING,
            can_save=can_save,
        )
        self.server = PageServer(listen("127.0.0.1", 0), self.desk)
        self.thread = Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()
        self.written = []
        detector, reader = FakeDetector(PLATES), FakeReader(PLATES)
        self.looker = Looker(
            lambda frame: plates_in(detector, reader, frame),
            lambda _frame: [],
            lambda text: is_test_plate(text.value),
        )

    def phone(self):
        return Phone(*self.server.server_address[:2])

    def entered(self):
        phone = self.phone()
        assert phone.enter(PIN)[0] == 200
        return phone

    def show(self):
        self.desk.show(
            self.looker.look(Frame(np.full((360, 480, 3), 128, np.uint8), Instant(START), 0))
        )

    def save(self, phone, shapes, write=None):
        """Send shapes while the camera's loop writes them."""
        answer = []
        asking = Thread(target=lambda: answer.append(phone.ask("/view", shapes)))
        asking.start()
        while asking.is_alive():
            self.desk.do_saves(write or self.written.append)
            asking.join(0.02)
        return answer[0]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def page(monkeypatch):
    monkeypatch.setattr(module, "WRONG_PIN_WAIT_S", 0.0)
    monkeypatch.setattr(module, "LOOK_WAIT_S", 0.2)
    made = Page()
    yield made
    made.close()


def test_without_the_pin_there_is_the_page_and_nothing_else(page):
    page.show()
    phone = page.phone()
    assert phone.ask("/")[0] == 200
    assert [
        phone.ask(path)[0]
        for path in ("/look", "/look?after=0", "/nothing", "/../etc/passwd", "//look")
    ] == [401, 401, 404, 404, 401]
    assert [phone.ask(path, {})[0] for path in ("/view", "/shutter", "/end", "/", "/look")] == [
        401,
        401,
        401,
        404,
        404,
    ]
    assert page.desk.ending() is None


def test_with_the_pin_there_is_the_picture_and_no_text_of_any_plate(page):
    page.show()
    status, told, _ = page.entered().ask("/look?after=0")
    assert status == 200
    assert told["picture"].startswith("data:image/jpeg;base64,")
    assert {plate["test"]: plate["width_px"] for plate in told["plates"]} == {True: 120, False: 80}
    assert told["plates"][0]["local"].keys() == {"us", "eu", "br"}
    assert not any(plate.text in str(told) for plate in PLATES)


def test_the_test_plate_is_told_as_a_local_one_would_be(page):
    page.show()
    told = page.entered().ask("/look")[1]
    held, car = sorted(told["plates"], key=lambda plate: not plate["test"])
    assert (held["local"]["us"]["width_px"], held["local"]["eu"]["width_px"]) == (
        round(120 * 305 / 480),
        130,
    )
    assert {size["width_px"] for size in car["local"].values()} == {80}


def test_five_wrong_pins_end_it_for_the_right_one_too(page):
    inside = page.entered()
    page.show()
    said = [page.phone().enter(f"{number:06d}") for number in range(5)]
    assert [status for status, _told in said] == [403] * 4 + [410]
    assert [told["left"] for _status, told in said] == [4, 3, 2, 1, 0]
    assert page.phone().enter(PIN)[0] == 410
    assert inside.ask("/look")[:2] == (410, {"error": "wrong-pin"})
    assert page.desk.ending() is Ending.WRONG_PIN


@pytest.mark.parametrize(
    "pin", ["", PIN + "0", PIN[:-1], " " + PIN, "２７１８２８", "\ud800", 271828, None, ["271828"]]
)
def test_nearly_the_pin_is_not_the_pin(page, pin):
    assert page.phone().enter(pin)[0] in {400, 403}


def test_one_phone_at_a_time(page):
    first = page.entered()
    assert page.phone().enter(PIN) == (409, {"error": "busy", "left": 5})
    page.clock.advance(IDLE_S)
    second = page.entered()
    page.show()
    assert second.ask("/look")[0] == 200
    assert first.ask("/look")[0] == 401


def test_it_ends_by_itself(page):
    phone = page.entered()
    page.show()
    page.clock.advance(1200)
    assert phone.ask("/look")[:2] == (410, {"error": "time"})
    assert page.phone().enter(PIN)[0] == 410


def test_the_phone_can_end_it_and_whoever_waits_is_told_at_once(page, monkeypatch):
    monkeypatch.setattr(module, "LOOK_WAIT_S", 20.0)
    phone, answers = page.entered(), []
    waiting = Thread(target=lambda: answers.append(phone.ask("/look?after=0")[:2]))
    waiting.start()
    assert phone.ask("/end", {})[0] == 200
    waiting.join(5)
    assert answers == [(410, {"error": "phone"})]


def test_no_new_picture_is_no_content(page):
    phone = page.entered()
    assert phone.ask("/look?after=0")[0] == 204
    page.show()
    sequence = phone.ask("/look?after=0")[1]["sequence"]
    assert phone.ask(f"/look?after={sequence}")[0] == 204
    assert phone.ask("/look?after=x1")[0] == 200


def test_the_page_can_load_nothing_from_elsewhere(page):
    status, html, headers = page.phone().ask("/")
    policy = headers["Content-Security-Policy"]
    assert status == 200
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert re.findall(r"(?:src|href)=\"([^\"]*)\"", html) == ["data:,"]
    assert not re.search(r"https?:|//[a-z0-9]+\.|@import|url\(", re.sub(r"(?m)\s//.*$", "", html))
    nonces = set(re.findall(r'nonce="([^"]+)"', html))
    assert nonces == set(re.findall(r"'nonce-([^']+)'", policy))
    assert len(nonces) == 1
    assert nonces != set(re.findall(r'nonce="([^"]+)"', page.phone().ask("/")[1])), (
        "a new one for every page"
    )
    assert 'style="' not in html
    assert not re.search(r"\son[a-z]+=", html)


def test_one_cookie_that_scripts_and_other_sites_never_get(page):
    phone = page.phone()
    headers = phone.ask("/enter", {"pin": PIN})[2]
    assert re.fullmatch(
        r"aim=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Strict", headers["Set-Cookie"]
    )
    assert "Set-Cookie" not in phone.ask("/")[2]


def test_every_answer_says_to_keep_nothing(page):
    phone = page.phone()
    for path in ("/", "/look", "/nothing"):
        headers = phone.ask(path)[2]
        assert (
            headers["Cache-Control"],
            headers["X-Content-Type-Options"],
            headers["Referrer-Policy"],
        ) == ("no-store", "nosniff", "no-referrer")
        assert headers["Server"] == "platewarden"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "camera.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://camera.example"},
        {"Origin": "null"},
    ],
)
def test_other_names_and_other_sites_are_turned_away(page, headers):
    assert page.entered().ask("/end", {}, headers=headers)[0] == 403
    assert page.desk.ending() is None


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"x" * 16_385, {}, 413),
        (b"{}", {"Content-Length": "-1"}, 413),
        (b"not json", {}, 400),
        (b"[" * 5000, {}, 400),
        (b'{"v": 1, "zones": [], "masks": [], "more": 1}', {}, 400),
    ],
)
def test_odd_bodies_are_refused(page, raw, headers, status):
    assert page.entered().ask("/view", raw=raw, headers=headers)[0] == status
    assert page.desk.view == EVERYTHING


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 200,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_odd_requests_do_not_stop_it(page, sent, capfd):
    with socket.create_connection(page.server.server_address[:2], timeout=10) as odd:
        odd.sendall(sent)
        odd.shutdown(socket.SHUT_WR)
        while odd.recv(4096):
            pass
    assert page.phone().ask("/")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_many_connections_do_not_stop_it(page):
    idle = [
        socket.create_connection(page.server.server_address[:2], timeout=10)
        for _ in range(MOST_CONNECTIONS + 5)
    ]
    refused = 0
    for one in idle[MOST_CONNECTIONS:]:
        refused += one.recv(1) == b""
    for one in idle:
        one.close()
    assert refused == 5
    served_soon(page)


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nX: ",
        b"POST /enter HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n%s\r\n\r\n"
        % b"Content-Length: 900",
        b"GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\nGET /",
    ],
    ids=["line", "header", "body", "a second request"],
)
def test_a_request_that_drips_is_cut_off(page, monkeypatch, begun):
    """No single byte is late; the request is."""
    monkeypatch.setattr(module, "REQUEST_S", 0.5)
    address, port = page.server.server_address[:2]
    began, ended = time.monotonic(), False
    with socket.create_connection((address, port), timeout=10) as slow:
        slow.sendall(begun.replace(b"{host}", f"{address}:{port}".encode()))
        while not ended and time.monotonic() - began < 10:
            time.sleep(0.05)
            try:
                slow.sendall(b"0")
                slow.settimeout(0.001)
                ended = slow.recv(4096) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                ended = True
    assert ended
    assert time.monotonic() - began < 5


def test_a_second_request_has_its_own_time(page, monkeypatch):
    monkeypatch.setattr(module, "REQUEST_S", 0.3)
    one = http.client.HTTPConnection(*page.server.server_address[:2], timeout=10)
    for pause_s in (0.5, 0.0):
        one.request("GET", "/")
        first = one.sock
        assert one.getresponse().read()
        assert one.sock is first, "the connection is kept"
        time.sleep(pause_s)
    one.close()


def served_soon(page):
    """A phone that tries again is served: on a busy machine the server's threads need a moment to
    see that the idle ones are gone.
    """
    until = time.monotonic() + 20
    while True:
        try:
            page.phone().ask("/")
        except ConnectionError:
            assert time.monotonic() < until, "the idle connections keep their room"
            time.sleep(0.05)
        else:
            return


def test_shapes_are_written_by_the_cameras_loop_and_told_again(page):
    phone = page.entered()
    assert page.save(phone, ZONE)[:2] == (200, ZONE)
    assert page.written == [parse_view(module.json.dumps(ZONE).encode(), "test")]
    assert phone.ask("/view", {})[1] == ZONE
    assert page.save(phone, ZONE | {"zones": [[[0, 0], [2, 0], [1, 1]]]})[0] == 400
    assert phone.ask("/view", {})[1] == ZONE


def test_a_full_disk_is_told_and_the_old_shapes_stay(page):
    def full(_view: View) -> None:
        raise StorageError("no space left on device", where="view.json", fix="free space")

    status, told, _ = page.save(page.entered(), ZONE, full)
    assert status == 500
    assert "no space left" in told["error"]
    assert page.desk.view == EVERYTHING


def test_without_a_settings_file_nothing_can_be_saved(monkeypatch):
    page = Page(can_save=False)
    try:
        phone = page.phone()
        assert phone.enter(PIN) == (200, {"can_save": False})
        assert phone.ask("/view", ZONE)[0] == 409
        assert phone.ask("/view", {})[0] == 200
    finally:
        page.close()


def test_the_shutter_calculator(page):
    phone = page.entered()
    told = phone.ask(
        "/shutter",
        {"speed_km_h": 50, "shutter": 1000, "angle_deg": 20, "plate_px": 100, "plate_mm": 305},
    )[1]
    assert told == {"mm": 4.8, "px": 1.6, "longest": 528, "verdict": "good"}
    assert (
        phone.ask(
            "/shutter",
            {"speed_km_h": 0, "shutter": 1000, "angle_deg": 20, "plate_px": 100, "plate_mm": 305},
        )[0]
        == 400
    )


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "8.8.8.8", "example.com", "::1", "", "203.0.113.300"]
)
def test_strangers_networks_are_not_listened_on(address):
    with pytest.raises(UsageError):
        listen(address, 0)


def test_over_a_socket_that_was_handed_over_no_other_is_made(monkeypatch):
    """The unit forbids it: seen in systemd-nspawn, where http.server made one to throw it away."""
    made = Desk(PIN, Gate(1e9), lambda: 0.0, EVERYTHING, can_save=False)
    with listen("127.0.0.1", 0) as given:
        monkeypatch.setattr(socket, "socket", lambda *_a, **_k: pytest.fail("a socket was made"))
        PageServer(given, made)


def test_a_taken_port_is_named():
    with listen("127.0.0.1", 0) as taken, pytest.raises(PlatewardenError, match="cannot listen"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_of_systemd_only_a_listening_socket_is_taken(monkeypatch):
    monkeypatch.setenv("LISTEN_PID", "1")  # meant for another process
    monkeypatch.setenv("LISTEN_FDS", "1")
    with listen("127.0.0.1", 0) as own:
        assert own.getsockname()[0] == "127.0.0.1"
