"""What the start of a camera's commands costs, beside an older build: `python -m bench.start`
(docs/ref/bench.md).

Builds take turns, each start in a fresh process with compiled files, as a package installs them.
Each build makes the camera that it starts on: enrolled, and with nothing new in its bundles.
"""

import argparse
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from bench.one_run import report_beside_base
from bench.stream.builds import COMMIT, ROOT, base_options

READY_S = 120.0
CAMERA = """
import sys
from pathlib import Path
from tests.support.camera_rig import camera_rig
from tests.support.signed_camera import signed_camera
rig = camera_rig(Path(sys.argv[1]), 1)
signed_camera(rig)
"""


def environment(**more):
    """Compiled files count as installed; nothing else of this shell's Python does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "NO_COLOR": "1", **more}


def command(*arguments):
    return [sys.executable, "-m", "agent", *map(str, arguments)]


def made_camera(build, folder):
    """An enrolled camera of that build, whose watch has taken its bundles in."""
    compiled = [sys.executable, "-m", "compileall", "-q", "agent", "models"]
    subprocess.run(compiled, cwd=build, check=True)
    script = [sys.executable, "-c", CAMERA, folder]
    subprocess.run(script, cwd=build, env=environment(PYTHONPATH=str(build)), check=True)
    watched(build, folder)
    return folder


def spent(build, *arguments):
    """CPU and wall seconds of a command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        command(*arguments),
        cwd=build,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, ended - begun


def watched(build, folder):
    """CPU and wall seconds until watch says that it works: READY, once its line is built.

    An enrolled camera says READY twice: before it has looked for bundles, and once it works.
    """
    address = str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(READY_S)
        arguments = ("watch", "--config", folder / "work/platewarden.toml", "--source")
        begun = time.monotonic()
        process = subprocess.Popen(
            command(*arguments, folder / "frames"),
            cwd=build,
            env=environment(NOTIFY_SOCKET=address),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ready = 0
        while ready < 2:
            ready += notify.recv(4096) == b"READY=1"
        wall_s = time.monotonic() - begun
        cpu_s = time.clock_gettime(cpu_clock(process.pid))
        process.send_signal(signal.SIGTERM)
        process.wait(READY_S)
    Path(address).unlink()
    return cpu_s, wall_s


def cpu_clock(pid):
    """The clock of a process's CPU time, in nanoseconds (clock_getcpuclockid(3)): what /proc tells
    is in hundredths of a second.
    """
    return (~pid << 3) | 2


def one_round(build, folder):
    """{command: (CPU s, wall s)}"""
    config = folder / "work/platewarden.toml"
    return {
        "--version": spent(build, "--version"),
        "status": spent(build, "status", "--config", config),
        "watch, until ready": watched(build, folder),
    }


def medians(rounds):
    """{command: {cpu_ms, wall_ms}}"""
    return {
        what: {
            name: round(1000 * statistics.median(one[what][index] for one in rounds), 1)
            for index, name in enumerate(("cpu_ms", "wall_ms"))
        }
        for what in rounds[0]
    }


def measured(options, made, base):
    """Medians of each build, and ours as shares of the older one's."""
    builds = {"here": ROOT} | ({COMMIT: base} if base else {})
    cameras = {name: made_camera(build, made / name) for name, build in builds.items()}
    rounds = {name: [] for name in builds}
    with Console(stderr=True).status("starting"):
        for _ in range(options.rounds):
            for name, build in builds.items():
                rounds[name].append(one_round(build, cameras[name]))
    found = {name: medians(of) for name, of in rounds.items()}
    here, then = found["here"], found.get(COMMIT, {})
    found["ratio"] = {
        what: {name: round(here[what][name] / value, 3) for name, value in figures.items()}
        for what, figures in then.items()
    }
    return {"load": os.getloadavg()[0], "rounds": options.rounds} | found


def main():
    """Measure, then print as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="of each build (15)")
    base_options(parser)
    report_beside_base(measured, parser.parse_args())


if __name__ == "__main__":
    main()
