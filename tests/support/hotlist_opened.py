"""Opens what a city has published, as a camera does, down to the plain bytes."""

import pyrage

from agent.bundles.hotlist_keys import key_for


def list_key(folder, own):
    """The list's key, out of the group's file that a camera holds; its own key where there is none.

    `own`: the camera's identity.
    """
    for file in (folder / "cameras").glob("*.keys"):
        sealed = key_for(file.read_bytes(), str(own.to_public()))
        if sealed is not None:
            return pyrage.x25519.Identity.from_str(pyrage.decrypt(sealed, [own]).decode())
    return own


def opened_file(folder, own, name="hotlist.age"):
    """The plain bytes of a file in a generation's city folder."""
    return bytes(pyrage.decrypt((folder / name).read_bytes(), [list_key(folder, own)]))
