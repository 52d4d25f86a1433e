"""The public keys by which an auditor judges logs: from files that he was given, from the city's
signed roster, or from beside the log.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.log.checkpoint import origin_of
from agent.disk.atomic_file import read_bounded
from agent.errors import EnvelopeRefusedError, UsageError
from agent.storage.log_key import (
    MAX_KEY_FILE_BYTES,
    TrustedLogKeys,
    load_trusted_keys,
)
from agent.storage.log_reader import database_of
from agent.verifying import roster_check

PUBLIC_KEYS = "public.json"
_JWS_BEGINS = b"eyJ"  # the base64url of `{"`: a compact JWS


def keys_of(files: Sequence[Path], root: Path | None) -> TrustedLogKeys:
    """The keys of all the files together: public.json, JWK, PEM, a `name+id+key` line, or a city's
    roster.jws, which the city's root key (`root`, a JWK) must have signed.

    Raises UsageError, EnvelopeRefusedError (the roster is not signed by that root), StorageError.
    """
    found: dict[str, Ed25519PublicKey] = {}
    for file in files:
        data = read_bounded(file, roster_check.MAX_BYTES)
        keys = (
            _of_roster(data, file, root)
            if data.startswith(_JWS_BEGINS)
            else load_trusted_keys(file).keys
        )
        for origin, key in keys.items():
            if found.setdefault(origin, key).public_bytes_raw() != key.public_bytes_raw():
                raise UsageError(
                    f"holds another key than an earlier --key does for {origin or 'any log'!r}",
                    where=file,
                    fix="find out which of the two the city enrolled, and give that one",
                )
    return TrustedLogKeys(found, ", ".join(map(str, files)))


def keys_nearby(path: Path) -> TrustedLogKeys:
    """The device's public.json where a device, or `demo --out`, keeps it. It proves little if the
    log's owner wrote it: --key is for auditors. Raises UsageError, StorageError.
    """
    folder = database_of(path).resolve().parent
    for above in (folder, *list(folder.parents)[:2]):
        for candidate in (above / PUBLIC_KEYS, above / "device" / PUBLIC_KEYS):
            if candidate.is_file():
                return TrustedLogKeys(
                    load_trusted_keys(candidate).keys, str(candidate), beside=True
                )
    raise UsageError(
        "no public key, so nothing was verified: nothing says who must have signed this log",
        where=path,
        fix="give --key FILE: the camera's public.json from the city's records, or its roster.jws",
    )


def _of_roster(data: bytes, file: Path, root: Path | None) -> dict[str, Ed25519PublicKey]:
    if root is None:
        raise UsageError(
            "is a signed roster, and only the city's root key says whether it is the city's",
            where=file,
            fix="add --root root.json, from the city and not from beside the roster",
        )
    signer = roster_check.parse_root(read_bounded(root, MAX_KEY_FILE_BYTES), str(root))
    try:
        roster = roster_check.verify_roster(data, signer)
    except EnvelopeRefusedError as refused:
        raise EnvelopeRefusedError(refused.reason, refused.what, where=file) from None
    return dict(_of_devices(roster.logs.items()))


def _of_devices(
    logs: Iterable[tuple[str, tuple[bytes, bytes]]],
) -> Iterable[tuple[str, Ed25519PublicKey]]:
    for device, (watch, deliver) in logs:
        for process, raw in (("watch", watch), ("deliver", deliver)):
            yield origin_of(device, process), Ed25519PublicKey.from_public_bytes(raw)
