"""What the commands that a camera runs load: nothing that this run does not need. The figures are
`python -m bench.start`'s.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.camera_rig import TIMEOUT_S, camera_rig
from tests.support.signed_camera import signed_camera

# Each took a tenth of the start of `status`, or more, and nothing in it asks for them.
NEVER = {
    *("rich", "tuf", "securesystemslib", "pkcs11", "asyncio", "http", "requests", "urllib3"),
    # `software apply` unpacks and compiles; who tells of versions does neither
    *("tarfile", "compileall", "agent.disk.deb_file"),
    # a plain line is taken without it (agent/commands/plain_line.py)
    "typer",
    "difflib",  # for whoever mistyped a name
    *("importlib.resources", "zipfile"),  # what lies beside our code is read by its path
    *("statistics", "uuid"),  # 2 ms each, for one line
    *("joserfc", "cryptography.x509"),  # sealing and checking need the primitives alone
}
OF_STATUS = NEVER | {
    *("pydantic", "pydantic_core", "numpy", "cv2", "onnxruntime", "pyrage", "av"),
    *("paho", "psycopg", "agent.core.policy.charter", "agent.sides.watch"),
    "dataclasses",  # a value's class needs none of it (agent/values/)
    *("agent.core.reading", "agent.core.hotlist", "agent.sealing", "agent.storage.audit_log"),
}
OF_WATCH = NEVER | {
    *("pydantic", "pydantic_core", "av", "paho", "psycopg", "agent.bundles.hotlist_file"),
    *("agent.core.hotlist.intake.list_import", "agent.core.hotlist.intake.ncic", "agent.mqtt"),
}
RUN = """
import json, os, sys
from agent.cli import main
try:
    main({arguments})
except SystemExit as end:
    code = end.code
threads = len(os.listdir("/proc/self/task"))
print(json.dumps([code or 0, threads, sorted(sys.modules)]), file=sys.__stderr__)
"""


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """Enrolled, and its watch has run once: nothing is new to it."""
    rig = camera_rig(tmp_path_factory.mktemp("camera"), frames=1)
    signed_camera(rig)
    assert rig.watch("--quiet").returncode == 0
    return rig


def loaded(*arguments):
    """The modules of a process that has done this."""
    return ended(*arguments)[1]


def ended(*arguments):
    """How many threads such a process has at its end, and its modules."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(arguments=list(map(str, arguments)))],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    code, threads, names = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return threads, set(names)


def test_status_loads_what_it_shows_and_no_more(camera):
    config = camera.installation.settings
    for more in ((), ("--json",)):
        assert not loaded("status", "--config", config, *more) & OF_STATUS


def test_watch_loads_what_it_looks_with_and_no_more(camera):
    config, frames = camera.installation.settings, camera.frames
    threads, names = ended("watch", "--quiet", "--config", config, "--source", frames)
    assert threads == 1  # numpy's BLAS starts one for each core, unless told otherwise
    assert {"numpy", "cv2", "onnxruntime"} <= names  # it looked
    assert not names & OF_WATCH


def test_the_version_loads_no_command():
    names = loaded("--version")
    assert not names & (OF_STATUS | OF_WATCH)
    assert not {name for name in names if name.startswith("agent.sides")}


def test_a_camera_without_a_list_loads_no_masked_arrays():
    code = (
        "import sys; from datetime import date; "
        "from agent.bundles.hotlist_sealed import no_hotlist; "
        "no_hotlist(date(2026, 11, 29)); sys.exit('numpy.ma' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_camera_opens_the_networks_that_every_plate_asks(monkeypatch):
    from agent.vision import model_loader, models

    opened, checked = [], models._checked
    monkeypatch.setattr(models, "_opened", lambda _model, where, _threads: opened.append(where))
    seen = []
    monkeypatch.setattr(models, "_checked", lambda *what: seen.append(what[0]) or checked(*what))
    model_loader.load_vision(seldom_later=True)
    assert {Path(where).stem for where in opened} == set(seen) - model_loader.SELDOM
    assert len(seen) == 7


def test_the_manifest_of_the_networks_is_read_once(monkeypatch):
    from agent.vision import model_loader, models

    read, plain = [], models._read
    monkeypatch.setattr(models, "_read", lambda *what: read.append(what[1]) or plain(*what))
    model_loader.load_vision()
    assert sorted(read) == sorted({*read})
    assert models.MANIFEST in read
