"""`[inbox.oidc]` in receiver.toml: the one provider that may say who somebody is."""

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from agent.core.text.schema.notes import By, Length, named
from agent.core.text.schema.section import Section, made
from agent.receiver.setting_fields import Address, FilePath

_PRINTABLE = re.compile(r"[!-~]{1,255}")
_WORDS = re.compile(r"[!-~]([ -~]{0,78}[!-~])?")
_CLAIM = re.compile(r"[A-Za-z0-9_:/.-]{1,120}")


def is_https(untrusted: SplitResult) -> bool:
    """With a host and a port that can be dialled? Raises ValueError for what is neither."""
    host = (untrusted.hostname or "").encode("idna")
    return untrusted.scheme == "https" and bool(host) and untrusted.port != 0


def as_issuer(value: object) -> object:
    """An https URL without query and fragment (OpenID Connect Core 1.0, 2)."""
    if isinstance(value, str):
        try:
            parts = urlsplit(value)
            sound = is_https(parts)
        except ValueError:
            sound = False
        if not sound or "?" in value or "#" in value or "@" in value or not value.isascii():
            raise ValueError(
                f"{value[:60]!a} is no issuer | write the https URL that the provider calls itself"
            )
    return value


Printable = Annotated[str, named(_PRINTABLE, "value", "use printable ASCII, at most 255")]


class OidcSettings(Section):
    """`client_secret`: a private file with it; none for a public client. `ca`: the only authority
    that is believed, else the system's. `address`: dialled instead of asking DNS; then all is at
    the issuer's host.

    `claim`: where the ID token has groups; `analysts`, `readers`: which of its values make somebody
    what. Where neither list has a value, the account's role counts alone.

    `create_accounts`: for whom `analysts` or `readers` names, an account is made at the first
    signing-in, called as `name_claim` says; `organization`: of these accounts.
    """

    issuer: Annotated[str, By(as_issuer)]
    client_id: Printable
    client_secret: FilePath | None = None
    ca: FilePath | None = None
    address: Address | None = None
    name: Annotated[str, named(_WORDS, "name", "use at most 80 printable characters")] = (
        "your department's account"
    )
    claim: Annotated[str, named(_CLAIM, "claim", "use letters, digits and _:/.-")] = "groups"
    analysts: Annotated[list[Printable], Length(max_length=32)] = made(default_factory=list)
    readers: Annotated[list[Printable], Length(max_length=32)] = made(default_factory=list)
    create_accounts: bool = False
    name_claim: Annotated[str, named(_CLAIM, "claim", "use letters, digits and _:/.-")] = (
        "preferred_username"
    )
    organization: (
        Annotated[str, named(_WORDS, "organization", "use at most 80 characters")] | None
    ) = None

    def together(self) -> None:
        """Accounts are made for named groups alone, and belong to somebody."""
        if not self.create_accounts:
            return
        if not (self.analysts or self.readers):
            raise ValueError(
                "create_accounts without analysts and readers lets everybody of the provider in | "
                "name the groups that may come in"
            )
        if self.organization is None:
            raise ValueError(
                "create_accounts needs an organization | name the one that access records show"
            )
