"""A machine of its own for the units: the trixie tree, booted by systemd-nspawn with systemd as PID
1, behind a bridge; kept over reboots and kills.

All of it lives in the namespaces that run.sh made (network, mounts, processes, a control group),
and vanishes with them.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.boot import lay_out

NAME, BRIDGE, GROUPS = "pwboot", "pwbr", Path("/sys/fs/cgroup")
LISTED, UNLISTED, OWN = "10.213.0.1", "10.213.0.2", "10.213.0.7"
LISTED6, UNLISTED6, OWN6 = "fd21:3::1", "fd21:3::2", "fd21:3::7"
UP_WITHIN_S, DOWN_WITHIN_S = 60.0, 40.0
WANTS_A_RESTART = 133  # systemd-nspawn(1), --keep-unit
# What a camera's own PID 1 has, and nspawn withholds.
BPF = ("--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN", "--system-call-filter=bpf")
_NETWORK = f"""\
[Match]
Name=host0
[Network]
Address={OWN}/24
Address={OWN6}/64
LinkLocalAddressing=no
IPv6AcceptRA=no
[Link]
RequiredForOnline=yes
"""
# A container has no timesyncd, the kernel's clock being its host's. This stands for timesyncd
# having synchronised it.
_TIMESYNCD = (
    "d /run/systemd/timesync 0755 root root -\n"
    "f /run/systemd/timesync/synchronized 0644 root root -\n"
)


def run(*words: str | Path, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """A command that must work."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, (
        f"{words[0]} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    )
    return done


def bridge() -> None:
    """The city's network: two addresses on this side, of which the policy lists one."""
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    for address in (f"{LISTED}/24", f"{UNLISTED}/24"):
        run("ip", "address", "add", address, "dev", BRIDGE)
    for address in (f"{LISTED6}/64", f"{UNLISTED6}/64"):
        run("ip", "address", "add", address, "dev", BRIDGE, "nodad")
    run("ip", "link", "set", BRIDGE, "up")


def slowness() -> float:
    """Wall time over CPU time of a little work: 1 on an idle machine, 2 where neighbours take half
    of every core; no more than that is excused.
    """
    wall, cpu = time.monotonic(), time.process_time()
    while time.process_time() - cpu < 0.5:
        pass
    return min(2.0, max(1.0, (time.monotonic() - wall) / (time.process_time() - cpu)))


