"""A city on disk with its archive, its cameras' logs and its own log, for tests of the report: all
from bundles and leaves that are made here, with keys that the signed roster holds.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.bundles.layout import POLICY, POLICY_PATH, TIMESTAMP
from agent.core.log.checkpoint import origin_of
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.receipt import Disposition
from agent.verifying.roster_check import TYP, Roster, format_roster
from tests.support.audit_logs import KEY, jwk
from tests.support.bundle_city import BundleCity
from tests.support.sealed import sign_compact
from tests.support.told_logs import HOUR, Leaf, Told, write

ROOT_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
BEGUN = datetime(2026, 10, 30, 6, tzinfo=UTC)
FIRST_DAY = datetime(2026, 11, 1, tzinfo=UTC)
CAMERAS = ("county-road-9", "main-street-2")
PD, COUNTY = "exampleville-pd", "example-county-sheriff"
DOMAIN = "exampleville.gov"
RULES = {PD: "stolen-and-amber", COUNTY: "amber-to-county"}
CITY_LOG = ("exampleville", "city")


@dataclass
class ReportedCity:
    """`folder`: as `--city` takes it; `told`: the logs, to be changed before `log()`."""

    folder: Path
    city: BundleCity
    told: Told

    @property
    def logs(self):
        return self.folder.parent / "logs"

    @property
    def key(self):
        return self.folder.parent / "city-log.json"

    def publish(self, days=0.0):
        """The daily job, some time later; the timestamp before it stays in the archive."""
        current = self.city.published["metadata/timestamp.json"]
        version = self.city.metadata[TIMESTAMP].signed.version
        self.city.published[f"metadata/{version}.timestamp.json"] = current
        self.city.now += timedelta(days=days)
        self.city.online()

    def log(self):
        """Write the logs; the city's folder with them."""
        write(self.told, self.logs)
        self.city.write(self.folder / "repository")
        keys = {"device": CITY_LOG[0], "city_log": jwk(KEY)}
        domain = self.told.domains.get(CITY_LOG[0])
        self.key.write_text(json.dumps(keys | ({"domain": domain} if domain else {})))
        return self


def reported_city(folder, releases=None):
    """November 2026 in Exampleville. `releases`: how many by camera and recipient."""
    raw = KEY.public_key().public_bytes_raw()
    roster = Roster(
        "City of Exampleville",
        BEGUN,
        dict.fromkeys(CAMERAS, raw),
        logs=dict.fromkeys(CAMERAS, (raw, raw)),
    )
    files = {
        "policy/roster.jws": sign_compact(ROOT_KEY, TYP, format_roster(roster)),
        "policy/root.json": json.dumps(jwk(ROOT_KEY)).encode(),
    }
    made = ReportedCity(folder / "city", BundleCity(BEGUN, files={POLICY: files}), Told())
    policy = made.city.files[POLICY][POLICY_PATH]
    made.publish(15)
    made.city.files[POLICY][POLICY_PATH] = policy.replace(b"version = 7", b"version = 8", 1)
    made.city.release(POLICY)
    for _ in range(16):
        made.publish(1)
    standard = {("main-street-2", PD): 12, ("county-road-9", PD): 3, ("county-road-9", COUNTY): 7}
    for camera in CAMERAS:
        of_camera(made.told, camera, releases or standard)
    acts = [
        ("add", FIRST_DAY + 2 * HOUR),
        ("approve", FIRST_DAY + 3 * HOUR),
        ("add", FIRST_DAY + 4 * HOUR),
    ]
    made.told.logs[CITY_LOG] = [
        Leaf(at, "hotlist", {"act": act, "category": "stolen-vehicle", "agency": "Example PD"})
        for act, at in acts
    ]
    return made


def of_camera(told, camera, releases):
    """Forty hours of one camera."""
    watch, deliver, at = [], [], FIRST_DAY + timedelta(minutes=5)
    told.logs[camera, "watch"], told.logs[camera, "deliver"] = watch, deliver
    policy = {"policy": "City of Exampleville ALPR policy", "policy_version": 7}
    runs = {"software": "1.4.0", "software_sha256": "cd" * 32}
    watch.append(Leaf(at, "start", {**policy, "policy_digest": "ab" * 32, **runs}))
    deliver.append(Leaf(at, "start", policy))
    sent = [name for (one, name), n in releases.items() if one == camera for _ in range(n)]
    numbers = dict.fromkeys(RULES, 0)
    for hour in range(40):
        at = FIRST_DAY + hour * HOUR + timedelta(minutes=20)
        if hour < len(sent):
            numbers[sent[hour]] += 1
            one_read(told, camera, at, sent[hour], numbers[sent[hour]])
        reasons = {"no-hotlist-match": 40} | ({"hotlist-stale": 2} if hour in {3, 4} else {})
        counts = {"hour": rfc3339(FIRST_DAY + hour * HOUR), "sightings": 42, "unreadable": 1}
        end = FIRST_DAY + (hour + 1) * HOUR
        watch.append(Leaf(end, "counts", {**counts, "reasons": reasons}))
        deliver.append(Leaf(end, "counts", {"counts": {}}))
    refused = {"reason": "destination-not-in-policy", "what": "connect to 198.51.100.7:443"}
    deliver.append(Leaf(end, "refusal", refused))
    watch.append(Leaf(end, "clock", {"what": "the clock was set"}))
    for log in (watch, deliver):
        log.append(Leaf(end + timedelta(minutes=1), "stop", {}))


