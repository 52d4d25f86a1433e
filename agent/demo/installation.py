"""Sets up what the demo runs: a camera with keys and settings, a recipient with keys, enrolled by
the throwaway city.
"""

import datetime as dt
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pyrage

from agent.core.text.strict_json import public_jwk
from agent.core.wire.enrolment import Enrolment, format_enrolment
from agent.demo import throwaway_city as demo_city
from agent.demo.embedded_broker import LOOPBACK, free_port
from agent.demo.pki import ServerIdentity
from agent.demo.throwaway_city import City
from agent.disk.atomic_file import write_atomic
from agent.errors import PlatewardenError
from agent.mqtt.client_request import make_request
from agent.sealing import device_keys
from agent.values import dataclass
from agent.verifying.device_public_file import load_device_public

CAMERA = "cam-01"
COMMAND_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Installation:
    """Where everything of one demo lies.

    `port`: of the listed broker on loopback; `policy_text`: as the camera has it.
    """

    work: Path
    city: City
    server: ServerIdentity
    port: int
    policy_text: str

    @property
    def settings(self) -> Path:
        return self.work / "platewarden.toml"

    @property
    def recipient(self) -> Path:
        return self.work / "recipients" / demo_city.RECIPIENT

    @property
    def state(self) -> Path:
        return self.work / "state"

    @property
    def log(self) -> Path:
        """Where the children's own output goes: part of what is searched for plates."""
        return self.work / "output.log"


def install(
    work: Path, now: dt.datetime, wanted: Sequence[str], recovered: Sequence[str] = ()
) -> Installation:
    """Make keys, policy, roster and settings below `work`.

    `wanted`, `recovered`: fictitious plates for the hot list, the latter with entries that ended.
    """
    city = demo_city.found(work / "city", now.date(), tuple(wanted), tuple(recovered))
    server, port = city.authority.issue(demo_city.HOST, work / "broker", "server"), free_port()
    public = device_keys.create(work / "device", CAMERA)
    demo_city.enrol(city, CAMERA, dict(public_jwk("Ed25519", public.seal)), now)
    recipient = work / "recipients" / demo_city.RECIPIENT
    signing_key = create_recipient(recipient, city, port)
    policy_text = city.policy(
        recipient=demo_city.RECIPIENT, signing_key=signing_key, broker=server, port=port
    )
    (work / "city" / "policy.toml").write_text(policy_text, encoding="utf-8")
    (work / "platewarden.toml").write_text(f'camera_id = "{CAMERA}"\n', encoding="utf-8")
    return Installation(work, city, server, port, policy_text)


def command(*arguments: str) -> list[str]:
    """`platewarden ARGUMENTS…` with this interpreter."""
    return [sys.executable, "-m", "agent", *arguments]


def environment() -> dict[str, str]:
    """The children's environment: plain output, unbuffered so that READY is seen at once."""
    return {**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def platewarden(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one Platewarden command as a user would, with this interpreter.

    Raises PlatewardenError when it fails and `check` is set.
    """
    done = subprocess.run(
        command(*map(str, arguments)),
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        env=environment(),
    )
    if check and done.returncode != 0:
        raise PlatewardenError(
            f"`platewarden {' '.join(map(str, arguments[:2]))}` ended with {done.returncode}: "
            f"{done.stderr.strip()}"
        )
    return done


def create_recipient(folder: Path, city: City, port: int) -> str:
    """Make a recipient's keys and settings with the ordinary command, exchange public files with
    the city; returns its signing key.
    """
    host_and_ca = ("--host", demo_city.HOST, "--ca", "broker-ca.pem")
    made = platewarden(
        "receiver",
        "init",
        folder,
        "--recipient",
        demo_city.RECIPIENT,
        "--address",
        LOOPBACK,
        "--port",
        str(port),
        *host_and_ca,
    )
    for name in ("root.json", "roster.jws"):
        shutil.copy(city.folder / name, folder / name)
    shutil.copy(city.folder / "ca" / "city-hall-ca.pem", folder / "broker-ca.pem")
    shutil.copy(folder / "key-list.jws", city.folder / "keys" / f"{demo_city.RECIPIENT}.jws")
    printed: str = tomllib.loads(made.stdout.splitlines()[0])["signing_key"]
    return printed


def enrolment_of(installation: Installation) -> Path:
    """The street's camera as a city enrols it: what its keys say, signed by it. Its hot list is not
    sealed, so that its key for that is made here and forgotten.
    """
    device = installation.work / "device"
    public = load_device_public(device)
    _, request = make_request(public.device)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    age = str(pyrage.x25519.Identity.generate().to_public())
    enrolment = Enrolment(public, age, request.decode("ascii"), now)
    path = installation.work / "enrolment.json"
    write_atomic(
        path, format_enrolment(enrolment, device_keys.load_sealing_key(device).sign), 0o644
    )
    return path
