"""`audit collect --broker`: what cameras send of their logs over a real Mosquitto becomes leaves of
the city's log, the answer comes back, and a bad message costs that message.
"""

import json
import time
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.broker.broker_folder import COLLECTORS, BrokerFolder
from agent.broker.checkpoint_link import MAX_KEPT, Came, CheckpointLink
from agent.broker.names import CHECK_CAMERA, COLLECTOR
from agent.city import checkpoint_messages
from agent.city.checkpoint_answers import answers_to
from agent.city.checkpoint_collection import Collection, collect
from agent.city.city_log import city_log
from agent.core.log.collected import parse_answer
from agent.errors import ConfigError, NetworkError
from agent.mqtt.topics import checkpoints_topic, collected_topic
from agent.network.broker_link import BrokerLink, LinkLimits
from agent.network.egress import Egress
from agent.network.policy_tls import context_for
from agent.storage.log_growth import growth
from tests.components.test_broker_setup import client
from tests.components.test_broker_setup import run as broker_command
from tests.components.test_city_log import leaves
from tests.components.test_collect import _charter
from tests.components.test_hotlist_command import city
from tests.components.test_log_attacks import search
from tests.components.test_log_growth import tree
from tests.support.audit_logs import (
    DEVICE,
    KEY,
    ORIGIN,
    OTHER_KEY,
    TRUSTED,
    open_log,
    write_public_keys,
)
from tests.support.city_broker import HOST, CityBroker
from tests.support.city_network import broker as listed_broker
from tests.support.mosquitto import ADDRESS
from tests.support.witness_logs import NOW_S, log_of, run

