"""Another maker's witness, as Debian ships it, cosigns our logs; another maker's tool verifies it.

Run by `make test-witness`, which unpacks sigsum-go. It takes only origins that are made of the
log's key, so our tree stands under such a name here.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.audit.log_verify import Asked, verify
from agent.audit.witnesses.log_submission import submit
from agent.audit.witnesses.witness_client import WitnessClient
from agent.core.log.checkpoint import COSIGNATURE_V1, parse_note
from agent.core.log.cosignature import WitnessKey, cosigned_bytes, parse_timestamped
from agent.core.log.witness_policy import parse_policy
from agent.storage.log_key import TrustedLogKeys
from tests.support.audit_logs import open_log

PROGRAMS = Path(os.environ.get("SIGSUM", "/usr/bin"))
KEY = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32))
RAW = KEY.public_key().public_bytes_raw()
ORIGIN = f"sigsum.org/v1/tree/{hashlib.sha256(RAW).hexdigest()}"


def program(name, *arguments, data=b""):
    done = subprocess.run(
        [PROGRAMS / name, *arguments], input=data, capture_output=True, timeout=20, check=True
    )
    return done.stdout


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Sigsum:
    """A running witness that knows one log. Its name is made of its key."""

    def __init__(self, folder):
        program("sigsum-key", "generate", "-o", folder / "key")
        ssh = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        (folder / "log.pub").write_bytes(ssh + b"\n")
        self.public, self.port = folder / "key.pub", free_port()
        files = ["-k", folder / "key", "--log-key", folder / "log.pub"]
        state = ["--state-file", folder / "state", f"127.0.0.1:{self.port}"]
        environment = {**os.environ, "GODEBUG": "httpmuxgo121=0"}
        self.process = subprocess.Popen(
            [PROGRAMS / "sigsum-witness", *files, *state],
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        raw = bytes.fromhex(program("sigsum-key", "to-hex", "-k", self.public).decode())
        name = f"sigsum.org/v1/witness/{hashlib.sha256(raw).hexdigest()}"
        self.key = WitnessKey(name, COSIGNATURE_V1, raw)
        self._wait()

    def _wait(self):
        for _ in range(100):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail("sigsum-witness does not listen")

    @property
    def policy(self):
        line = f"witness S {self.key} http://127.0.0.1:{self.port}\nquorum S\n"
        return parse_policy(line.encode())


@pytest.fixture
def sigsum(tmp_path):
    witness = Sigsum(tmp_path)
    yield witness
    witness.process.terminate()
    witness.process.wait()


def a_log(folder, leaves, first=0, origin=ORIGIN):
    with open_log(folder, KEY, origin) as log:
        log.append_all("release", [{"read": f"{n:032x}"} for n in range(first, first + leaves)])
    return folder


def asked(sigsum, folder, origin=ORIGIN):
    trusted = TrustedLogKeys({origin: KEY.public_key()}, "test")
    return trusted, submit(folder, trusted, sigsum.policy, WitnessClient(timeout_s=5).ask)


def answer(sigsum, folder, origin=ORIGIN):
    return asked(sigsum, folder, origin)[1].asked[0][1].answer


def test_cosigns_a_log_and_what_it_grows_to(tmp_path, sigsum):
    folder = tmp_path / "watch"
    for leaves in (5, 9):
        trusted, done = asked(sigsum, a_log(folder, leaves))
        assert done.error is None
    report = verify(folder, trusted, asked=Asked(witnesses=sigsum.policy))
    assert (report.verdict, report.witnessed.size) == ("whole", 14)

    note = parse_note((folder / "cosigned").read_bytes())
    at_s, signature = parse_timestamped(note.signatures[-1].signature, COSIGNATURE_V1)
    (tmp_path / "signature").write_text(signature.hex())
    given = ("-k", sigsum.public, "-s", tmp_path / "signature")
    program("sigsum-key", "verify", *given, data=cosigned_bytes(sigsum.key, note, at_s))
    with pytest.raises(subprocess.CalledProcessError):
        program("sigsum-key", "verify", *given, data=cosigned_bytes(sigsum.key, note, at_s + 1))


@pytest.mark.parametrize(("leaves", "said"), [(14, "fork"), (20, "fork"), (3, "ahead")])
def test_another_history_and_an_older_copy(tmp_path, sigsum, leaves, said):
    """It answers 422 to a fork of the same size, where the specification has 409."""
    folder = tmp_path / "watch"
    assert answer(sigsum, a_log(folder, 14)) == "cosigned"
    shutil.rmtree(folder)
    assert answer(sigsum, a_log(folder, leaves, first=100)) == said


def test_a_log_that_it_does_not_know(tmp_path, sigsum):
    other = "platewarden/cam-test-1/watch"
    assert answer(sigsum, a_log(tmp_path / "watch", 3, origin=other), other) == "unknown-log"
