"""Brings up the loopback of the tests' own network namespace, for the broker: three system calls,
instead of a package in the tree.
"""

import fcntl
import socket
import struct

_GET, _SET, _UP = 0x8913, 0x8914, 0x1


def bring_up(name: bytes = b"lo") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        flags = struct.unpack(
            "16sH", fcntl.ioctl(any_socket, _GET, struct.pack("16sH14x", name, 0))[:18]
        )[1]
        fcntl.ioctl(any_socket, _SET, struct.pack("16sH14x", name, flags | _UP))


if __name__ == "__main__":
    bring_up()
