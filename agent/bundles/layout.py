"""What a city's repository of bundles is made of: roles, target paths, lifetimes, sizes, and the
two fields of our own (docs/ref/bundles.md).

Signer and camera both read this table: what it does not name is neither written nor accepted.
"""

import hashlib
import re
from datetime import timedelta

from agent.core.reasons import Reason
from agent.core.text.strict_json import IDENTIFIER, Fields, canonical, parse_object
from agent.errors import BundleRefusedError, EnvelopeRefusedError
from agent.values import dataclass

# Roles. The first four are TUF's own names.
ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
POLICY, HOTLIST, SOFTWARE = "policy", "hotlist", "software"
KEYS_PREFIX = "keys-"
TOP_LEVEL = (ROOT, TIMESTAMP, SNAPSHOT, TARGETS)

# Folders of a repository, and of a stick.
METADATA_FOLDER, TARGETS_FOLDER = "metadata", "targets"
PACKAGES_FOLDER = "packages"
"""Beside the two: the packages that releases name, by their SHA-256. No metadata describes them: a
camera fetches the one that it wants.
"""

# Target paths, as the metadata names them. On disk the SHA-256 stands before the last part
# (consistent snapshots).
CITY_PATH, CHARTER_PATH = "city.json", "charter.toml"
POLICY_PATH, CAMERAS_PATH = "policy/policy.toml", "policy/roster.toml"
ROSTER_PATH, CITY_ROOT_PATH, CA_PATHS = "policy/roster.jws", "policy/root.json", "policy/ca/*.pem"
HOTLIST_PATH, MANUAL_PATH = "hotlist/hotlist.age", "hotlist/manual.age"
CHANGES_PATH = "hotlist/changes.age"
SOFTWARE_PATH = "software/release.json"
GROUP_PATHS, KEY_GROUPS = "hotlist/cameras/*.keys", 128
"""A list is encrypted to a key of its own, and that key to each camera, in as many files. The
number never changes: a camera must know its file by its id alone, before it has fetched anything.
"""

# Fields of our own inside TUF's metadata. ISSUED: in timestamp, signed, RFC 3339 with milliseconds
# and Z: when it was signed. HOLDER: in each public key of root and of the delegations: the person
# or office that holds the private half, as the log names a signer.
ISSUED = "issued"
HOLDER = "x-platewarden-holder"
MAX_HOLDER_CHARACTERS = 64

MAX_METADATA_BYTES = 512 * 1024
MAX_TIMESTAMP_BYTES = 16 * 1024
MAX_FILES = 200  # targets of one role
MAX_RECIPIENTS = 50
_CA = re.compile(r"policy/ca/[A-Za-z0-9][A-Za-z0-9._-]{0,63}\.pem")
_GROUP = re.compile(r"hotlist/cameras/(?:0[0-9]{2}|1[01][0-9]|12[0-7])\.keys")
_KIB, _MIB = 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class RoleRule:
    """One role.

    `paths`: TUF path patterns that it may sign; `least_signers`: the smallest threshold that a
    camera accepts, except in a rig's city.

    `required`: without it there is no city; the others may lapse or be missing, and then only what
    they carry stops.
    """

    name: str
    least_signers: int
    keys: int
    online: bool
    lifetime: timedelta
    paths: tuple[str, ...] = ()
    required: bool = True


ROLES = {
    rule.name: rule
    for rule in (
        RoleRule(ROOT, 2, 3, online=False, lifetime=timedelta(days=730)),
        RoleRule(
            TARGETS,
            2,
            3,
            online=False,
            lifetime=timedelta(days=365),
            paths=(CITY_PATH, CHARTER_PATH),
        ),
        RoleRule(SNAPSHOT, 1, 1, online=True, lifetime=timedelta(days=7)),
        RoleRule(TIMESTAMP, 1, 1, online=True, lifetime=timedelta(days=3)),
        RoleRule(
            POLICY,
            2,
            3,
            online=False,
            lifetime=timedelta(days=190),
            paths=(POLICY_PATH, CAMERAS_PATH, ROSTER_PATH, CITY_ROOT_PATH, CA_PATHS),
        ),
        RoleRule(
            HOTLIST,
            1,
            1,
            online=True,
            lifetime=timedelta(days=2),
            paths=(HOTLIST_PATH, CHANGES_PATH, MANUAL_PATH, GROUP_PATHS),
            required=False,
        ),
        RoleRule(
            SOFTWARE,
            2,
            3,
            online=False,
            lifetime=timedelta(days=365),
            paths=(SOFTWARE_PATH,),
            required=False,
        ),
    )
}
KEYS_LIFETIME = timedelta(days=100)

