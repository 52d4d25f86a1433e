"""`bundle publish` killed at any file operation, and its folder copied or restored at that instant:
a camera finds the old repository or the new one, whole, and the next publish goes on.
"""

import shutil

import pytest

from tests.support import killed_at
from tests.support.clerk_city import LATER, NEXT_DAY, camera
from tests.support.killed_at import ran_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_disk")]


@pytest.fixture
def ready(open_desk):
    """A new policy, signed by enough and not yet published; the first publication was version 1."""
    open_desk.edit("policy.toml", "version = 7", "version = 8")
    for who in ("dora", "eli"):
        assert open_desk.sign(who).code == 0
    return open_desk


def published_until(desk, nth, *more):
    """Publish in a process that dies before its n-th file operation in the city or the copy."""
    return ran_until(nth, desk.folder, lambda: desk.publish(*more, on=LATER))


def operations(desk, tmp_path, *more):
    """How many changes of files a whole publish makes."""
    trial = tmp_path / "trial"
    shutil.copytree(desk.folder, trial)
    other = type(desk)(trial, desk.capture)
    found = killed_at.operations(trial, lambda: other.publish(*more, on=LATER))
    shutil.rmtree(trial)
    return found


@pytest.mark.timeout(600)
def test_killed_at_any_file_operation(ready, tmp_path):
    kept = shutil.copytree(ready.folder, tmp_path / "kept")
    total = operations(ready, tmp_path)
    assert total > 10, total
    seen = []
    for nth in range(total):
        shutil.rmtree(ready.folder)
        shutil.copytree(kept, ready.folder)
        assert not published_until(ready, nth), f"{nth} of {total}"
        seen.append(camera(ready, LATER).versions["policy"])
        copied = shutil.copytree(ready.folder, tmp_path / "copied")  # a backup of that instant
        done = ready.publish("--renew", on=NEXT_DAY)
        assert done.code == 0, f"{nth} of {total}: {done.err}"
        assert camera(ready, NEXT_DAY).versions["policy"] == 2
        shutil.rmtree(ready.folder)
        copied.rename(ready.folder)  # restored: as if the power had failed
        assert ready.publish("--renew", on=NEXT_DAY).code == 0
        assert camera(ready, NEXT_DAY, folder="restored").versions["policy"] == 2
    assert seen == sorted(seen), "never back"
    assert set(seen) == {1, 2}


@pytest.mark.timeout(600)
def test_a_stick_that_is_pulled_at_any_file_operation(ready, tmp_path):
    """The copy is the old one or the new one; it is finished by the next publish."""
    stick = ready.folder / "stick"
    assert ready.publish("--renew", "--to", stick).code in {0, 3}
    kept = shutil.copytree(ready.folder, tmp_path / "kept")
    total = operations(ready, tmp_path, "--renew", "--to", stick)
    for nth in range(0, total, max(1, total // 15)):
        shutil.rmtree(ready.folder)
        shutil.copytree(kept, ready.folder)
        published_until(ready, nth, "--renew", "--to", stick)
        on_stick = type(ready)(ready.folder, ready.capture)
        shutil.rmtree(ready.repository)
        shutil.copytree(stick, ready.repository)
        assert camera(on_stick, LATER, folder="by-stick").versions["policy"] in {1, 2}
        done = ready.publish("--renew", "--to", stick, on=NEXT_DAY)
        assert done.code in {0, 3}, done.err
