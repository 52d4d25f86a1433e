"""A real PostgreSQL in a folder of its own, for tests: no network, a Unix socket only."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
import pytest

USER = "platewarden"
_PORT = 5432  # names the socket


class Postgresql:
    """One server; a context manager. `url` makes an empty schema for each test. `parent`: where its
    folder is made.

    As root it runs as `nobody`: PostgreSQL refuses root. Nothing is synced unless `durable`: what a
    test kills is the receiver, or this server's processes, never the machine.
    """

    def __init__(self, parent: Path | None = None, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pw-pg-", dir=parent))
        self._fsync = "on" if durable else "off"
        self._as: list[str] = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as = [
                "setpriv",
                f"--reuid={nobody.pw_uid}",
                f"--regid={nobody.pw_gid}",
                "--clear-groups",
            ]
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = 0
        self._run(
            program("initdb"),
            f"--pgdata={self.folder / 'data'}",
            f"--username={USER}",
            *("--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8"),
        )

    def url(self) -> str:
        """Of a new, empty schema."""
        self._schemas += 1
        schema = f"test_{self._schemas}"
        with psycopg.connect(self._base(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[arg-type]
        return f"{self._base()}&options={quote(f'-csearch_path={schema}')}"

    def start(self) -> Self:
        options = (
            *("-D", self.folder / "data", "-k", self.folder, "-p", str(_PORT)),
            *("-c", "listen_addresses=", "-c", f"fsync={self._fsync}", "-c", "max_connections=40"),
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, program("postgres"), *map(str, options)],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                psycopg.connect(self._base()).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return self
        pytest.fail(f"PostgreSQL does not start: {(self.folder / 'log').read_text()}")

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """SIGQUIT: at once, as in a crash; it recovers at the next `start`."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def ask(self, url: str, query: str) -> Sequence[tuple[object, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def _base(self) -> str:
        return f"postgresql://{USER}@/postgres?host={quote(str(self.folder), safe='')}&port={_PORT}"

    def _run(self, *command: str) -> None:
        ran = subprocess.run(
            [*self._as, *command], capture_output=True, text=True, check=False, cwd=self.folder
        )
        assert ran.returncode == 0, ran.stderr

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def program(name: str) -> str:
    """Its path; Debian keeps the server's programs out of everybody's PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(installed[-1]) if installed else None)
    if found is None:
        pytest.fail("PostgreSQL is not installed; type: sudo apt install postgresql")
    return found
