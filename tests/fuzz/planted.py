"""A known fault for each target, deep in its format: if the fuzzer does not find it, it would not
find ours either. Never planted but with `--planted`.

A fault stands behind a function of the product: it looks at what that function returned (or was
given), and raises when a rare condition holds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any

from tests.fuzz.world import DEVICE


class PlantedError(Exception):
    """The known fault."""


@dataclass(frozen=True)
class Fault:
    """`place`: `module:function`, where it is called from; `when`: of its result and arguments."""

    place: str
    when: Callable[..., bool]


def _version_2(found: Any, *_: Any) -> bool:
    return found == 2


def _second_key(found: Any, *_: Any) -> bool:
    return len(found.keys) == 2


def _shape(found: Any, *_: Any) -> bool:
    return found is not None and found.width > 200


FAULTS: dict[str, Fault] = {
    # the version inside the tags, inside base64url, inside the first of two lines
    "wire": Fault("agent.core.wire.sealed_read:version_of", _version_2),
    "wire_header": Fault(
        "agent.core.wire.sealed_read:parse_minimum", lambda found, *_: found.version > 2
    ),
    "wire_jwe": Fault(
        "agent.core.wire.sealed_read:version_of", lambda found, *_: found > 1
    ),
    "wire_content": Fault(
        "agent.receiver.opener:_plate", lambda found, *_: len(found.alternatives) == 0
    ),
    "receipt": Fault(
        "agent.verifying.receipt_check:parse_receipt",
        lambda found, *_: found.outcome.startswith("rejected:"),
    ),
    "health": Fault(
        "agent.storage.health.health_note:parse_text", lambda found, *_: found.health.lapsed == 7
    ),
    "hold": Fault(
        "agent.verifying.hold_check:parse_hold", lambda found, *_: found.read_id is None
    ),
    "hold_rules": Fault(
        "agent.verifying.hold_check:parse_rules", lambda found, *_: found.minutes < 10
    ),
    "held_read": Fault(
        "agent.receiver.holds.resealed_read:decode_base64url", lambda found, *_: len(found) == 31
    ),
    "outcome": Fault(
        "agent.verifying.receipt_check:parse_outcome",
        lambda found, *_: not found.disposition.false,
    ),
    "key_list": Fault("agent.verifying.key_list_check:parse_key_list", _second_key),
    "signed_roster": Fault(
        "agent.verifying.roster_check:parse_object",
        lambda found, *_: isinstance(found.get("devices"), list) and len(found["devices"]) == 2,
    ),
    "software_release": Fault(
        "agent.verifying.software_check:parse_statement",
        lambda found, *_: len(found.packages) == 2,
    ),
    "public_keys": Fault(
        "tests.fuzz.wire_targets:parse_device_public", lambda found, *_: found.device != DEVICE
    ),
    "enrolment": Fault(
        "agent.verifying.enrolment_check:parse_enrolment", lambda found, *_: found[0].replaces
    ),
    "enrolment_csr": Fault(
        "agent.verifying.enrolment_check:x509.load_pem_x509_csr",
        lambda found, *_: not found.subject.rfc4514_string().startswith("CN=cam-"),
    ),
    "jws": Fault(
        "agent.verifying.jose:parse_object", lambda found, *_: found.get("typ") == 2
    ),
    "hotlist_csv": Fault(
        "agent.core.hotlist.intake.compiled_rows:compile_rows",
        lambda found, *_: found.header.identical == 1,
    ),
    "hotlist_ncic": Fault(
        "agent.core.hotlist.intake.compiled_rows:compile_rows",
        lambda found, *_: found.header.skipped == 3,
    ),
    "hotlist_bin": Fault(
        "agent.core.hotlist.compiled_format:parse_header", lambda found, *_: found.expired == 7
    ),
    # a place or a row that does not fit, behind two headers whose lengths do
    "hotlist_changes": Fault("agent.core.hotlist.changes:_fit", lambda found, *_: not found),
    "hotlist_sealed_file": Fault(
        "agent.bundles.hotlist_sealed:parse_manual", lambda found, *_: len(found.acts) == 1
    ),
    "hotlist_key_group": Fault(
        "agent.bundles.hotlist_sealed:key_for",
        lambda found, *_: found is not None and found.startswith(b"12"),
    ),
    "manual_acts": Fault(
        "tests.fuzz.city_targets:parse_manual", lambda found, *_: len(found.acts) == 1
    ),
    "policy": Fault(
        "tests.fuzz.city_targets:require", lambda _, policy, __: len(policy.barred) == 0
    ),
    "charter": Fault(
        "tests.fuzz.city_targets:require", lambda _, __, charter: len(charter.barred) == 3
    ),
    "roster": Fault(
        "tests.fuzz.city_targets:in_place",
        lambda *given: any(one.mount == "vehicle" for one in given[-1].cameras.values()),
    ),
    "profile": Fault(
        "tests.fuzz.city_targets:parse_profile", lambda found, *_: len(found.name) < 3
    ),
    "roster_csv": Fault(
        "tests.fuzz.city_targets:parse_roster_csv", lambda found, *_: len(found) == 3
    ),
    "bundle_metadata": Fault(
        "agent.bundles.metadata_rules:may_sign", lambda found, *_: not found
    ),
    "fetch": Fault("agent.bundles.fetcher:_whole", lambda found, *_: found == 0),
    "generation_facts": Fault(
        "tests.fuzz.bundle_targets:_parse_facts", lambda found, *_: len(found[0].versions) == 0
    ),
    "image_header": Fault("tests.fuzz.device_targets:parse_header", _shape),
    "image": Fault("agent.core.wire.image_header:parse", _shape),
    "video": Fault(
        "agent.camera.video:_decode", lambda found, *_: found[1] is not None and len(found[0]) > 0
    ),
    "settings": Fault(
        "agent.core.text.toml_document:located",
        lambda found, *_: isinstance(found[0].get("camera"), dict)
        and found[0]["camera"].get("width") == 0,
    ),
    "receiver_toml": Fault(
        "agent.core.text.toml_document:located",
        lambda found, *_: isinstance(found[0].get("broker"), dict)
        and found[0]["broker"].get("port") == 0,
    ),
    "http_request": Fault(
        "agent.aim.page_server:parse_view",
        lambda found, *_: len(found.zones) != 1
    ),
    "mailbox": Fault(
        "agent.storage.mailbox:clean_text", lambda found, *_: len(found) > 90
    ),
    "status_files": Fault(
        "agent.core.camera.camera_facts:parse_facts", lambda found, *_: found.profile == "night"
    ),
    "view": Fault("tests.fuzz.device_targets:parse_view", lambda found, *_: len(found.masks) == 1),
    "trusted_time": Fault(
        "tests.fuzz.device_targets:parse_known", lambda found, *_: found.reference is None
    ),
    "checkpoint": Fault(
        "agent.storage.log_notes:parse_note", lambda found, *_: len(found.signatures) == 2
    ),
    "audit_log": Fault(
        "agent.storage.log_reader:opening", lambda found, *_: found.get("kind") == 0
    ),
    "plate_config": Fault(
        "agent.peers.plate_config:yaml.safe_load",
        lambda found, *_: isinstance(found, dict) and isinstance(found.get("padding_color"), dict),
    ),
}  # fmt: skip


def stands_at(fault: Fault) -> tuple[Any, str]:
    """Who has the function, and under which name."""
    module, _, path = fault.place.partition(":")
    *inner, last = path.split(".")
    return reduce(getattr, inner, import_module(module)), last


def plant(name: str) -> None:
    """Put the target's fault in its place."""
    fault = FAULTS[name]
    owner, last = stands_at(fault)
    function = getattr(owner, last)

    def faulty(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        if fault.when(found, *arguments):
            raise PlantedError(name)
        return found

    setattr(owner, last, faulty)
