"""A witness on loopback, written from the text of https://c2sp.org/tlog-witness alone: none of our
code parses, verifies or signs here. It can also be one of the bad ones.
"""

import base64
import hashlib
import http.server
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DASH = "\N{EM DASH} "


def key_id(name, kind, raw):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).digest()[:4]


def vkey(name, kind, raw):
    encoded = base64.b64encode(bytes([kind]) + raw).decode()
    return f"{name}+{key_id(name, kind, raw).hex()}+{encoded}"


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots(old, new, proof, known):
    """RFC 6962, 2.1.2, read backwards: the two roots that a proof leads to. `known`: the old tree's
    own root where it is a whole subtree, else None. Raises IndexError for a short proof.
    """
    if old == new:
        root = known or proof.pop(0)
        return root, root
    k = 1 << (new - 1).bit_length() - 1
    if old <= k:
        left_old, left_new = roots(old, k, proof, known)
        return left_old, node(left_new, proof.pop(0))
    right_old, right_new = roots(old - k, new - k, proof, None)
    left = proof.pop(0)
    return node(left, right_old), node(left, right_new)


@dataclass
class WitnessServer:
    """`logs`: origin → raw Ed25519 key. `answer`: what a bad one says instead, a function of the
    request's handler. `seen`: origin → (size, root) as cosigned.

    `unknown`: real witnesses differ from the text's 404 (litewitness: 403).
    """

    name: str = "witness.example/w1"
    logs: dict = field(default_factory=dict)
    answer: object = None
    seen: dict = field(default_factory=dict)
    unknown: int = 404
    requests: list = field(default_factory=list)
    context: ssl.SSLContext | None = None
    seed: bytes = bytes(range(32))

    def __post_init__(self):
        self.key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.raw = self.key.public_key().public_bytes_raw()
        self._lock = threading.Lock()
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                witness.requests.append(body)
                if witness.answer is not None:
                    witness.answer(self)
                    return
                if self.path != "/prefix/add-checkpoint":
                    self.say(404)
                    return
                with witness._lock:
                    self.say(*witness.judge(body))

            def say(self, status, body=b"", kind="text/plain"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if self.context is not None:
            self.http.socket = self.context.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, args=[0.02], daemon=True).start()

    @property
    def vkey(self):
        return vkey(self.name, 4, self.raw)

    @property
    def url(self):
        scheme, host = ("https", "localhost") if self.context else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.http.server_address[1]}/prefix"

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def judge(self, body):
        """Status, body and type, in the order of the specification's paragraphs."""
        try:
            head, note = body.decode().split("\n\n", 1)
            old_line, *proof = head.split("\n")
            word, digits = old_line.split(" ")
            old = int(digits)
            path = [base64.b64decode(line, validate=True) for line in proof]
            text, lines = note.rsplit("\n\n", 1)
            origin, size, root = text.split("\n")[:3]
            size, root = int(size), base64.b64decode(root, validate=True)
            assert word == "old"
            assert digits == str(old)
            assert len(path) <= 63
        except (ValueError, AssertionError):
            return 400, b"cannot be read\n"
        if origin not in self.logs:
            return self.unknown, b"unknown log\n"
        return self._compared(origin, f"{text}\n".encode(), lines, (old, path), (size, root))

    def _compared(self, origin, text, lines, older, newer):
        (old, path), (size, root) = older, newer
        if not self._signed(origin, text, lines):
            return 403, b"no signature of a trusted key\n"
        if old > size:
            return 400, b"old size is larger\n"
        known_size, known_root = self.seen.get(origin, (0, None))
        if old != known_size:
            return 409, f"{known_size}\n".encode(), "text/x.tlog.size"
        if old == size and known_root is not None:
            if root != known_root:
                return 409, b"another root\n"
        elif not self._grown(old, size, path, known_root, root):
            return 422, b"the proof does not verify\n"
        self.seen[origin] = (size, root)
        return 200, self.line(text)

    def line(self, text, at_s=None):
        at_s = int(time.time()) if at_s is None else at_s
        signature = self.key.sign(b"cosignature/v1\ntime %d\n" % at_s + text)
        data = key_id(self.name, 4, self.raw) + struct.pack(">Q", at_s) + signature
        return f"{DASH}{self.name} {base64.b64encode(data).decode()}\n".encode()

    def _signed(self, origin, text, lines):
        raw = self.logs[origin]
        for line in lines.splitlines():
            name, encoded = line.removeprefix(DASH).split(" ")
            data = base64.b64decode(encoded)
            if name == origin and data[:4] == key_id(origin, 1, raw):
                try:
                    Ed25519PublicKey.from_public_bytes(raw).verify(data[4:], text)
                except InvalidSignature:
                    return False
                return True
        return False

    def _grown(self, old, size, path, old_root, root):
        if old == 0:
            return not path
        try:
            found = roots(old, size, path, old_root)
        except IndexError:
            return False
        return not path and found == (old_root, root)
