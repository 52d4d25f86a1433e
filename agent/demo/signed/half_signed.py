"""A policy that one of two holders signed, pushed by somebody who has the city's daily key as well:
a camera on signed bundles keeps the old one (P5).
"""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from agent.bundles.repository.assembly import Candidate, sign_online
from agent.bundles.repository.published import CityRepository
from agent.bundles.repository.signing_keys import load_signer
from agent.bundles.repository.writer import publish
from agent.core.reasons import Reason
from agent.demo import throwaway_city as demo_city
from agent.demo.demo_page import Attempt
from agent.demo.installation import Installation, enrolment_of, platewarden
from agent.errors import PlatewardenError

SIGNERS = ("rig-1", "rig-2")  # of three; any two are enough
SIGNED = "attempt-signed"
BEFORE = "before"  # the archive as it was before the push
OTHER_CAMERA = "cam-02"
_LISTED = """
[[camera]]
id = "cam-02"
stands = "beside the first, on signed bundles"
near = []
mount = "fixed"
"""


def push_half_signed(installation: Installation) -> tuple[Attempt, bool]:
    """What was tried; and whether it was refused as it must be: in the camera's log with the one
    signer's name, while the old policy stays in force.
    """
    folder = installation.work / SIGNED
    city, camera = folder / "city", folder / "camera"
    _found(installation, city, camera)
    _obey(city, camera)
    shutil.copytree(city / "repository", before_the_push(installation) / "repository")
    pushed = demo_city.with_recipient(
        installation.policy_text,
        demo_city.NEIGHBOUR,
        "Example County Sheriff",
        purpose="stolen-vehicle-recovery",
        basis="Ordinance 2026-14, section 5",
    )
    (city / "policy.toml").write_text(pushed, encoding="utf-8")
    _sign(city, SIGNERS[0])
    _publish_regardless(city)
    _obey(city, camera)
    refusals = [
        leaf for leaf in _leaves(camera) if leaf.get("reason") == Reason.BUNDLE_SIGNATURE_THRESHOLD
    ]
    told = (
        str(refusals[-1]["what"]).removeprefix("bundles: ")
        if refusals
        else "the log has no such refusal"
    )
    state = json.loads(
        platewarden("status", "--config", camera / "platewarden.toml", "--json").stdout
    )
    kept = state["processes"]["watch"]["policy"]["version"]
    attempt = Attempt(
        "A pushed policy that adds the county sheriff, which the charter permits, "
        "signed by one holder of the two whom it takes",
        Reason.BUNDLE_SIGNATURE_THRESHOLD,
        f"The camera's log says who signed: {told}. It still obeys version {kept}.",
    )
    return attempt, kept == 1 and "Rig signer 1" in told and "Rig signer 2" not in told


def before_the_push(installation: Installation) -> Path:
    """A folder with the archive of the demo's city, in which everything was signed by enough."""
    return installation.work / SIGNED / BEFORE


def _found(installation: Installation, city: Path, camera: Path) -> None:
    """A city with the demo's own policy, made, signed by two and published with the ordinary
    commands; the street's camera is enrolled in it, and another one beside it.
    """
    city.mkdir(parents=True)
    for name in ("policy.toml", "charter.toml", "roster.toml"):
        shutil.copy(installation.city.folder / name, city / name)
    with (city / "roster.toml").open("a", encoding="utf-8") as roster:
        roster.write(_LISTED)
    shutil.copytree(installation.city.folder / "ca", city / "ca")
    platewarden("bundle", "init", "--rig", "--city", city)
    camera.mkdir()
    (camera / "platewarden.toml").write_text(
        f'camera_id = "{OTHER_CAMERA}"\nrig = true\n', encoding="utf-8"
    )
    platewarden(
        "provision",
        "--config",
        camera / "platewarden.toml",
        "--anchor",
        city / "repository/metadata/1.root.json",
    )
    _sign(
        city,
        SIGNERS[0],
        "--enrol",
        camera / "device/enrolment.json",
        "--enrol",
        enrolment_of(installation),
        "--roster-key",
        city / "rig-keys/roster.pem",
    )
    _sign(city, SIGNERS[1])
    platewarden("bundle", "publish", "--city", city, "--key", city / "rig-keys/online.pem")


def _sign(city: Path, signer: str, *more: str | Path) -> None:
    platewarden(
        "bundle", "sign", "--city", city, "--key", city / f"rig-keys/{signer}.pem", "--yes", *more
    )


def _publish_regardless(city: Path) -> None:
    """What `bundle publish` refuses to do, done with the library that it stands on, as a thief of
    the daily key would.
    """
    repository = CityRepository(city)
    published, pending = repository.published(), repository.pending()
    if published is None or "policy" not in pending:
        raise PlatewardenError(
            "the demo's signed city is not as it was made", where=city, fix="please report this"
        )
    delegated = {**published.delegated, "policy": pending["policy"].metadata}
    candidate = Candidate(published, published.root, published.targets, delegated, pending, {})
    files = sign_online(
        repository,
        candidate,
        load_signer(str(city / "rig-keys/online.pem"), lambda _what: ""),
        datetime.now(UTC),
    )
    publish(city / "repository", files.metadata, files.targets, files.timestamp)


def _obey(city: Path, camera: Path) -> None:
    """Bring the bundles to the camera, and let it look at one empty frame: long enough to verify
    what came.
    """
    frames = camera / "frames"
    frames.mkdir(exist_ok=True)
    cv2.imwrite(str(frames / "empty.png"), np.full((360, 640, 3), 90, np.uint8))
    platewarden("update", city / "repository", "--config", camera / "platewarden.toml")
    platewarden("watch", "--config", camera / "platewarden.toml", "--source", frames)


def _leaves(camera: Path) -> list[dict[str, object]]:
    with closing(
        sqlite3.connect(f"file:{camera / 'state/watch/log.sqlite'}?mode=ro", uri=True)
    ) as connection:
        return [
            json.loads(details)
            for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]
