"""SIGKILL at random instants while a camera takes bundles in: it obeys the old policy or the new
one, whole, and what it has verified never goes back.
"""

import os
import random
import signal
import time
from datetime import timedelta

import pytest

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation import METADATA
from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import POLICY_PATH, TIMESTAMP
from agent.bundles.refusal_words import verified
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.errors import RefusedError
from agent.settings import Limits
from tests.support.bundle_city import POLICY, BundleCity

pytestmark = pytest.mark.slow
KILLS = 100
HOUR = timedelta(hours=1)


def killed_after(seconds, work) -> bool:
    """Run `work` in a process of its own, and kill it. True when it was done before."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def change_budget(city, text, most):
    """Another policy, by which so many reads may leave in an hour."""
    current = next(line for line in text.splitlines() if line.startswith(b"max_per_hour"))
    was = current.split(b"  ")[0].split(b" #")[0].rstrip()
    city.edit_policy(was, f"max_per_hour = {most}".encode())


@pytest.mark.timeout(600)
def test_killed_at_a_hundred_instants(tmp_path):
    seed = int(os.environ.get("PLATEWARDEN_SEED", "20261122"))
    chance, city = random.Random(seed), BundleCity()
    store = BundleStore(tmp_path / "bundles", city.anchor(tmp_path), Limits(), rig=False)
    inbox, first = city.write(tmp_path / "in"), city.published["metadata/timestamp.json"]
    began = time.monotonic()
    store.take_in(inbox, Instant(city.now + HOUR))
    # The window follows the machine: half of the kills should come too late.
    window_s = time.monotonic() - began
    texts = {1: city.files[POLICY][POLICY_PATH]}
    kept = {"old": 0, "new": 0}
    interrupted, newest = 0, 1
    for number in range(KILLS):
        offered = city.metadata[TIMESTAMP].signed.version
        if newest == offered:
            change_budget(city, texts[newest], number % 50 + 100)
            city.write(inbox)
            offered = city.metadata[TIMESTAMP].signed.version
            texts[offered] = city.files[POLICY][POLICY_PATH]
        now = Instant(city.now + HOUR)
        interrupted += not killed_after(
            chance.uniform(0, window_s), lambda now=now: store.take_in(inbox, now)
        )
        generation = store.current()
        version = generation.versions[TIMESTAMP]
        assert version in {newest, offered}, (
            f"went back from {newest} to {version} (PLATEWARDEN_SEED={seed}, kill {number})"
        )
        assert (generation.city / "policy.toml").read_bytes() == texts[version]
        assert verified(generation.folder / METADATA, TIMESTAMP).signed.version == version
        CityFolder(generation.city).obeyed()
        kept["new" if version == offered else "old"] += 1
        window_s *= 0.9 if version == offered else 1.1
        newest = version
    assert interrupted > KILLS // 4, "most updates ended before they were killed: nothing was shown"
    assert min(kept.values()) > 10, kept
    city.published["metadata/timestamp.json"] = first
    with pytest.raises(RefusedError) as refused:
        store.take_in(city.write(inbox), Instant(city.now + HOUR))
    assert refused.value.reason == Reason.BUNDLE_ROLLBACK