__all__ = ["city"]
AT = datetime(2027, 1, 15, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def message(tmp_path, size, since=None, hours=0, copy=0, key=KEY):
    """What a camera sends of a log of `size` leaves, `hours` later."""
    folder = log_of(tmp_path / f"{size}-{copy}", size, copy=copy)
    older = tree(folder, since) if since else None
    with open_log(folder, key) as log:
        return growth(log, older, AT + hours * HOUR)


def take(city, *messages, now_s=NOW_S, keys=TRUSTED):
    with city_log(city) as log:
        done = collect(city, log, (), keys, 26 * 3_600, lambda: now_s, {DEVICE: messages})
        answers = [parse_answer(data) for _, data in answers_to(city, done, Collection(city, log))]
    return done, answers


def outcomes(done):
    return [one.outcome for one in done]


class TestMessages:
    def test_the_first_one_and_then_what_has_grown_out_of_it(self, tmp_path, city):
        done, [answer] = take(city, message(tmp_path, 5))
        assert outcomes(done) == ["first"]
        assert (answer.collected.origin, answer.collected.size) == (ORIGIN, 5)
        done, [answer] = take(
            city, message(tmp_path, 9, since=5, hours=1), message(tmp_path, 12, since=5, hours=2)
        )
        assert (outcomes(done), answer.collected.size) == (["grown"], 12)
        assert [(one["outcome"], one["before"], one["size"]) for one in leaves(city)] == [
            ("first", 0, 5),
            ("grown", 5, 12),
        ]

    def test_who_proves_it_since_another_size_is_told_since_when(self, tmp_path, city):
        take(city, message(tmp_path, 5))
        for wrong in (message(tmp_path, 9, hours=1), message(tmp_path, 9, since=3, hours=1)):
            done, [answer] = take(city, wrong)
            assert (outcomes(done), answer.collected.size) == (["asked"], 5)
        done, _ = take(city, message(tmp_path, 9, since=5, hours=1))
        assert outcomes(done) == ["grown"]
        assert [one["outcome"] for one in leaves(city)] == ["first", "grown"]

    def test_who_never_proves_it_is_missing(self, tmp_path, city):
        """For good: an unanswered question must not hide that nothing comes."""
        take(city, message(tmp_path, 5))
        wrong = message(tmp_path, 9, since=3, hours=1)
        done, _ = take(city, wrong, now_s=NOW_S + 26 * 3_600)
        assert outcomes(done) == ["missing"]
        assert leaves(city)[-1]["outcome"] == "missing"

    @search
    @given(data=st.data())
    def test_a_broker_that_sends_again_or_in_another_order_accuses_nobody(
        self, tmp_path, data, tmp_path_factory
    ):
        """Also of what was taken in before."""
        city = _new_city(tmp_path_factory)
        sent = [
            message(tmp_path, 5),
            *(
                message(tmp_path, size, since=5, hours=hours)
                for hours, size in enumerate((9, 12, 15, 21), 1)
            ),
        ]
        take(city, sent[0])
        for _ in range(2):
            batch = data.draw(st.lists(st.sampled_from(sent), min_size=1, max_size=8))
            done, _ = take(city, *batch)
            assert not [one for one in done if one.outcome == "refused"], batch

    def test_a_clock_that_was_put_back_accuses_nobody(self, tmp_path, city):
        take(city, message(tmp_path, 5))
        ahead, after = message(tmp_path, 9, since=5, hours=10_000), message(tmp_path, 12, 5, 1)
        done, _ = take(city, ahead, after)
        assert outcomes(done) == ["grown"]
        done, _ = take(city, message(tmp_path, 15, since=12, hours=2))
        assert outcomes(done) == ["grown"]
        ahead, after = message(tmp_path, 21, 15, 10_000), message(tmp_path, 16, since=15, hours=3)
        done, _ = take(city, ahead, after)
        assert outcomes(done) == ["grown"], "the smaller one came last and says an earlier time"

    def test_an_older_copy_that_was_put_back_is_named(self, tmp_path, city):
        take(city, message(tmp_path, 12))
        done, _ = take(city, message(tmp_path, 9, hours=1))
        assert [(one.outcome, one.error.reason) for one in done] == [("refused", "log-truncated")]
        assert leaves(city)[-1]["reason"] == "log-truncated"

    def test_and_so_it_is_within_one_day(self, tmp_path, city):
        take(city, message(tmp_path, 5))
        done, _ = take(
            city, message(tmp_path, 12, since=5, hours=1), message(tmp_path, 9, since=5, hours=2)
        )
        assert outcomes(done) == ["grown", "refused"]
        assert done[1].error.reason == "log-truncated"

    def test_two_histories_of_one_size_are_named_and_both_kept(self, tmp_path, city):
        take(city, message(tmp_path, 5))
        two = [message(tmp_path, 12, since=5, hours=1), message(tmp_path, 12, 5, 2, copy=1)]
        done, _ = take(city, *two)
        [refused] = [one for one in done if one.outcome == "refused"]
        assert refused.error.reason == "root-mismatch"
        kept = [file.read_bytes() for file in (city / "log").glob("*.refused")]
        assert len(kept) == 2
        assert leaves(city)[-1]["reason"] == "root-mismatch"

    def test_a_second_history_of_what_was_collected_is_named(self, tmp_path, city):
        take(city, message(tmp_path, 12))
        done, _ = take(city, message(tmp_path, 12, hours=1, copy=1))
        assert [(one.outcome, one.error.reason) for one in done] == [("refused", "root-mismatch")]

    def test_bad_messages_cost_one_line_each_and_the_good_one_counts(self, tmp_path, city):
        (tmp_path / "theirs").mkdir()
        with open_log(tmp_path / "theirs", OTHER_KEY) as log:
            log.append("start", {})
            foreign = growth(log, None, AT)
        with open_log(log_of(tmp_path / "own", 9)) as log:
            timeless = log.signed_with(())
        good = message(tmp_path, 5)
        bad = [b"", b"hello", b"\xff" * 100, b"x" * 5_000, foreign, timeless, good[:-9]]
        done, _ = take(city, *bad, good, *bad)
        assert outcomes(done).count("first") == 1
        unusable = [one for one in done if one.outcome == "unusable"]
        assert len(unusable) == 4, "the same fault of one camera is one line"
        assert all(f"message of {DEVICE}" in one.why for one in unusable)
        assert {one["kind"] for one in leaves(city)} == {"checkpoint"}
        assert len(leaves(city)) == 1

    @search
    @given(data=st.data())
    def test_every_attack_is_named_and_no_mistake_is(self, tmp_path, tmp_path_factory, data):
        city = _new_city(tmp_path_factory)
        seen, more = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 9))
        take(city, message(tmp_path, seen))
        later, bare = seen + more, data.draw(st.integers(1, seen - 1))
        honest = message(tmp_path, later, since=seen, hours=1)
        sent, outcome, reason = data.draw(
            st.sampled_from(
                [
                    ([message(tmp_path, bare, hours=1)], "refused", "log-truncated"),
                    ([message(tmp_path, seen, hours=1, copy=1)], "refused", "root-mismatch"),
                    (
                        [honest, message(tmp_path, later, seen, 2, copy=1)],
                        "refused",
                        "root-mismatch",
                    ),
                    ([honest, message(tmp_path, seen, hours=2)], "refused", "log-truncated"),
                    ([honest, honest], "grown", None),
                    ([honest.replace(b"\n", b"\r\n")], "grown", None),
                    ([honest, message(tmp_path, later, since=seen, hours=1)], "grown", None),
                    ([message(tmp_path, seen, hours=1)], "same", None),
                    ([honest, b"another city's message"], "unusable", None),
                ]
            )
        )
        done, _ = take(city, *sent)
        found = [one for one in done if one.outcome == outcome]
        assert found, (sent, outcomes(done))
        refusals = [one.error.reason for one in done if one.outcome == "refused"]
        assert refusals == ([reason] if reason else [])

    def test_another_history_that_is_longer_is_missing_and_told_why(self, tmp_path, city):
        """Its log has not the root that was collected, so it can prove nothing."""
        take(city, message(tmp_path, 9))
        other = message(tmp_path, 21, hours=1, copy=1)
        [one], _ = take(city, other)
        assert one.outcome == "asked"
        [one], _ = take(city, other, now_s=NOW_S + 26 * 3_600)
        assert (one.outcome, one.error.exit_code) == ("missing", 1)
        assert "another history, or the camera does not hear the answers" in one.why
        leaf = leaves(city)[-1]
        assert (leaf["outcome"], leaf["size"], leaf["before"]) == ("missing", 21, 9)

    def test_one_that_makes_a_library_raise_anything_costs_that_one(
        self, tmp_path, city, monkeypatch
    ):
        look_at, good = checkpoint_messages.look_at, message(tmp_path, 5)

        def fails(untrusted, *others):
            if untrusted == b"odd":
                raise RuntimeError("TST0042 must not be shown")
            return look_at(untrusted, *others)

        monkeypatch.setattr(checkpoint_messages, "look_at", fails)
        done, _ = take(city, b"odd", good)
        assert outcomes(done) == ["unusable", "first"]
        assert "RuntimeError" in done[0].why
        assert "TST0042" not in done[0].why


