"""Cities on disk for the tests of `bundle` and `hotlist publish`, and an installed camera: made
once, copied for each test.
"""

import pytest

from tests.support.clerk_city import copied, found, publish_first


@pytest.fixture(scope="session")
def cities(tmp_path_factory):
    """Where what was made is kept."""
    return tmp_path_factory.mktemp("cities")


@pytest.fixture
def desk(cities, tmp_path, capsys):
    """Founded, signed by nobody."""
    return copied(cities, "founded", tmp_path, capsys, lambda folder: found(folder, capsys))


@pytest.fixture
def open_desk(cities, tmp_path, capsys):
    """Published once."""
    return copied(
        cities, "published", tmp_path, capsys, lambda folder: publish_first(found(folder, capsys))
    )


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A camera, as the demo installs it; to be looked at and copied only."""
    from tests.support.camera_rig import camera_rig  # the emulated tree has no demo

    return camera_rig(tmp_path_factory.mktemp("rig"), frames=1)
