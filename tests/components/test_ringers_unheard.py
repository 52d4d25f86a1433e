"""A ringer that nobody hears: told once, tried again, seen in status, and in nobody's way."""

import json
import threading
import time
from contextlib import closing

import pytest

from agent import cli
from agent.errors import NetworkError, StorageError
from agent.host.clock import SystemClock
from agent.receiver.ringing import dial, ring_round
from agent.receiver.ringing.message import message_of
from agent.receiver.ringing.ring_round import named_ringers, ring_until
from agent.receiver.store.ring_queue import pause_s
from agent.receiver.workplace import Workplace
from tests.support.pki import Authority
from tests.support.ringing import (
    HOST,
    Endpoint,
    RingRig,
    RungServer,
    rung,
    silent,
    state,
    taken_in,
)
from tests.support.sealed import CAPTURED

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture(scope="module")
def credentials(ca):
    return ca.server("ring", hosts=(HOST,))


@pytest.fixture
def rig(tmp_path, ca):
    return RingRig(tmp_path / "receiver", ca.pem)


class TestNobodyHears:
    def test_no_server(self, rig, credentials):
        with RungServer(Endpoint(), credentials) as server:
            pass
        enrolled = rig.made(rig.webhook(server), rig.push(server), rig.mail(server))
        taken_in(enrolled)
        said = rung(enrolled.place)
        assert len(said) == 3
        assert all("Connection refused" in line for line in said)

    def test_a_server_in_anothers_place(self, rig, tmp_path):
        other = Authority(tmp_path / "other").server("ring", hosts=(HOST,))
        with RungServer(endpoint := Endpoint(), other) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            assert "certificate is not believed" in rung(enrolled.place)[0]
        assert endpoint.requests == []

    def test_a_certificate_of_another_name(self, rig, ca):
        with RungServer(endpoint := Endpoint(), ca.server("else", hosts=("a.example",))) as server:
            enrolled = rig.made(rig.push(server))
            taken_in(enrolled)
            assert "certificate is not believed" in rung(enrolled.place)[0]
        assert endpoint.requests == []

    def test_one_that_never_answers_or_drips_is_cut(self, rig, credentials, monkeypatch):
        monkeypatch.setattr(dial, "RING_S", 1.0)

        def drip(line):
            while True:
                line.say(b"H")
                time.sleep(0.2)

        for number, talk in enumerate((silent, drip)):
            with RungServer(talk, credentials) as server:
                rig.folder = rig.folder.with_name(f"receiver-{number}")
                place = rig.made(rig.push(server)).place
                [named] = named_ringers(place.settings.ring, place.folder)
                began = time.monotonic()
                with pytest.raises(NetworkError):
                    named.ringer.ring(message_of("phone", "count", [], CAPTURED))
                assert time.monotonic() - began < 8

    def test_pauses_grow_and_end_and_it_is_said_once(self, rig, credentials):
        with RungServer(Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            said = []
            for _ in range(3):
                rung(enrolled.place, said)
                with closing(enrolled.place.store()) as store:  # its pause is over
                    store._index.execute("UPDATE ringers SET not_before = 0")
        assert len(said) == 1
        found = state(enrolled.place, "desk")
        assert (found.failures, found.words, found.waiting) == (3, "answered 503", 1)
        assert [pause_s(n) for n in (1, 2, 3, 8, 9, 10**6)] == [5, 10, 20, 600, 600, 600]

    def test_again_it_has_the_same_id_and_with_one_more_lead_another(self, rig, credentials):
        with RungServer(endpoint := Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            for more in (0, 0, 1):
                if more:
                    taken_in(enrolled, more)
                with closing(enrolled.place.store()) as store:  # its pause is over
                    store._index.execute("UPDATE ringers SET not_before = 0")
                rung(enrolled.place)
        first, again, later = (headers["webhook-id"] for _, headers, _ in endpoint.requests)
        assert (first == again, later == first) == (True, False)
        told = [json.loads(body)["data"]["leads"] for *_, body in endpoint.requests]
        assert told == [1, 1, 2]

    def test_during_its_pause_it_is_not_rung(self, rig, credentials):
        with RungServer(endpoint := Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server))
            taken_in(enrolled)
            rung(enrolled.place)
            rung(enrolled.place)
        assert len(endpoint.requests) == 1

    def test_a_fault_of_ours_is_a_dead_ringer_too(self, rig, monkeypatch):
        enrolled = rig.made(rig.program())
        taken_in(enrolled)
        [named] = named_ringers(enrolled.place.settings.ring, enrolled.folder)
        monkeypatch.setattr(named.ringer.__class__, "ring", lambda *_: 1 / 0)
        assert "fails (ZeroDivisionError)" in rung(enrolled.place)[0]

    def test_it_is_seen_in_status_and_delays_neither_storing_nor_receipts(
        self, rig, credentials, capsys
    ):
        with RungServer(Endpoint(503), credentials) as server:
            enrolled = rig.made(rig.webhook(server), rig.program())
            taken_in(enrolled)
            rung(enrolled.place)
            taken = taken_in(enrolled, 5)
        assert [one.outcome for one in taken] == ["stored"] * 5
        assert all(one.receipt for one in taken)
        with pytest.raises(SystemExit):
            cli.main(["receiver", "status", str(rig.folder)])
        out = capsys.readouterr().out
        assert "Ringer     desk: NOT HEARD since" in out
        assert "answered 503; 6 wait, last rung never" in out
        assert "Ringer     lamp: 5 wait" in out
        with pytest.raises(SystemExit):
            cli.main(["receiver", "status", str(rig.folder), "--json"])
        desk, lamp = json.loads(capsys.readouterr().out)["ringers"]
        assert (desk["failures"], desk["why"], desk["waiting"]) == (1, "answered 503", 6)
        assert (lamp["failures"], lamp["waiting"], lamp["rung_at"] is not None) == (0, 5, True)


class TestTheProcess:
    def test_a_ringer_that_hangs_delays_no_other(self, rig, credentials, monkeypatch):
        monkeypatch.setattr(ring_round, "POLL_S", 0.05)
        monkeypatch.setattr(dial, "RING_S", 3.0)
        with (
            RungServer(silent, credentials) as deaf,
            RungServer(heard := Endpoint(), credentials) as ok,
        ):
            enrolled = rig.made(rig.webhook(deaf, "deaf"), rig.push(ok, "ok"))
            taken_in(enrolled)
            stopping = threading.Event()
            thread = threading.Thread(
                target=ring_until, args=(enrolled.place, SystemClock(), lambda _: None, stopping)
            )
            thread.start()
            began = time.monotonic()
            while not heard.requests and time.monotonic() - began < 20:
                time.sleep(0.02)
            waited_s = time.monotonic() - began
            stopping.set()
            thread.join(20)
        assert heard.requests
        assert waited_s < 3

    def test_a_store_that_fails_is_told_and_tried_again(self, rig, monkeypatch):
        enrolled = rig.made(rig.program())
        taken_in(enrolled)
        honest, faults, said = Workplace.store, [StorageError("full"), ValueError("odd")], []

        def store(place):
            if faults:
                raise faults.pop()
            return honest(place)

        monkeypatch.setattr(Workplace, "store", store)
        monkeypatch.setattr(ring_round, "POLL_S", 0.02)
        stopping = threading.Event()
        thread = threading.Thread(
            target=ring_until, args=(enrolled.place, SystemClock(), said.append, stopping)
        )
        thread.start()
        end = time.monotonic() + 20
        while time.monotonic() < end and (faults or not state(enrolled.place, "lamp").rung_at):
            time.sleep(0.02)
        stopping.set()
        thread.join(20)
        assert ["ValueError" in said[0], "full" in said[1]] == [True, True]
        assert state(enrolled.place, "lamp").waiting == 0

    def test_typed_without_ringers_and_as_a_trial(self, rig, credentials, capsys):
        with RungServer(endpoint := Endpoint(200, 500), credentials) as server:
            rig.made(rig.webhook(server))

            def typed(*words):
                with pytest.raises(SystemExit) as ended:
                    cli.main(["receiver", "ring", str(rig.folder), *words])
                return ended.value.code, capsys.readouterr().err

            assert typed("--try") == (0, "ringer desk: took a TEST message\n")
            code, err = typed("--try")
            assert (code, "desk answered 500" in err, "1 of 1" in err) == (1, True, True)
        assert json.loads(endpoint.requests[0][2])["data"]["tests"] == 1
        path = rig.folder / "receiver.toml"
        path.write_text(path.read_text().split("[[ring")[0])
        code, err = typed()
        assert (code, "names nobody to ring" in err) == (2, True)
