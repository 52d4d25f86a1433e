"""What a charter demands of witnesses, as a camera obeys it: the collector's answer proves that
enough of them vouch for its log, and without them it stops releasing after the hours that the
charter says.
"""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.audit.proofs.proof_maker import ProofMaker
from agent.audit.witnesses.cosigner import cosign, witness_key_of
from agent.bundles.layout import CHARTER_PATH, TARGETS
from agent.city.checkpoint_answers import answers_to
from agent.city.checkpoint_collection import Collection, collect
from agent.city.city_log import city_log
from agent.commands import status
from agent.core.log.checkpoint import Checkpoint, note, parse_note, verifier_key
from agent.core.log.collected import Answer, format_answer, parse_answer
from agent.core.log.merkle import HASH_BYTES
from agent.core.policy.charter import parse_charter
from agent.errors import ConfigError
from agent.storage.growth_mailbox import GrowthWriter
from agent.storage.log_growth import growth
from agent.storage.log_key import TrustedLogKeys, load_trusted_keys
from agent.storage.log_notes import verified_checkpoint
from tests.components.test_hotlist_command import city
from tests.components.test_log_growth import AT, Clock, tree
from tests.components.test_watch_bundles import camera, released
from tests.support.audit_logs import DEVICE, KEY, OTHER_KEY, TRUSTED, open_log
from tests.support.signed_camera import leaves
from tests.support.witness_logs import NOW_S, a_witness, log_of, witnessed

__all__ = ["camera", "city"]
pytestmark = pytest.mark.usefixtures("quick_disk")
CITY = "exampleville.gov/platewarden/exampleville/city"
HOUR_S = 3_600
WITNESSES = {
    f"example.org/w{number}": Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number in (1, 2, 3)
}
RAW = KEY.public_key().public_bytes_raw()
RULES = f"""
[witnesses]
log = "{verifier_key(CITY, RAW)}"
keys = {json.dumps([str(witness_key_of(*one)) for one in WITNESSES.items()])}
quorum = 2
close_after_hours = 72
"""
CHARTER = """
name = "Exampleville ALPR charter"
forbidden_recipients = []
forbidden_purposes = []
allowed_categories = ["stolen-vehicle"]
max_retention = "30d"
"""


def rules(text=RULES):
    return parse_charter((CHARTER + text).encode(), "charter.toml").witnesses


def answer(folder, told: Checkpoint, at_s, *, by=(1, 2), key=KEY, **details):
    """As the collector gives it: a city's log with a leaf about `told`, cosigned."""
    said = {"outcome": "grown", "log": told.origin, "size": told.size, "root": told.root.hex()}
    with open_log(folder, key, CITY) as log:
        log.append("hotlist", {"act": "import"})
        number = log.append("checkpoint", said | details)
        log.append("hotlist", {"act": "import"})
    maker = ProofMaker(folder, TrustedLogKeys({CITY: key.public_key()}, "test"))
    plain, signed = maker.newest()
    taken = parse_note(plain)
    names = [f"example.org/w{number}" for number in by]
    lines = [cosign(taken, name, WITNESSES[name], at_s + n) for n, name in enumerate(names)]
    cosigned = note(taken.signed, [*taken.signatures, *lines])
    return Answer(told, maker.inclusion_under(number, cosigned, signed))