MAX_TARGET_BYTES = {
    CITY_PATH: 4 * _KIB,
    CHARTER_PATH: 256 * _KIB,
    POLICY_PATH: 256 * _KIB,
    CAMERAS_PATH: 8 * _MIB,  # 20,000 cameras
    ROSTER_PATH: 16 * _MIB,
    CITY_ROOT_PATH: 4 * _KIB,
    # The compiled list's own limit, and what encryption adds. A camera's settings usually set less.
    HOTLIST_PATH: 513 * _MIB,
    CHANGES_PATH: 129 * _MIB,  # at most a quarter of the list is sent as changes
    MANUAL_PATH: 8 * _MIB,
    SOFTWARE_PATH: 64 * _KIB,
}
MAX_OTHER_BYTES = 256 * _KIB  # a CA's certificates, a recipient's key list
MAX_GROUP_BYTES = _MIB  # some 1,500 cameras of one group, some 200,000 of all


@dataclass(frozen=True, slots=True)
class CityIdentity:
    """city.json.

    `id` never changes in a city's life; a camera that has seen one id accepts no other. `rig`: made
    for trying, refused by a real camera.
    """

    id: str
    name: str
    rig: bool = False


def keys_role(recipient: str) -> str:
    """The role in which a recipient signs its own key list."""
    return f"{KEYS_PREFIX}{recipient}"


def recipient_of(role: str) -> str | None:
    """The recipient whose keys a role carries; None for any other role or name."""
    recipient = role.removeprefix(KEYS_PREFIX)
    return recipient if recipient != role and IDENTIFIER.fullmatch(recipient) else None


def keys_path(recipient: str) -> str:
    """The target path of a recipient's key list."""
    return f"keys/{recipient}.jws"


def rule_of(role: str) -> RoleRule | None:
    """The rule for a role; None for one that this version does not know."""
    recipient = recipient_of(role)
    if recipient is None:
        return ROLES.get(role)
    return RoleRule(
        role,
        1,
        1,
        online=False,
        lifetime=KEYS_LIFETIME,
        paths=(keys_path(recipient),),
        required=False,
    )


def may_sign(rule: RoleRule, path: str) -> bool:
    """Whether a target path is the role's own.

    Exact but for the CAs and the groups' keys: a pattern that a library reads otherwise lets
    nothing in here.
    """
    return (
        (path in rule.paths and "*" not in path)
        or (CA_PATHS in rule.paths and _CA.fullmatch(path) is not None)
        or (GROUP_PATHS in rule.paths and _GROUP.fullmatch(path) is not None)
    )


def group_path(camera: str) -> str:
    """The file in which a camera finds its key to the hot list."""
    number = int.from_bytes(hashlib.sha256(camera.encode()).digest()[:8]) % KEY_GROUPS
    return f"hotlist/cameras/{number:03d}.keys"


def wanted_by(path: str, camera: str) -> bool:
    """Whether a camera has a use for a target: all but the other groups' keys.

    `camera`: its id; empty: no group's.
    """
    return _GROUP.fullmatch(path) is None or (camera != "" and path == group_path(camera))


def package_path(sha256: str) -> str:
    """Where a package lies in a repository and in an inbox."""
    return f"{PACKAGES_FOLDER}/{sha256}.deb"


def most_bytes(path: str) -> int:
    """The largest size of a target that any camera takes."""
    if _GROUP.fullmatch(path) is not None:
        return MAX_GROUP_BYTES
    return MAX_TARGET_BYTES.get(path, MAX_OTHER_BYTES)


def city_file(path: str) -> str:
    """Where a target lies in the city's folder: `policy/` and `hotlist/` fall away, `keys/` and
    `ca/` stay.
    """
    return path.removeprefix("policy/").removeprefix("hotlist/")


def format_city(city: CityIdentity) -> bytes:
    """city.json."""
    return canonical({"v": 1, "id": city.id, "name": city.name, "rig": city.rig})


def parse_city(untrusted_json: bytes) -> CityIdentity:
    """The inverse of format_city, strict. Raises BundleRefusedError(bundle-malformed)."""
    try:
        fields = Fields(
            parse_object(untrusted_json, CITY_PATH), CITY_PATH, required=("v", "id", "name", "rig")
        )
        fields.exactly("v", 1)
        rig = fields.value("rig")
        if not isinstance(rig, bool):
            raise fields.bad("rig", "true or false")
        return CityIdentity(fields.identifier("id"), fields.text("name"), rig)
    except EnvelopeRefusedError as error:
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED, error.what, where=CITY_PATH, fix="the city must publish again"
        ) from None
