"""Every packet on every interface of the rounds' machines: to whom, and with a plate in it?"""

import socket
import struct
from collections import Counter
from contextlib import suppress

from tests.support.camera_rig import PLATE
from tests.support.plate_search import encodings

SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h; Python does not name them
_FORMS = [form for forms in encodings(PLATE).values() for form in forms]


class Capture:
    """`allowed`: by machine, the addresses that its policy names, and its own.

    `packets`: by machine. `unlisted`: (machine, address), how often. `plaintext`: packets with a
    plate in them.
    """

    def __init__(self, allowed: dict[str, set[str]]) -> None:
        self._allowed = allowed
        self._sockets: dict[str, socket.socket] = {}
        self.packets: Counter[str] = Counter()
        self.unlisted: Counter[tuple[str, str]] = Counter()
        self.plaintext = self._missed = 0

    def listen(self, machine: str, sniffer: socket.socket) -> None:
        self._sockets[machine] = sniffer

    def take(self, machine: str, sniffer: socket.socket) -> None:
        """What has come."""
        with suppress(BlockingIOError):
            while True:
                self.look(machine, sniffer.recv(65_536))

    def look(self, machine: str, packet: bytes) -> None:
        """One packet, from its IP header on."""
        self.packets[machine] += 1
        destination = destination_of(packet)
        if destination not in self._allowed[machine]:
            self.unlisted[machine, destination] += 1
        if any(form in packet for form in _FORMS):
            self.plaintext += 1

    def missed(self) -> int:
        """Packets that came faster than they were looked at: 0, or the capture proves nothing."""
        for sniffer in self._sockets.values():
            told = sniffer.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            self._missed += struct.unpack("II", told)[1]
        return self._missed


def destination_of(packet: bytes) -> str:
    """The address that a packet goes to; of what is no IP packet, its first bytes."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        return socket.inet_ntoa(packet[16:20])
    if version == 6 and len(packet) >= 40:
        return socket.inet_ntop(socket.AF_INET6, packet[24:40])
    return f"no IP: {packet[:8].hex()}"
