"""The kernel's walls around a camera's processes, as text: an nftables table and drop-ins for
systemd.

Which addresses, a verified policy says (P4).
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.policy.policy import Broker, Policy

TABLE = "platewarden"
DELIVER, UPDATE, WATCH = "platewarden-deliver", "platewarden-update", "platewarden-watch"
Listed = tuple[tuple[str, int], ...]

_NFT = """\
# Written by `platewarden walls` from {told}. \
Do not edit: it is written again when the bundles change.
# Loaded as one transaction: there is no instant without a table.
table inet {table}
delete table inet {table}
table inet {table} {{
{sets}    chain output {{
        type filter hook output priority filter; policy accept;
{rules}        meta skuid {{ {users} }} counter reject
    }}
}}
"""
_SET = """\
    set {name} {{
        type {kind} . inet_service
{elements}    }}
"""

_DROP_IN = """\
# Written by `platewarden walls` from {told}. \
Do not edit: it is written again when the bundles change.
[Service]
IPAddressAllow=
{lines}"""


@dataclass(frozen=True, slots=True)
class Gates:
    """Which addresses and ports each process may reach.

    `brokers`: deliver; `sources`: update. watch reaches nothing.
    """

    brokers: Listed = ()
    sources: Listed = ()


def gates(policy: Policy, camera: str) -> Gates:
    """What the policy lists for this camera; `policy`: as `camera_roster.in_place` made it."""
    return Gates(_addresses(policy.brokers_of(camera)), _addresses(policy.bundle_sources))


def nftables(
    open_gates: Gates,
    told: str,
    *,
    users: tuple[int | str, int | str, int | str] = (DELIVER, UPDATE, WATCH),
) -> str:
    """The table.

    `told`: what it was made from; `users`: of deliver, update and watch, by name or number.
    """
    deliver, update, watch = map(_user, users)
    sets, rules = "", ""
    for name, user, listed in (
        ("brokers", deliver, open_gates.brokers),
        ("sources", update, open_gates.sources),
    ):
        for version, kind, address in ((4, "ipv4_addr", "ip"), (6, "ipv6_addr", "ip6")):
            sets += _SET.format(
                name=f"{name}{version}",
                kind=kind,
                elements=_elements(
                    [one for one in listed if ip_address(one[0]).version == version]
                ),
            )
            rules += (
                f"        meta skuid {user} {address} daddr . tcp dport @{name}{version} accept\n"
            )
    return _NFT.format(
        table=TABLE, told=_line(told), sets=sets, rules=rules, users=f"{deliver}, {update}, {watch}"
    )


def drop_in(listed: Listed, told: str) -> str:
    """Systemd's drop-in for one process.

    It knows addresses, and no ports: nftables does the rest. The empty line forgets what other
    drop-ins allowed.
    """
    return _DROP_IN.format(told=_line(told), lines="".join(f"{line}\n" for line in allowed(listed)))


def allowed(listed: Listed) -> list[str]:
    """What systemd is to let through, a property each; after an empty one, which forgets what was
    allowed before.
    """
    return [f"IPAddressAllow={address}" for address in sorted({address for address, _ in listed})]


def _addresses(servers: Iterable[Broker]) -> Listed:
    return tuple(
        sorted(
            {
                (ip_address(address).compressed, port)
                for server in servers
                for address, port in server.addresses
            }
        )
    )


def _elements(listed: list[tuple[str, int]]) -> str:
    if not listed:
        return ""
    return (
        f"        elements = {{ {', '.join(f'{address} . {port}' for address, port in listed)} }}\n"
    )


def _user(user: int | str) -> str:
    return str(user) if isinstance(user, int) else f'"{user}"'


def _line(untrusted_text: str) -> str:
    """A city's own words stay within one comment."""
    return "".join(
        character if character.isprintable() else "?" for character in untrusted_text[:200]
    )
