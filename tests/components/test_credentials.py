"""Keys as systemd hands them to a unit: found before the file, and refused where others could read
them.
"""

import pytest

from agent.disk.private_file import read_private
from agent.errors import StorageError
from agent.sealing.device_keys import SEAL_KEY, WATCH_LOG_KEY, create, load_sealing_key
from agent.storage.log_key import load_signing_key

LOADERS = {
    SEAL_KEY: load_sealing_key,
    WATCH_LOG_KEY: lambda folder: load_signing_key(folder / WATCH_LOG_KEY),
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A device whose keys lie in the unit's credentials, with the modes that systemd 257 gives
    them, and nowhere else.
    """
    device, credentials = tmp_path / "device", tmp_path / "credentials"
    create(device, "cam-01")
    credentials.mkdir()
    for name in LOADERS:
        (device / name).rename(credentials / name)
        # Owned by root. The group's right is the mask of an access list that names one user.
        (credentials / name).chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    return device, credentials


@pytest.mark.parametrize("name", LOADERS)
def test_a_credential_is_taken_with_its_access_list(given, name):
    device, credentials = given
    LOADERS[name](device)
    assert read_private(credentials / name)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("mode", [0o444, 0o460, 0o441])
def test_a_credential_that_others_can_use_is_refused(given, name, mode):
    device, credentials = given
    (credentials / name).chmod(mode)
    with pytest.raises(StorageError, match="chmod 600"):
        LOADERS[name](device)


@pytest.mark.parametrize("name", LOADERS)
def test_a_file_beside_the_credentials_has_no_such_licence(given, name, monkeypatch, tmp_path):
    device, credentials = given
    (credentials / name).rename(device / name)
    with pytest.raises(StorageError, match="chmod 600"):
        LOADERS[name](device)
