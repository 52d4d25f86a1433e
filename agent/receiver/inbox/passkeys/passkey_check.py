"""What a browser's answer about a passkey is worth: Yubico's fido2 judges it (WebAuthn Level 3, 7.1
and 7.2), and here stands what we ask of it: this origin, user verification, a counter that grows.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    CredentialRequestOptions,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from agent.errors import PlatewardenError
from agent.receiver.inbox.page_request import Origin
from agent.receiver.inbox.passkeys.passkey_folder import (
    MAX_CREDENTIAL,
    Passkey,
    PasskeyFolder,
    Ring,
)
from agent.receiver.inbox.people.accounts import Account, AccountFolder
from agent.values import dataclass, replace

LOOPBACK = "localhost"  # the one name on this machine that browsers allow passkeys on by plain HTTP


class PasskeyRefusedError(Exception):
    """Its words are for a person, and tell nothing of other accounts. `account`: whose passkey it
    is, where that is known.
    """

    def __init__(self, what: str, account: str = "") -> None:
        super().__init__(what)
        self.what, self.account = what, account


@dataclass(frozen=True, slots=True)
class PasskeyPlace:
    """`rp_id`: the name that passkeys are bound to. `hosts`: with ports, where pages may ask."""

    rp_id: str
    scheme: str
    hosts: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where passkeys work."""
        return f"{self.scheme}://{self.hosts[0]}/"

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(f"{self.scheme}://{host}" for host in self.hosts)


def place_of(origin: Origin, host: str | None) -> PasskeyPlace | None:
    """`host`: the name in the certificate. None where no name is served: WebAuthn binds a passkey
    to a domain, never to an IP address (Level 3, 5.1.3).
    """
    name = host if origin.scheme == "https" and host else LOOPBACK
    hosts = sorted(one for one in origin.hosts if one.rpartition(":")[0] == name or one == name)
    return PasskeyPlace(name, origin.scheme, tuple(hosts)) if hosts else None


class PasskeyDesk:
    """Makes what the browser is asked, and judges what it answers.

    Its methods raise PasskeyRefusedError, and StorageError where the folder fails.
    """

    def __init__(
        self, place: PasskeyPlace, accounts: AccountFolder, passkeys: PasskeyFolder
    ) -> None:
        self.place, self._accounts, self._passkeys = place, accounts, passkeys
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(name="Platewarden inbox", id=place.rp_id),
            attestation=AttestationConveyancePreference.NONE,
            verify_origin=place.origins.__contains__,
        )

    def to_make(self, account: Account, ring: Ring, challenge: bytes) -> str:
        """JSON for `navigator.credentials.create`."""
        options, _ = self._server.register_begin(
            PublicKeyCredentialUserEntity(
                name=account.name, id=ring.handle, display_name=account.name
            ),
            [_descriptor(key) for key in ring.keys],
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
            challenge=challenge,
        )
        return json.dumps(dict(options.public_key))

    def to_sign(self, challenge: bytes) -> str:
        """JSON for `navigator.credentials.get`: any passkey of this place, and no account named."""
        options, _ = self._begun(challenge)
        return json.dumps(dict(options.public_key))

    def made(self, untrusted_answer: str, challenge: bytes, now: str) -> Passkey:
        """The passkey that the answer to `to_make` brings. `now`: RFC 3339."""
        with _refusing():
            answer = _object(untrusted_answer)
            response = RegistrationResponse.from_dict(answer)
            data = self._server.register_complete(self._begun(challenge)[1], answer)
            credential = data.credential_data
            if credential is None or len(credential) > MAX_CREDENTIAL:
                raise ValueError("no credential of a sound size")
            _require_own_frame(response.response.client_data)
            if self._holder(credential.credential_id) is not None:
                raise PasskeyRefusedError("That passkey is here already")
            return Passkey(bytes(credential), data.counter, now)

    def signed(self, untrusted_answer: str, challenge: bytes) -> tuple[Account, Passkey]:
        """Whose the passkey is that signed the answer to `to_sign`."""
        with _refusing():
            answer = _object(untrusted_answer)
            response = AuthenticationResponse.from_dict(answer)
            account = self._holder(response.raw_id)
            ring = self._passkeys.of(account) if account else Ring(b"", ())
            key = _key_in(ring, response.raw_id)
            if account is None or key is None:
                raise ValueError("nobody's")
            if response.response.user_handle != ring.handle:
                raise ValueError("not of this account")
            self._server.authenticate_complete(
                self._begun(challenge)[1], [AttestedCredentialData(key.credential)], answer
            )
            _require_own_frame(response.response.client_data)
            counter = response.response.authenticator_data.counter
        return account, self._counted(account, key, counter)

    def _begun(self, challenge: bytes) -> tuple[CredentialRequestOptions, Any]:
        """The library's own state of one asking: the challenge, and that a person verifies."""
        return self._server.authenticate_begin(
            user_verification=UserVerificationRequirement.REQUIRED, challenge=challenge
        )

    def _holder(self, credential_id: bytes) -> Account | None:
        return self._accounts.first(
            lambda one: _key_in(self._passkeys.of(one), credential_id) is not None
        )

    def _counted(self, account: Account, key: Passkey, counter: int) -> Passkey:
        """Level 3, 7.2 step 22: a counter that does not grow says that there may be two of it."""
        if not key.suspect and (counter > key.counter or counter == key.counter == 0):
            used = replace(key, counter=counter)
            self._passkeys.used(account, used)
            return used
        self._passkeys.used(account, replace(key, suspect=True))
        raise PasskeyRefusedError(
            "This passkey may have been copied: its counter went back. "
            "Whoever runs the inbox must remove it",
            account.name,
        )


@contextmanager
def _refusing() -> Iterator[None]:
    """Inside, whatever a library says of strangers' bytes is one refusal."""
    try:
        yield
    except (PlatewardenError, PasskeyRefusedError):
        raise
    except Exception:  # noqa: BLE001  # CBOR, COSE, JSON and X.509 each raise their own
        raise PasskeyRefusedError("This passkey is not known here") from None


def _object(untrusted_answer: str) -> Mapping[str, Any]:
    """Raises ValueError."""
    answer = json.loads(untrusted_answer)
    return answer if isinstance(answer, dict) else {}


def _require_own_frame(client_data: Any) -> None:
    """Raises ValueError for a page inside another site's."""
    if client_data.cross_origin:
        raise ValueError("from another site's frame")


def _key_in(ring: Ring, credential_id: bytes) -> Passkey | None:
    return next((key for key in ring.keys if _id_of(key) == credential_id), None)


def _id_of(key: Passkey) -> bytes:
    made: bytes = AttestedCredentialData(key.credential).credential_id
    return made


def _descriptor(key: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        type=PublicKeyCredentialType.PUBLIC_KEY,
        id=_id_of(key),
    )
