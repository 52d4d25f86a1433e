"""Collects a camera's state from its files, for `status`: reads only, and says of each part that
cannot be read why.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.boundary import document
from agent.bundles.city_folder import CityFolder
from agent.bundles.follower import REFUSALS, parse_refusals
from agent.bundles.generation import Generation
from agent.bundles.generation_store import BundleStore
from agent.core.camera import camera_facts, hotlist_facts
from agent.core.log import link_facts
from agent.core.log.checkpoint import origin_of
from agent.core.log.collected import MAX_ANSWER_BYTES, parse_answer
from agent.core.log.floor import FILE_NAME as FLOOR
from agent.core.log.leaf import LeafKind
from agent.core.policy.policy import Policy
from agent.core.text.rfc3339 import from_posix_s, rfc3339
from agent.core.time.trusted_time import MAX_BYTES, SignedTime, judge, parse_known
from agent.disk.atomic_file import read_bounded
from agent.errors import PlatewardenError
from agent.host.clock import BUILD_TIME, FILE_NAME, LinuxMachine
from agent.settings import Settings
from agent.sides.signed_city import BUNDLES, key_reach, sentence
from agent.sides.software import software_state
from agent.storage.growth_mailbox import WITNESSED
from agent.storage.leads.outcome_box import OutcomeBox
from agent.storage.leads.released_leads import stopped_rules
from agent.storage.log_growth import told_size, witnessed_at
from agent.storage.log_notes import known_floor
from agent.storage.log_reader import beginning, database_of, recent, rehearsals
from agent.storage.mailbox import OutboxReader, ReceiptBox
from agent.values import asdict
from agent.verifying.device_public_file import load_device_public

PROCESSES = ("watch", "deliver", "walls")
SEALS = "watch"
NOT_VERIFIED = "no bundles were verified yet"
MAX_SMALL_BYTES = 65_536
LAST_HOURS = 24


def collect(settings: Settings) -> dict[str, object]:
    """Everything, as plain values.

    Raises nothing that a damaged or unreadable part could cause: that part says so.
    """
    now = LinuxMachine().look().wall
    enrolled = settings.anchor.exists()
    verified = {process: _verified(settings, process) for process in PROCESSES} if enrolled else {}
    state: dict[str, object] = {
        "camera": settings.camera_id,
        "at": rfc3339(now),
        "enrolled": enrolled,
    }
    if enrolled:
        state["processes"] = {
            process: _process(settings, process, found, now) for process, found in verified.items()
        }
    else:
        state["unsigned_policy"] = _part(lambda: _policy(CityFolder(settings.city).policy(), now))
    state["software"] = _part(lambda: software_state.collect(settings))
    state["keys"] = _part(lambda: _keys(settings, verified, now))
    state["rules"] = _part(lambda: _rules(settings, verified))
    state["outbox"] = _part(lambda: _outbox(settings))
    state["log"] = _part(lambda: _log(settings))
    state["witnesses"] = _part(lambda: _witnesses(settings, verified.get(SEALS)))
    state["last_hours"] = _part(lambda: _recent(settings, now))
    state["delivery"] = _part(lambda: _delivery(settings.state / "deliver" / link_facts.NAME))
    state["hotlist"] = _part(lambda: _hotlist(settings.state / "watch" / hotlist_facts.NAME, now))
    state["camera_health"] = _part(lambda: _camera(settings.state / "watch" / camera_facts.NAME))
    state["rehearsal"] = _part(lambda: asdict(rehearsals(database_of(settings.state / "watch"))))
    return state


def _verified(settings: Settings, process: str) -> Generation | str:
    """The bundles that a process obeys, or why it has none. Every file is hashed, so once only."""
    bundles = settings.state / process / BUNDLES
    try:
        store = BundleStore(bundles, settings.anchor, settings.limits, rig=settings.rig)
        return store.current() or NOT_VERIFIED
    except (PlatewardenError, OSError) as error:
        return str(error)


def _process(
    settings: Settings, process: str, generation: Generation | str, now: datetime
) -> dict[str, object]:
    folder = settings.state / process
    found: dict[str, object] = {"refusals": _part(lambda: _refusals(folder / BUNDLES / REFUSALS))}
    if isinstance(generation, str):
        return {**found, "problem": generation, "clock": _part(lambda: _clock(folder, None))}
    found["clock"] = _part(lambda: _clock(folder, generation))
    policy = _part(lambda: _policy(CityFolder(generation.city).policy(), now))
    return {**found, "problem": None, "policy": policy, "bundles": _bundles(generation, now)}


def _keys(
    settings: Settings, verified: Mapping[str, Generation | str], now: datetime
) -> dict[str, object]:
    """Until when reads can be sealed, by recipient and rule, as watch would seal now."""
    generation = verified.get(SEALS)
    if isinstance(generation, str):
        return {"problem": generation}
    city = CityFolder(generation.city if generation else settings.city)
    found: list[dict[str, object]] = []
    for one in key_reach(city, city.policy(), now.date()):
        soon = any(reach.ends_soon(now.date()) for reach in one.reach)
        told = [one.fault] if one.fault else [reach.told() for reach in one.reach]
        reach = [
            {
                "rule": reach.rule,
                "until": reach.until.isoformat() if reach.until else None,
                "keys_end": reach.keys_end.isoformat(),
                "retention_days": reach.retention_days,
            }
            for reach in one.reach
        ]
        found.append(
            {
                "recipient": one.recipient,
                "told": told,
                "ends_soon": soon or bool(one.fault),
                "sealable": reach,
            }
        )
    return {"recipients": found}


def _rules(settings: Settings, verified: Mapping[str, Generation | str]) -> dict[str, object]:
    """Those of watch's policy that false leads have stopped."""
    generation = verified.get(SEALS)
    if isinstance(generation, str):
        return {"problem": generation}
    version = CityFolder(generation.city if generation else settings.city).policy().version
    database = database_of(settings.state / "watch")
    return {"policy_version": version, "stopped": list(stopped_rules(database, version))}


