"""Killed, or with the power pulled, at two dozen instants of a trial: the camera runs one whole
signed version, keeps what it keeps, and goes on from there.
"""

import pytest

from agent.software.memory_file import read_memory
from tests.support.killed_at import operations, ran_until
from tests.support.software_camera import BROKEN, software_camera

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_disk")]


@pytest.mark.parametrize("spoilt", ["", BROKEN])
@pytest.mark.parametrize("power", [True, False])
def test_killed_or_unplugged_at_two_dozen_instants(tmp_path, spoilt, power):
    (tmp_path / "counted").mkdir()
    first = software_camera(tmp_path / "counted")
    first.release("1.4.0", spoilt)
    many = operations(first.folder, first.software.apply)
    assert many >= 20
    chosen = sorted({round(step * (many - 1) / 23) for step in range(24)})
    assert len(chosen) >= 20
    ended = set()
    for nth in chosen:
        folder = tmp_path / f"at-{nth}"
        folder.mkdir()
        camera = software_camera(folder)
        camera.release("1.4.0", spoilt)
        assert not ran_until(nth, folder, camera.software.apply)
        assert camera.runs() in {"1.0.0", "1.4.0", "failed" if spoilt else "1.0.0"}
        if power:
            camera.power_cut()
        else:
            camera.software.settle(booting=False)
        runs = camera.units.said
        memory = read_memory(camera.software.store.folder)
        assert memory.trial is None
        assert not (camera.run / "trial").exists()
        assert runs == camera.runs() == str(camera.software.store.confirmed().version)
        assert runs in ({"1.0.0"} if spoilt else {"1.0.0", "1.4.0"})
        camera.require_kept()
        ended.add(runs)
        done = camera.software.apply()  # and it goes on from there
        assert (done.refused is None) == (not spoilt)
        assert camera.runs() == ("1.0.0" if spoilt else "1.4.0")
    assert "1.0.0" in ended
