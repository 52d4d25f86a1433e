"""The deliver process under every policy: unsigned, expired, changed, broken, forbidden; its exit
codes, its end on SIGTERM.
"""

import contextlib
import socket
import time

import pytest

from tests.support import sealed
from tests.support.delivery_rig import ROSTER, Recipient, Rig
from tests.support.mosquitto import Mosquitto, free_port

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def rig(tmp_path) -> Rig:
    made = Rig(tmp_path)
    made.write_policy(made.policy(free_port()))
    return made


def ends(rig: Rig, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and last line of a deliver that ends by itself."""
    with rig.deliver(*arguments, environment=environment) as deliver:
        code = deliver.finish()
    text = deliver.output()
    assert "Traceback" not in text, text
    return code, text.splitlines()[-1]


def put_into(rig: Rig, group: str) -> None:
    """The city puts the camera into another group."""
    part = rig.folder / "city/roster.part"
    part.write_text(f'{ROSTER}group = "{group}"\n')
    part.rename(rig.folder / "city/roster.toml")


class TestRefusesToStart:
    def test_an_unsigned_policy(self, rig) -> None:
        code, said = ends(rig)
        assert code == 3
        assert "refused [policy-unsigned]" in said
        assert rig.refusals() == {"policy-unsigned": 1}

    def test_an_expired_policy(self, rig) -> None:
        rig.write_policy(rig.policy(free_port(), expires_days=0))
        code, said = ends(rig, "--allow-unsigned")
        assert code == 3
        assert "refused [policy-expired]" in said
        assert rig.refusals() == {"policy-expired": 1}

    def test_a_policy_that_the_charter_forbids(self, rig) -> None:
        rig.write_policy(rig.policy(free_port(), purpose="immigration-enforcement"))
        code, said = ends(rig, "--allow-unsigned")
        assert code == 3
        assert "charter-forbids-purpose" in said

    def test_a_proxy_for_mqtt(self, rig) -> None:
        code, said = ends(
            rig, "--allow-unsigned", environment={"mqtt_proxy": "http://203.0.113.66:3128"}
        )
        assert code == 3
        assert "refused [proxy-forbidden]" in said
        assert rig.refusals() == {"proxy-forbidden": 1}

    @pytest.mark.parametrize(
        ("spoil", "told"),
        [
            (lambda folder: (folder / "city/policy.toml").write_text("name = 1\n"), "policy.toml"),
            (lambda folder: (folder / "city/policy.toml").unlink(), "policy.toml"),
            (lambda folder: (folder / "city/charter.toml").unlink(), "charter.toml"),
            (
                lambda folder: (folder / "city/ca/city-hall-ca.pem").write_text("nothing"),
                "city-hall-ca.pem",
            ),
            (lambda folder: (folder / "city/ca/city-hall-ca.pem").unlink(), "city-hall-ca.pem"),
            (lambda folder: (folder / "device/public.json").write_text("{}"), "public.json"),
            (lambda folder: (folder / "device/deliver-log.key").unlink(), "deliver-log.key"),
            (lambda folder: (folder / "device/tls.crt").write_text("half"), "tls.key"),
            (
                lambda folder: (folder / "platewarden.toml").write_text('camera_id = "cam-8"'),
                "public.json",
            ),
        ],
        ids=[
            "malformed policy",
            "no policy",
            "no charter",
            "bad ca",
            "no ca",
            "bad public.json",
            "no log key",
            "half a certificate",
            "other camera",
        ],
    )
    def test_files_missing_or_broken(self, rig, spoil, told) -> None:
        spoil(rig.folder)
        code, said = ends(rig, "--allow-unsigned")
        assert code in {1, 2, 3}
        assert told in said


class TestFollowsThePolicy:
    def test_broken_stops_publishing_and_a_good_one_starts_it_again(self, rig) -> None:
        with (
            Mosquitto(rig.folder / "broker", rig.server) as broker,
            rig.deliver("--allow-unsigned") as deliver,
        ):
            recipient = Recipient(rig, broker.port)
            good = rig.policy(broker.port)
            rig.settle_until(rig.leaves)
            rig.write_policy("name = 7\n")
            rig.settle_until(rig.refusals)
            (read,) = rig.seal()
            time.sleep(1.5)
            assert recipient.kept == {}
            assert deliver.process.poll() is None
            rig.write_policy(good)
            rig.settle_until(lambda: not rig.waiting())
            assert set(recipient.kept) == {read}
            recipient.close()
        kinds = [leaf["kind"] for leaf in rig.leaves()]
        assert [kind for kind in kinds if kind != "receipt"] == [
            "start",
            "refusal",
            "policy",
            "counts",
            "stop",
        ]

    def test_a_narrower_policy_withdraws_what_was_sealed_under_the_wider_one(self, rig) -> None:
        with Mosquitto(rig.folder / "broker", rig.server) as broker:
            recipient = Recipient(rig, broker.port)
            (read,) = rig.seal()
            rig.write_policy(rig.policy(broker.port, purpose="amber-alert-only"))
            with rig.deliver("--allow-unsigned"):
                rig.settle_until(lambda: any(leaf["kind"] == "withdrawal" for leaf in rig.leaves()))
            recipient.close()
        assert recipient.kept == {}
        assert rig.waiting() == {read}  # it is for watch to remove
        (leaf,) = [leaf for leaf in rig.leaves() if leaf["kind"] == "withdrawal"]
        assert (leaf["reason"], leaf["read"]) == ("purpose-not-in-policy", read)

    def test_a_camera_reaches_the_brokers_of_its_own_group_alone(self, rig) -> None:
        """South stands first in the policy, and takes whatever comes."""
        with (
            Mosquitto(rig.folder / "south", rig.server) as south,
            Mosquitto(rig.folder / "north", rig.server) as north,
        ):
            text = rig.policy(south.port, north.port)
            head, one, other = text.split("[[broker]]")
            split = (
                f'{head}[[broker]]{one}groups = ["south"]\n[[broker]]{other}groups = ["north"]\n'
            )
            there = {"south": Recipient(rig, south.port), "north": Recipient(rig, north.port)}
            put_into(rig, "north")
            rig.write_policy(split)
            with rig.deliver("--allow-unsigned") as deliver:
                (first,) = rig.seal()
                rig.settle_until(lambda: not rig.waiting())
                put_into(rig, "south")
                rig.settle_until(lambda: len([one for one in rig.leaves() if "policy" in one]) > 1)
                (second,) = rig.seal()
                rig.settle_until(lambda: not rig.waiting())
                put_into(rig, "harbour")
                rig.settle_until(rig.refusals)
                (third,) = rig.seal()
                time.sleep(1.5)
                assert deliver.process.poll() is None
                put_into(rig, "north")
                rig.settle_until(lambda: not rig.waiting())
            connected = {place: broker.log() for place, broker in (("s", south), ("n", north))}
            for recipient in there.values():
                recipient.close()
        assert {name: set(one.kept) for name, one in there.items()} == {
            "south": {second},
            "north": {first, third},
        }
        assert rig.refusals() == {"no-broker-for-camera": 1}
        # once while it was of this group: a broker of another group is not even dialled
        assert [log.count(f"as {sealed.DEVICE} (") for log in connected.values()] == [1, 2]

    def test_sigterm_ends_it_with_0_and_a_leaf_even_while_the_broker_is_away(self, rig) -> None:
        rig.seal()
        with rig.deliver("--allow-unsigned") as deliver:
            rig.settle_until(rig.leaves)
            time.sleep(0.5)
            assert deliver.stop(10) == 0, deliver.output()
        assert [leaf["kind"] for leaf in rig.leaves()] == ["start", "counts", "stop"]

    def test_an_empty_outbox_ends_until_empty_at_once(self, rig) -> None:
        assert ends(rig, "--allow-unsigned", "--until-empty", "20")[0] == 0

    def test_odd_files_in_the_outbox_do_not_hold_up_a_read(self, rig) -> None:
        for name, content in {
            "a" * 32 + ".sealed": b"",
            "b" * 32 + ".sealed": b"\x00" * 100_000,
            "notes.txt": b"hello",
            "c" * 32 + ".sealed": b"eyJhbGciOiJ",
        }.items():
            (rig.outbox / name).write_bytes(content)
        (rig.outbox / ("d" * 32 + ".sealed")).symlink_to("/etc/hostname")
        (rig.outbox / ("e" * 32 + ".sealed")).mkdir()
        (read,) = rig.seal()
        with Mosquitto(rig.folder / "broker", rig.server) as broker:
            rig.write_policy(rig.policy(broker.port))
            recipient = Recipient(rig, broker.port)
            with rig.deliver("--allow-unsigned") as deliver:
                rig.settle_until(lambda: read not in rig.waiting())
                time.sleep(1)
            recipient.close()
        assert set(recipient.kept) == {read}
        assert rig.refusals() == {"malformed": 6}
        assert "Traceback" not in deliver.output()


def test_systemd_hears_ready_progress_and_stopping_through_the_guard(rig, tmp_path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        said: list[str] = []
        with rig.deliver(
            "--allow-unsigned", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}
        ) as deliver:
            while said.count("WATCHDOG=1") < 3:
                said.append(systemd.recv(300).decode())
            assert deliver.stop() == 0, deliver.output()
        systemd.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(systemd.recv(300).decode())
    assert (said[0], said[-1]) == ("READY=1", "STOPPING=1")
    # the broker is dialled before there is a read for it; here none is up
    assert any(line.startswith("STATUS=0 reads wait: broker 'city-hall-0'") for line in said)