def _bundles(generation: Generation, now: datetime) -> dict[str, object]:
    roles = [
        {
            "role": role,
            "version": version,
            "expires": rfc3339(generation.expiry[role]) if role in generation.expiry else None,
            "signed_by": list(generation.facts.signed_by.get(role, ())),
        }
        for role, version in sorted(generation.versions.items())
    ]
    lapses = [
        {"role": lapse.role, "stops": str(lapse.stops), "what": sentence(lapse)}
        for lapse in generation.lapsed(now)
    ]
    city = generation.facts.city
    return {
        "city": city.id,
        "name": city.name,
        "rig": city.rig,
        "issued": rfc3339(generation.issued),
        "roles": roles,
        "lapses": lapses,
    }


def _policy(policy: Policy, now: datetime) -> dict[str, object]:
    return {
        "name": policy.name,
        "version": policy.version,
        "digest": policy.digest,
        "expires": policy.expires.isoformat(),
        "in_force": policy.in_force(now),
    }


def _clock(folder: Path, generation: Generation | None) -> dict[str, object]:
    """What this process's clock would say now, from what it last wrote down."""
    path = folder / FILE_NAME
    known = parse_known(read_bounded(path, MAX_BYTES), str(path)) if path.exists() else None
    signed = SignedTime(generation.issued, generation.expiry["timestamp"]) if generation else None
    verdict = judge(LinuxMachine().look(), known, signed, BUILD_TIME)
    return {"trust": str(verdict.trust), "why": verdict.why}