class Watch:
    """Watch's part over a log of nine leaves."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "outbox").mkdir()
        (folder / "receipts").mkdir()
        self.shown, self.kept = folder / "receipts/watch.collected", folder / "witnessed"
        self.log = open_log(log_of(folder / "watch", 9))
        self.tree = tree(folder / "watch", 5)
        self.restart()

    def restart(self):
        out = self.folder / "outbox/watch.growth"
        self.writer = GrowthWriter(
            out, self.shown, self.log, lambda: AT, Clock().monotonic_s, self.kept
        )

    def hears(self, said: Answer):
        self.shown.unlink(missing_ok=True)
        self.shown.write_bytes(format_answer(said))
        self.writer.write()
        found = self.writer.witnessed(rules())
        return (found.size, found.at_s) if found else None


@pytest.fixture
def watch(tmp_path):
    found = Watch(tmp_path)
    yield found
    found.log.close()


class TestAnswer:
    def test_enough_witnesses_vouch_since_the_last_one_signed(self, watch, tmp_path):
        assert watch.writer.witnessed(rules()) is None
        assert watch.hears(answer(tmp_path / "c", watch.tree, NOW_S)) == (5, NOW_S + 1)

    def test_it_is_kept_and_an_older_one_takes_nothing_back(self, watch, tmp_path):
        watch.hears(answer(tmp_path / "c", watch.tree, NOW_S))
        older = answer(tmp_path / "d", tree(tmp_path / "watch", 3), NOW_S - HOUR_S)
        assert watch.hears(older) == (5, NOW_S + 1)
        watch.restart()
        assert watch.hears(Answer(watch.tree)) == (5, NOW_S + 1)
        newer = answer(tmp_path / "e", tree(tmp_path / "watch", 7), NOW_S + 600)
        assert watch.hears(newer) == (7, NOW_S + 601)

    @pytest.mark.parametrize(
        "bad",
        [
            {"by": (1,)},
            {"by": ()},
            {"key": OTHER_KEY},
            {"outcome": "refused"},
            {"log": "platewarden/cam-test-2/watch"},
            {"root": "00" * HASH_BYTES},
            {"size": 6},
            {"size": 600},
            {"size": "5"},
        ],
    )
    def test_anything_less_vouches_for_nothing(self, watch, tmp_path, bad):
        assert watch.hears(answer(tmp_path / "c", watch.tree, NOW_S, **bad)) is None

    def test_nor_does_a_proof_that_was_spoiled(self, watch, tmp_path):
        good = answer(tmp_path / "c", watch.tree, NOW_S)
        path = good.proof.path
        for proof in (
            replace(good.proof, path=(bytes(32), *path[1:])),
            replace(good.proof, index=0),
            replace(good.proof, extra=b""),
            replace(good.proof, note=good.proof.note.replace(b"\n3\n", b"\n4\n")),
        ):
            assert watch.hears(replace(good, proof=proof)) is None
        assert watch.hears(good) == (5, NOW_S + 1)

    def test_other_rules_are_asked_anew(self, watch, tmp_path):
        watch.hears(answer(tmp_path / "c", watch.tree, NOW_S))
        assert watch.writer.witnessed(rules(RULES.replace("quorum = 2", "quorum = 3"))) is None
        assert watch.writer.witnessed(rules()).size == 5

    def test_the_collector_sends_it(self, tmp_path, city):
        """Of the newest leaf that the witnesses have cosigned, which is not the newest of all."""
        state, _ = a_witness(tmp_path / "w")
        for size in (5, 9):
            with open_log(log_of(tmp_path / str(size), size)) as log:
                since = tree(tmp_path / "5", 5) if size > 5 else None
                came = {DEVICE: [growth(log, since, AT + timedelta(hours=size))]}
            with city_log(city) as log:
                kept = Collection(city, log)
                done = collect(city, log, (), TRUSTED, HOUR_S, lambda: NOW_S, came)
                [(_, data)] = answers_to(city, done, kept)
            if size == 5:
                witnessed(state, city / "log/public.json", city / "log")
                [file] = state.glob("*.checkpoint")
                (city / "log/cosigned").write_bytes(file.read_bytes())
        found = parse_answer(data)
        assert found.collected.size == 9
        assert json.loads(found.proof.extra[32:])["size"] == 5
        [origin] = load_trusted_keys(city / "log/public.json").keys
        signed = verified_checkpoint(
            found.proof.note, origin, load_trusted_keys(city / "log/public.json").keys[origin]
        )
        assert signed.size >= 1


class TestClosing:
    def demand(self, camera):
        files = camera.city.files[TARGETS]
        files[CHARTER_PATH] += RULES.encode()
        camera.city.release(TARGETS)
        camera.city.online()
        camera.publish()

    def later(self, camera, days):
        camera.passes(days)
        camera.new_list()

    def hears(self, camera, folder, ahead_s=-2, **bad):
        """The camera's own log, as it is now, told by the city and cosigned now."""
        state = camera.settings.state / "watch"
        keys = load_trusted_keys(camera.settings.device / "public.json")
        _, signed = ProofMaker(state, keys).newest()
        at_s = int(camera.machine.real.timestamp())
        said = answer(folder, signed, at_s + ahead_s, **bad)
        camera.settings.receipts.mkdir(exist_ok=True)
        shown = camera.settings.receipts / "watch.collected"
        shown.unlink(missing_ok=True)
        shown.write_bytes(format_answer(said))

    def test_without_witnesses_it_stops_after_the_hours_and_with_them_goes_on(
        self, camera, monkeypatch, tmp_path, capsys
    ):
        self.demand(camera)
        camera.script[1] = lambda: self.later(camera, 2)
        camera.script[2] = lambda: self.later(camera, 1.5)
        camera.script[3] = lambda: self.hears(camera, tmp_path / "c1")
        camera.watch(monkeypatch, cars=4)
        assert len(released(camera)) == 3, "the third car passed while it was closed"
        [leaf] = leaves(camera.settings, "refusal")
        assert leaf["reason"] == "not-witnessed"
        assert "unwitnessed since" in leaf["what"]
        told = [leaf["outcome"] for leaf in leaves(camera.settings, "checkpoint")]
        assert told == ["demanded", "witnessed"]
        monkeypatch.undo()
        status.status(camera.settings.root / "platewarden.toml", as_json=False)
        text = capsys.readouterr().out
        assert "leaves witnessed by 2 of 3" in text
        assert "UNWITNESSED since" in text

    def test_starting_again_begins_no_new_hours(self, camera, monkeypatch):
        self.demand(camera)
        camera.watch(monkeypatch, cars=1)
        self.later(camera, 3.5)
        camera.watch(monkeypatch, cars=1)
        assert len(released(camera)) == 1
        assert [leaf["reason"] for leaf in leaves(camera.settings, "refusal")] == ["not-witnessed"]

    def test_a_witness_who_signs_years_ahead_keeps_no_camera_open(
        self, camera, monkeypatch, tmp_path
    ):
        self.demand(camera)
        ahead_s = 400 * 24 * HOUR_S
        camera.script[1] = lambda: self.hears(camera, tmp_path / "c", ahead_s=ahead_s)
        camera.script[2] = lambda: self.later(camera, 2)
        camera.script[3] = lambda: self.later(camera, 1.5)
        camera.script[4] = lambda: self.hears(camera, tmp_path / "c1")
        camera.watch(monkeypatch, cars=5)
        assert len(released(camera)) == 4, "the fourth car passed while it was closed"
        told = [leaf["outcome"] for leaf in leaves(camera.settings, "checkpoint")]
        assert told == ["demanded", "witnessed"], "who signs honestly later is heard"


class TestCharter:
    def test_it_says_which_log_who_how_many_and_how_long(self):
        found = rules()
        assert (found.log, found.log_key, found.close_after_s) == (CITY, RAW, 72 * HOUR_S)
        assert [one.name for one in found.policy.witnesses] == list(WITNESSES)
        assert rules("") is None
        assert rules(RULES.replace("close_after_hours = 72\n", "")).close_after_s is None

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("quorum = 2", "quorum = 4", "4 of 3 witnesses is no quorum"),
            ("quorum = 2", "", "quorum"),
            ("close_after_hours = 72", "close_after_hours = 3", "close_after_hours"),
            ("exampleville.gov/", "example.gov/", "the key's id does not fit"),
            ("example.org/w1+", "example.org/w9+", "not a witness's verifier key"),
            ("log = ", "more = 3\nlog = ", "more"),
        ],
    )
    def test_what_is_wrong_is_named(self, old, new, words):
        with pytest.raises(ConfigError) as refused:
            rules(RULES.replace(old, new))
        assert words in str(refused.value)
        assert "charter.toml" in str(refused.value)
