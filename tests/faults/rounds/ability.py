"""May this user, on this machine, make namespaces, disks and walls? Tried once, before anything
starts.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = ("ip", "nft", "mkfs.ext4", "chattr", "mount", "umount", "unshare")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing() -> str:
    """What is missing for the whole of the rounds, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    os.environ["PATH"] = _PATH  # a shell of `su` may lack the folders of root's programs
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"needs the program {program}"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs /dev/net/tun"
    if not _done("unshare", "--net", "ip", "link", "set", "lo", "up"):
        return "needs network namespaces"
    if not _done("unshare", "--net", "nft", "add", "table", "inet", "platewarden"):
        return "needs nftables in the kernel"
    return "" if _mounts() else "needs loop devices and ext4"


def _mounts() -> bool:
    with tempfile.TemporaryDirectory(prefix="platewarden-ability-") as folder:
        image, place = Path(folder) / "image", Path(folder) / "place"
        place.mkdir()
        with image.open("wb") as made:
            made.truncate(4 << 20)
        return (
            _done("mkfs.ext4", "-q", str(image))
            and _done("mount", "-o", "loop", str(image), str(place))
            and _done("umount", str(place))
        )


def _done(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