def one_read(told, camera, at, recipient, number):
    """Released, and received; each third one withdrawn."""
    read = {"read": f"{camera}-{recipient}-{number}", "recipient": recipient}
    details = {**read, "sequence": number, "rule": RULES[recipient], "match": "exact"}
    details |= {"category": "stolen-vehicle", "purpose": "stolen-vehicle-recovery"}
    told.logs[camera, "watch"].append(
        Leaf(at, "release", {**details, "deadline": rfc3339(at + timedelta(days=21))})
    )
    if number % 3:
        end = {**read, "outcome": "stored"}
        told.logs[camera, "deliver"].append(Leaf(at, "receipt", end))
        told.logs[camera, "watch"].append(Leaf(at, "receipt", end))
    else:
        end = {**read, "reason": "rule-not-in-policy"}
        told.logs[camera, "watch"].append(Leaf(at, "withdrawal", end))


def report_outcomes(made):
    """What recipients said of the reads that they stored: of each five, one of each kind."""
    said = [one.value for one in Disposition]
    for camera in CAMERAS:
        leaves = made.told.logs[camera, "watch"]
        stored = [one.details for one in leaves if one.kind == "receipt"]
        for number, end in enumerate(stored):
            details = {**end, "rule": RULES[end["recipient"]], "category": "stolen-vehicle"}
            details |= {"outcome": said[number % len(said)], "reported": rfc3339(leaves[-1].at)}
            leaves.insert(-2, Leaf(leaves[-2].at, "outcome", details))


def report_holds(made):
    """A recipient's hold log: one hold of six reads, of which three were opened, until its end."""
    at, hold = FIRST_DAY + 9 * HOUR, {"hold": "ab" * 16}
    window = {"since": rfc3339(FIRST_DAY), "until": rfc3339(FIRST_DAY + HOUR)}
    begin = {**hold, **window, "camera": CAMERAS[0], "expires": rfc3339(at + 2 * HOUR)}
    reads = [{**hold, "camera": CAMERAS[0], "read": f"{number:032x}"} for number in range(6)]
    made.told.logs[PD, "hold"] = [
        Leaf(at, "hold", {"act": "begin", **begin}),
        *(Leaf(at, "hold", {"act": "keep", **read}) for read in reads),
        *(Leaf(at + HOUR, "hold", {"act": "open", **read}) for read in reads[:3]),
        Leaf(at + 3 * HOUR, "hold", {"act": "end", **hold, "reads": 6}),
    ]
    key = made.key.with_name("hold-log.json")
    key.write_text(json.dumps({"device": PD, "hold_log": jwk(KEY)}))
    return key


def named_by_domain(made):
    """The newer camera's logs and the city's; the older camera's logs keep their names."""
    made.told.domains |= dict.fromkeys((CAMERAS[1], CITY_LOG[0]), DOMAIN)


def closings_and_checkpoints(made):
    """What came to logs last: rules that false leads stopped, witnesses who were asked for and did
    not come, and the checkpoints that the city's log took in.
    """
    watch = made.told.logs[CAMERAS[1], "watch"]
    stopped = {"reason": Reason.FALSE_LEADS, "rule": RULES[PD], "recipient": PD, "false_leads": 3}
    closed = {"reason": Reason.NOT_WITNESSED, "what": "unwitnessed since 2026-11-01T00:00:00.000Z"}
    for kind, details in (
        ("checkpoint", {"outcome": "demanded", "by": "2 of 3", "close_after_s": 108_000}),
        ("refusal", stopped),
        ("refusal", closed),
        ("checkpoint", {"outcome": "witnessed", "at": rfc3339(watch[-1].at)}),
    ):
        watch.insert(-2, Leaf(watch[-2].at, kind, details))
    dropped = {Reason.FALSE_LEADS: 7, Reason.NOT_WITNESSED: 2}
    next(one for one in watch if one.kind == "counts").details["reasons"] |= dropped
    for camera in CAMERAS:
        leaves = made.told.logs[camera, "watch"]
        origin = origin_of(camera, "watch", made.told.domains.get(camera, ""))
        told = {"log": origin, "outcome": "first", "size": len(leaves), "root": "ab" * 32}
        made.told.logs[CITY_LOG].append(Leaf(leaves[-1].at, "checkpoint", told))