def _new_city(factory):
    folder = factory.mktemp("city")
    (folder / "charter.toml").write_bytes(_charter())
    return folder


class TestCame:
    def test_the_newest_of_each_camera_are_kept_and_the_rest_is_counted(self):
        came = Came()
        for number in range(MAX_KEPT + 3):
            came.take(checkpoints_topic("cam-1"), b"%d" % number)
        came.take(checkpoints_topic("cam-2"), b"two")
        came.take("platewarden/1/reads/somebody", b"none of ours")
        assert came.messages["cam-1"] == deque(b"%d" % n for n in range(3, MAX_KEPT + 3))
        assert (list(came.messages["cam-2"]), came.dropped) == ([b"two"], 4)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with CityBroker(tmp_path_factory.mktemp("broker") / "broker") as broker:
        assert broker_command("collector", broker.desk.folder) == 0
        yield broker


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


@pytest.mark.broker
class TestOverMosquitto:
    @pytest.fixture
    def camera(self, running):
        """A camera's own link, with the check's certificate."""
        found = camera_link(running)
        yield found
        found.close()

    def test_a_checkpoint_there_and_the_answer_back(self, tmp_path, city, running, camera, key):
        with pytest.raises(StopIteration):
            next(iter(CheckpointLink(running.desk.folder).gather().messages))  # its session begins
        posted(camera, message(tmp_path, 5))
        collected = run(
            *("collect", "--city", city, "--key", key, "--broker", running.desk.folder, "--json")
        )
        table = json.loads(collected.output)
        first = table["logs"][0]
        assert (first["origin"], first["outcome"]) == (ORIGIN, "first")
        assert table["broker"] == []
        [answer] = [parse_answer(data) for data in came_to(camera)]
        assert (answer.collected.origin, answer.collected.size) == (ORIGIN, 5)
        posted(camera, message(tmp_path, 9, since=5, hours=1))
        posted(camera, b"rubbish")
        collected = run(
            *("collect", "--city", city, "--key", key, "--broker", running.desk.folder, "--json")
        )
        told = [one["outcome"] for one in json.loads(collected.output)["logs"]]
        assert told == ["unusable", "grown", "missing"]
        assert [one["size"] for one in leaves(city) if "size" in one] == [5, 9]

    def test_a_camera_tells_of_itself_alone_and_hears_of_itself_alone(self, running):
        collector = client(running, COLLECTOR, running.desk.folder / COLLECTORS)
        collector.subscribe(checkpoints_topic("+"))
        camera = client(running, CHECK_CAMERA)
        camera.subscribe("platewarden/1/collected/+")
        assert camera.publish(checkpoints_topic("main-street-2"), b"forged").refused
        assert camera.publish(collected_topic(CHECK_CAMERA), b"forged").refused
        assert not camera.publish(checkpoints_topic(CHECK_CAMERA), b"own").refused
        assert collector.payloads(1) == [b"own"]
        assert collector.publish("platewarden/1/reads/exampleville-pd", b"no read").refused
        collector.publish(collected_topic("main-street-2"), b"for another")
        collector.publish(collected_topic(CHECK_CAMERA), b"for it")
        assert camera.payloads(2, 0.5) == [b"for it"]
        for one in (collector, camera):
            one.close()

    def test_a_broker_that_is_away_is_told_and_the_logs_are_missing(self, tmp_path, city, key):
        with CityBroker(tmp_path / "broker") as away:
            desk = away.desk.folder
            broker_command("collector", desk)
        result = run("collect", "--city", city, "--key", key, "--broker", desk)
        assert f"BROKER      {ADDRESS}:{away.port}: cannot connect" in result.output
        assert result.output.count("MISSING") == 2
        assert result.exception.exit_code == 1

    def test_without_its_certificate_it_says_how_to_make_one(self, tmp_path, city, key):
        desk = CityBroker(tmp_path / "broker").desk.folder
        result = run("collect", "--city", city, "--key", key, "--broker", desk)
        assert isinstance(result.exception, ConfigError)
        assert "platewarden broker collector" in str(result.exception)

    def test_a_second_certificate_shuts_the_first_one_out(self, tmp_path):
        with CityBroker(tmp_path / "broker") as broker:
            desk = broker.desk.folder
            broker_command("collector", desk)
            old = tmp_path / "old"
            (desk / COLLECTORS).rename(old)
            (desk / COLLECTORS).mkdir()
            (desk / COLLECTORS / f"{COLLECTOR}.crt").write_bytes(
                (old / f"{COLLECTOR}.crt").read_bytes()
            )
            broker_command("collector", desk)
            broker.kill()
            broker.start()
            client(broker, COLLECTOR, desk / COLLECTORS).close()
            with pytest.raises(NetworkError):
                client(broker, COLLECTOR, old)
        assert ("collector", COLLECTOR) in [
            (kind, name) for kind, name, _ in BrokerFolder(desk).holders()
        ]

    def test_where_the_access_list_is_older_reads_go_out_all_the_same(self, tmp_path):
        with CityBroker(tmp_path / "broker") as broker:
            acl = broker.desk.folder / "machine/acl"
            lines = acl.read_text().splitlines(keepends=True)
            acl.write_text(
                "".join(
                    one for one in lines if "/collected/" not in one and "/checkpoints/" not in one
                )
            )
            broker.kill()
            broker.start()
            camera = camera_link(broker)
            [answer] = posted(camera, b"checkpoint", refused=True)
            assert "Not authorized (135)" in answer.refusal
            camera.publish("platewarden-check-recipient", "0" * 32, b"read", 60)
            assert [one.refused for one in until(camera, camera.take_answers)] == [False]
            camera.close()


def camera_link(broker) -> BrokerLink:
    desk = broker.desk.folder
    files = tuple(desk / "check" / f"{CHECK_CAMERA}.{end}" for end in ("crt", "key"))
    place = ("127.0.0.1", broker.port)
    listed = listed_broker(None, place, host=HOST, pins=broker.desk.pin_digests)
    limits = LinkLimits()
    context = context_for(listed, (desk / "ca.pem").read_bytes(), "broker", 60_000, files)
    link = BrokerLink(listed, CHECK_CAMERA, context, Egress((listed,)), limits)
    link.connect(*place)
    return link


def until(link, taken, tries=200):
    for _ in range(tries):
        link.poll()
        if found := taken():
            return found
        time.sleep(0.02)
    pytest.fail("nothing came in time")


def posted(link, data, *, refused=False):
    link.post(data)
    answers = until(link, link.take_post_answers)
    assert [bool(one.refusal) for one in answers] == [refused]
    for _ in range(20):  # it asks to hear the collector now
        link.poll()
    return answers


def came_to(link):
    return until(link, link.take_collected)
