"""Looks at every packet on the rig's Ethernet and keeps only who spoke to whom; payloads are
searched for plates and forgotten.
"""

import ipaddress
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_ALL = 0x0003  # ETH_P_ALL
_TCP, _UDP = 6, 17
_ICMPV6 = 58
_QUIET_S = 0.5


@dataclass(frozen=True, slots=True)
class Flow:
    """Who was addressed, by the camera.

    `kind`: tcp, udp, icmpv6, arp, or the protocol's number. Ports 0 where there are none.
    """

    kind: str
    source_port: int
    destination: str
    port: int


class Sniffer:
    """From entering to leaving the block.

    `flows`: packets by the camera; `needles_seen`: how often a needle stood in any packet, either
    way.
    """

    def __init__(self, interface: str, own_mac: bytes, needles: Iterable[bytes]) -> None:
        self._own_mac, self._needles = own_mac, tuple(needles)
        self.flows: Counter[Flow] = Counter()
        self.packets, self.needles_seen, self.dropped = 0, 0, 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((interface, 0))
        self._socket.settimeout(0.1)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        time.sleep(_QUIET_S)  # what was sent last must still arrive
        self._ending.set()
        self._thread.join(10)
        # SOL_PACKET and PACKET_STATISTICS: a capture with gaps proves nothing.
        _, self.dropped = struct.unpack("II", self._socket.getsockopt(263, 6, 8))
        self._socket.close()

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                packet = self._socket.recv(65_536)
            except TimeoutError:
                continue
            self.packets += 1
            self.needles_seen += any(needle in packet for needle in self._needles)
            if packet[6:12] != self._own_mac:
                self.flows[flow_of(packet)] += 1


def flow_of(packet: bytes) -> Flow:
    """An Ethernet frame's flow; anything odd is a flow too, and will be asked about."""
    kind, payload = int.from_bytes(packet[12:14]), packet[14:]
    if kind == 0x0806:
        return Flow("arp", 0, "", 0)
    if kind == 0x0800 and len(payload) >= 20:
        header = (payload[0] & 15) * 4
        return _transport(payload[9], payload[16:20], payload[header:])
    if kind == 0x86DD and len(payload) >= 40:
        protocol, rest = payload[6], payload[40:]
        if protocol == 0 and len(rest) >= 8:  # hop-by-hop options come before multicast reports
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
        return _transport(protocol, payload[24:40], rest)
    return Flow(f"0x{kind:04x}", 0, "", 0)


def _transport(protocol: int, destination: bytes, rest: bytes) -> Flow:
    where = str(ipaddress.ip_address(destination))
    if protocol in {_TCP, _UDP} and len(rest) >= 4:
        return Flow(
            "tcp" if protocol == _TCP else "udp",
            int.from_bytes(rest[:2]),
            where,
            int.from_bytes(rest[2:4]),
        )
    return Flow("icmpv6" if protocol == _ICMPV6 else str(protocol), 0, where, 0)