class Machine:
    """`root`: its file system, while it is down or up. `up_s`: how long the last boot took, from
    power-on until the units were active; `slow`: `slowness` just before it.
    """

    def __init__(self, base: Path, work: Path, beneath: Path | None = None) -> None:
        """`base`: what build_tree.sh made, never changed; `beneath`: another tree of the same
        suite, seen where `base` has nothing.
        """
        self.root = work / "root"
        self._nspawn = None
        self.leader = 0
        self.up_s = 0.0
        self.slow = 1.0
        for name in ("root", "upper", "workdir"):
            (work / name).mkdir(parents=True)
        self._log = work / "nspawn.log"
        lower = ":".join(str(tree) for tree in (base, beneath) if tree)
        folders = f"lowerdir={lower},upperdir={work / 'upper'},workdir={work / 'workdir'}"
        run("mount", "-t", "overlay", "overlay", "-o", folders, self.root)
        self.write("etc/systemd/network/10-host0.network", _NETWORK)
        self.write("etc/tmpfiles.d/timesyncd-stand-in.conf", _TIMESYNCD)
        self.write("etc/hostname", "rig\n")

    def write(self, path: str, text: str) -> Path:
        """A file in the tree while it is down."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def install(self, packages: Path | None) -> None:
        """The camera's package: from a folder of packages by apt, or laid out from this working
        tree as debian/rules does.
        """
        if packages is None:
            lay_out.ours(self.root)
            self._chroot(
                "python3", "-m", "compileall", "-q", "-j", "1", "/usr/lib/platewarden/agent"
            )
        else:
            shutil.rmtree(self.root / "usr/lib/platewarden")
            (package,) = packages.glob("platewarden_*_amd64.deb")
            shutil.copy(package, self.root / "platewarden.deb")
            self._chroot("dpkg", "--install", "/platewarden.deb", timeout=300)
        self._chroot("systemctl", "enable", "systemd-networkd", "systemd-networkd-wait-online")

    def enable(self, *units: str) -> None:
        """Start at boot from now on, as the installer's guide says."""
        self._chroot("systemctl", "enable", *units)

    def start(self) -> None:
        """Power on, and wait until PID 1 answers. `wait_up` waits for more."""
        self.slow = slowness()
        self._power_on_s = time.monotonic()
        command = [
            "systemd-nspawn",
            "--boot",
            f"--directory={self.root}",
            f"--machine={NAME}",
            "--register=no",
            "--keep-unit",
            "--link-journal=no",
        ]
        command += [
            f"--network-bridge={BRIDGE}",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=pipe",
            *BPF,
        ]
        # A control group of its own for each boot. One that outlives a killed container would keep
        # its filters, and add the old to the new.
        self._group = GROUPS / f"platewarden-boot-{secrets.token_hex(4)}"
        self._group.mkdir()
        # Clocks that begin with the boot, too. A container's would go on counting from its host's,
        # and powered-on time be told as it never is on a camera.
        up_s = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        command = ["unshare", "--time", f"--boottime=-{up_s}", f"--monotonic=-{up_s}", *command]
        command = ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(self._group), *command]
        with self._log.open("ab") as log:
            self._nspawn = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._find_leader()

    def reboot(self) -> None:
        """As `sudo reboot` does. nspawn ends with the word that it wants to be started again."""
        self.inside("systemctl", "reboot", "--no-block")
        assert self._nspawn.wait(DOWN_WITHIN_S) == WANTS_A_RESTART, self._log.read_text(
            errors="replace"
        )[-2000:]
        self._sweep()
        self.start()

    def crash(self) -> None:
        """SIGKILL to PID 1: every process in it is gone at once, as with the plug pulled.

        (The kernel's page cache lives on, which a power cut would take.)
        """
        os.kill(self.leader, signal.SIGKILL)
        self._nspawn.wait(DOWN_WITHIN_S)
        self._sweep()

    def stop(self) -> None:
        """Power off, in order if it still can."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return
        try:
            self.inside("systemctl", "poweroff", "--no-block")
            self._nspawn.wait(DOWN_WITHIN_S)
        except (AssertionError, subprocess.TimeoutExpired):
            self._nspawn.kill()
            self._nspawn.wait(DOWN_WITHIN_S)
        self._sweep()

    def wait_up(self, *units: str) -> float:
        """Seconds from power-on until all these are active."""
        self.until(
            lambda: set(self.ask("systemctl", "is-active", *units).split()) == {"active"},
            f"{units} to be active",
            UP_WITHIN_S,
        )
        self.up_s = time.monotonic() - self._power_on_s
        return self.up_s

    def inside(self, *words: str, timeout: float = 60.0) -> str:
        """Run as root in it, outside every unit; must work."""
        return run(*self._enter(), *words, timeout=timeout).stdout

    def ask(self, *words: str) -> str:
        """The same where failing is an answer, too."""
        return subprocess.run(
            [*self._enter(), *words], capture_output=True, text=True, timeout=60, check=False
        ).stdout

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.ask("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def journal(self, unit: str) -> str:
        """What a unit and systemd said about it in this boot."""
        return self.ask("journalctl", "--boot", "--no-pager", f"--unit={unit}")

    def host_pid(self, pid_inside: int) -> int:
        """The same process as this side numbers it."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                numbers = next(
                    line.split()[1:]
                    for line in status.read_text().splitlines()
                    if line.startswith("NSpid:")
                )
            except (OSError, StopIteration):
                continue
            if len(numbers) > 1 and numbers[-1] == str(pid_inside):
                return int(numbers[0])
        raise AssertionError(f"no process {pid_inside} inside")

    @staticmethod
    def until(met: Callable[[], object], what: str, seconds: float) -> None:
        """Bounded."""
        end = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < end, f"waited {seconds:.0f} s in vain for {what}"
            time.sleep(0.2)

    def _enter(self) -> list[str]:
        return [
            "nsenter",
            "--all",
            f"--target={self.leader}",
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin",
            "LANG=C.UTF-8",
            "SYSTEMD_COLORS=0",
        ]

    def _chroot(self, *words: str, timeout: float = 120.0) -> None:
        run(
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            f"--mount-proc={self.root}/proc",
            "chroot",
            self.root,
            *words,
            timeout=timeout,
        )

    def _sweep(self) -> None:
        """Remove what the last boot left of its control groups."""
        for folder in sorted(
            (path for path in self._group.rglob("*") if path.is_dir()), reverse=True
        ):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            self._group.rmdir()

    def _find_leader(self) -> None:
        """PID 1 of the container: nspawn's child whose program is systemd, once it takes orders."""

        def found() -> bool:
            assert self._nspawn.poll() is None, (
                f"nspawn ended: {self._log.read_text(errors='replace')[-2000:]}"
            )
            children = (
                Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")
                .read_text()
                .split()
            )
            for child in children:
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    self.leader = int(child)
                    return bool(
                        self.ask("systemctl", "is-system-running").strip()
                        not in {"", "offline", "unknown"}
                    )
            return False

        self.until(found, "systemd in the container", UP_WITHIN_S)