def _refusals(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    return parse_refusals(read_bounded(path, MAX_SMALL_BYTES))


def _outbox(settings: Settings) -> dict[str, object]:
    """What waits, and what lies in the mailboxes that belongs to nothing: no process lists such
    files, so they are counted here.
    """
    limits = settings.limits
    outbox = OutboxReader(settings.outbox, limits.max_envelope_bytes)
    waiting, receipts = outbox.pending(), ReceiptBox(settings.receipts, limits.max_receipt_bytes)
    outcomes = OutcomeBox(settings.receipts, limits.max_receipt_bytes)
    # receipts of reads that have just left are deliver's to tidy away
    strange = len(outbox.strangers()) + len({*receipts.strangers(), *outcomes.strangers()})
    return {"waiting": len(waiting), "most": limits.max_outbox_reads, "strange": strange}


def _log(settings: Settings) -> dict[str, object]:
    """How watch's log began, and whether it is the newest that is known (floor_file.py)."""
    begun = beginning(database_of(settings.state / "watch"))
    public = load_device_public(settings.device)
    key = Ed25519PublicKey.from_public_bytes(public.watch_log)
    origin = origin_of(public.device, "watch", public.domain)
    floor = known_floor(settings.receipts / FLOOR, origin, key)
    signed = floor.height if floor else 0
    return {**asdict(begun), "put_back": signed > begun.missing + begun.leaves, "signed": signed}


def _witnesses(settings: Settings, generation: Generation | str | None) -> dict[str, object]:
    """How far watch's log is witnessed, as watch found it, held against the charter in force."""
    if not isinstance(generation, Generation):
        return {"demanded": False}
    rules = CityFolder(generation.city).witnesses()
    if rules is None:
        return {"demanded": False}
    at_s, size = None, 0
    file = settings.state / "watch" / WITNESSED
    if file.exists():
        with document("the city's answer to watch", file):
            answer = parse_answer(read_bounded(file, MAX_ANSWER_BYTES))
            at_s, size = witnessed_at(answer, rules), told_size(answer)
    close = rules.close_after_s
    return {
        "demanded": True,
        "by": str(rules.policy),
        "leaves": size if at_s is not None else 0,
        "at": from_posix_s(at_s) if at_s is not None else None,
        "closes_at": from_posix_s(at_s + close) if at_s is not None and close else None,
    }


def _recent(settings: Settings, now: datetime) -> dict[str, object]:
    """In numbers. Watch logs its counts when an hour ends, so the running one is missing."""
    since = rfc3339(now.astimezone(UTC) - timedelta(hours=LAST_HOURS))
    found = recent(database_of(settings.state / "watch"), since)
    return {
        "hours": LAST_HOURS,
        "vehicles": found.sightings,
        "unreadable": found.unreadable,
        "on_the_list": found.listed(),
        "sealed": found.leaves[LeafKind.RELEASE],
        "receipts": found.leaves[LeafKind.RECEIPT],
        "rejected": found.rejected,
        "dropped": dict(sorted(found.reasons.items())),
    }


def _delivery(path: Path) -> dict[str, object]:
    if not path.exists():
        return {"problem": "deliver has not run yet"}
    with document("what deliver says of its links", path):
        facts = link_facts.parse_facts(read_bounded(path, link_facts.MAX_BYTES), str(path))
    return {
        "changed_at": rfc3339(facts.at),
        "running": facts.running,
        "links": [
            {
                "broker": link.broker,
                "connected": not link.why,
                "since": rfc3339(link.since),
                "why": link.why,
            }
            for link in facts.links
        ],
        "why": facts.why,
        "since": rfc3339(facts.since) if facts.since else None,
    }


def _hotlist(path: Path, now: datetime) -> dict[str, object]:
    if not path.exists():
        return {"problem": "watch has not run yet"}
    facts = hotlist_facts.parse_facts(read_bounded(path, hotlist_facts.MAX_BYTES))
    if facts.as_of is None:
        return {"problem": hotlist_facts.NONE}
    age_h = round((now - facts.as_of.astimezone(UTC)).total_seconds() / 3600, 1)
    return {
        "as_of": rfc3339(facts.as_of),
        "age_hours": age_h,
        "stale_after": rfc3339(facts.stale_after),
        "digest": facts.digest,
    }


def _camera(path: Path) -> dict[str, object]:
    if not path.exists():
        return {"problem": "watch has not run yet"}
    facts = camera_facts.parse_facts(read_bounded(path, camera_facts.MAX_BYTES))
    alarms = {str(alarm): rfc3339(since) for alarm, since in facts.alarms.items()}
    return {
        "changed_at": rfc3339(facts.at),
        "profile": facts.profile,
        "alarms": alarms,
        "stalls": facts.stalls,
        "frames": facts.frames,
        "dropped": facts.dropped,
    }


def _part(read: Callable[[], object]) -> object:
    """One part of the state, or why it cannot be told."""
    try:
        return read()
    except PlatewardenError as error:
        return {"problem": str(error)}
    except Exception as error:  # noqa: BLE001 - one odd part must not hide the others
        return {"problem": f"cannot be read ({type(error).__name__})"}


def as_table(value: object) -> Mapping[str, object]:
    """A part as a table; empty for any other value."""
    return value if isinstance(value, dict) else {}
