"""Opens the camera's own hotspot by NetworkManager, lets nothing through it to the city's network,
and closes it again.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.disk.atomic_file import private_folder, remove, write_atomic
from agent.errors import PlatewardenError
from agent.values import dataclass, field

CONNECTION = "platewarden-aim"
# NetworkManager's own folder for profiles that a restart forgets; readable by root alone
PROFILES = Path("/run/NetworkManager/system-connections")
PROFILE = """[connection]
id={name}
type=wifi
interface-name={interface}
autoconnect=false

[wifi]
mode=ap
ssid={ssid}

[wifi-security]
key-mgmt=wpa-psk
psk={password}

[ipv4]
method=shared

[ipv6]
method=disabled
"""
_PRINTABLE = re.compile(r"[ -~]+")
# NetworkManager's own choice for a shared connection
HOTSPOT_ADDRESS = "10.42.0.1"
TIMEOUT_S = 40.0
# NetworkManager's shared mode routes: without this, a phone on the hotspot could reach what the
# camera's cable leads to.
WALL = """table inet platewarden_aim {
  chain forward {
    type filter hook forward priority -10; policy accept;
    iifname "%(interface)s" drop; oifname "%(interface)s" drop;
  }
}
"""
UNWALL = "delete table inet platewarden_aim\n"


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended. `told`: the end of what it wrote to stderr."""

    code: int
    told: str


Run = Callable[[Sequence[str], str], Done]


@dataclass(frozen=True, slots=True)
class Hotspot:
    """One hotspot.

    `run(arguments, stdin)`: starts a program; tests give another. `profiles`: where NetworkManager
    looks for profiles.

    The password stands in a profile that only root can read, and in no argument list: those any
    user of the machine can see.
    """

    interface: str
    ssid: str
    password: str = field(repr=False)
    run: Run = field(default_factory=lambda: run_program)
    profiles: Path = PROFILES

    def open(self) -> None:
        """Wall first, hotspot after it.

        Raises PlatewardenError that says what is missing; nothing is left open then.
        """
        self.close()  # a hotspot that a power cut left as a profile
        self._must(["nft", "-f", "-"], WALL % {"interface": self.interface})
        try:
            private_folder(self.profiles)
            write_atomic(self._profile, self._text().encode())
            self._must(["nmcli", "connection", "load", str(self._profile)])
            self._must(["nmcli", "connection", "up", CONNECTION])
        except PlatewardenError:
            self.close()
            raise

    @property
    def _profile(self) -> Path:
        return self.profiles / f"{CONNECTION}.nmconnection"

    def _text(self) -> str:
        """The profile.

        A line end in a word would be a line of its own; a backslash and a space are written as key
        files want them.
        """
        words = {"interface": self.interface, "ssid": self.ssid, "password": self.password}
        for name, word in words.items():
            if not _PRINTABLE.fullmatch(word):
                raise PlatewardenError(
                    f"the hotspot's {name} holds other characters than printable ASCII",
                    where="hotspot",
                    fix="make the label again: platewarden aim --label label.svg",
                )
        written = {
            name: word.replace("\\", "\\\\").replace(" ", "\\s") for name, word in words.items()
        }
        return PROFILE.format(name=CONNECTION, **written)

    def close(self) -> list[str]:
        """Hotspot first, wall after it.

        What went wrong, in words: closing goes on. An absent hotspot is nothing wrong.
        """
        wrong = []
        for arguments, told, fine in (
            (["nmcli", "connection", "delete", CONNECTION], "", "unknown connection"),
            (["nft", "-f", "-"], UNWALL, "No such file"),
        ):
            try:
                done = self.run(arguments, told)
            except PlatewardenError as error:
                wrong.append(str(error))
                continue
            if done.code and fine.lower() not in done.told.lower():
                wrong.append(f"{arguments[0]}: {done.told}")
        try:
            if self.profiles.is_dir():
                remove(self._profile)
        except PlatewardenError as error:
            wrong.append(str(error))
        return wrong

    def close_telling(self) -> None:
        """Close it and say on stderr what did not close: it must not stay open unnoticed."""
        for wrong in self.close():
            # Printed, because the journal must show it.
            print(f"platewarden: the hotspot may still be open: {wrong}", file=sys.stderr)  # noqa: T201

    def _must(self, arguments: Sequence[str], told: str = "") -> None:
        done = self.run(arguments, told)
        if done.code:
            # nmcli may repeat what it read
            what = f"{arguments[0]} refused ({done.code}): {done.told.replace(self.password, '…')}"
            raise PlatewardenError(
                what,
                where=f"hotspot on {self.interface}",
                fix="`nmcli device` shows the radio; it needs root, or the unit",
            )


def run_program(arguments: Sequence[str], told: str) -> Done:
    """Run it for real. Raises PlatewardenError where it is not installed or does not end."""
    program = shutil.which(arguments[0])
    if program is None:
        package = {"nmcli": "network-manager", "nft": "nftables"}.get(arguments[0], arguments[0])
        raise PlatewardenError(
            f"{arguments[0]} is not installed: the camera cannot open a hotspot",
            where="hotspot",
            fix=f"sudo apt install {package}",
        )
    try:
        ended = subprocess.run(  # noqa: S603 - no shell, our own words
            [program, *arguments[1:]],
            input=told,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env={"LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise PlatewardenError(
            f"{arguments[0]} did not end within {TIMEOUT_S:g} s",
            where="hotspot",
            fix="is NetworkManager running?",
        ) from None
    return Done(ended.returncode, " ".join(ended.stderr.split())[-200:])
