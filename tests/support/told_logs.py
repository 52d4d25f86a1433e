"""Logs of a camera and its city that tell one sound story, made at random, and written to disk; for
tests of what an auditor asks of them.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from agent.audit.log_verify import verify
from agent.core.log.checkpoint import origin_of
from agent.core.text.rfc3339 import rfc3339
from agent.core.time.instant import ClockTrust, Instant
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import TrustedLogKeys
from tests.support.audit_logs import KEY

FIRST = datetime(2027, 3, 1, 5, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
RECIPIENTS = ("exampleville-pd", "county-sheriff")
CITY = "exampleville"
RULE = {"rule": "stolen", "purpose": "stolen-vehicle-recovery", "category": "stolen-vehicle"}


@dataclass
class Leaf:
    at: datetime
    kind: str
    details: dict

    def copy(self):
        return Leaf(self.at, self.kind, dict(self.details))


@dataclass
class Told:
    """`logs`: leaves in their order, by camera and process; `status`: of each recipient; `domains`:
    of the cameras whose logs are named by one.
    """

    logs: dict[tuple[str, str], list[Leaf]] = field(default_factory=dict)
    status: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)

    def copy(self):
        logs = {name: [leaf.copy() for leaf in leaves] for name, leaves in self.logs.items()}
        return Told(logs, deepcopy(self.status), dict(self.domains))

    def find(self, camera, process, *kinds):
        """The numbers of all leaves of these kinds."""
        leaves = self.logs[camera, process]
        return [number for number, leaf in enumerate(leaves) if leaf.kind in kinds]


class Teller:
    """Tells a camera's life at random, one leaf after the other in each of its logs."""

    def __init__(self, chance, camera, told, new_lists):
        self.chance, self.camera, self.told, self.new_lists = chance, camera, told, new_lists
        self.at, self.waiting, self.numbers, self.made = FIRST, [], dict.fromkeys(RECIPIENTS, 0), 0
        self.watch = told.logs[camera, "watch"] = []
        self.deliver = told.logs[camera, "deliver"] = []
        self.version, self.digest = 0, "none"

    def add(self, log, kind, **details):
        self.at += timedelta(seconds=self.chance.randrange(1, 4))
        log.append(Leaf(self.at, kind, details))

    def life(self, runs):
        for number in range(runs):
            self.run(last=number == runs - 1)
            self.at += self.chance.choice((timedelta(minutes=1), 5 * HOUR))
        return self.numbers

    def run(self, *, last):
        self.take_list()
        self.add(self.watch, "start", hotlist_digest=self.digest, policy_version=7)
        self.add(self.deliver, "start", policy_version=7)
        begun, hours = self.at, self.chance.randrange(0, 9)
        hour = begun.replace(minute=0, second=0, microsecond=0)
        for _ in range(hours):
            for _ in range(self.chance.randrange(3)):
                self.release()
            self.settle()
            if self.chance.random() < 0.1:
                self.clock_changes()
                hour = self.at.replace(minute=0, second=0, microsecond=0)
            hour += HOUR
            self.at = max(self.at, hour)
            self.add(self.watch, "counts", hour=rfc3339(hour - HOUR), sightings=9)
            self.add(self.deliver, "counts", counts={})
            self.take_list()
            self.add(self.watch, "policy", hotlist_digest=self.digest, policy_version=7)
        if last or self.chance.random() < 0.7:
            self.settle(all_of_them=True)
            self.add(self.watch, "counts", hour=rfc3339(hour), sightings=1)
            for log in (self.watch, self.deliver):
                self.add(log, "stop")

    def clock_changes(self):
        for log in (self.watch, self.deliver):
            self.add(log, "clock", what="the machine's clock was set")
        self.at += self.chance.choice((-1, 1, 3)) * HOUR
        for log in (self.watch, self.deliver):
            self.add(log, "clock", what="trusted again")

    def take_list(self):
        """A newer list, or the same one renewed, which no leaf of the city tells."""
        if self.chance.random() > 0.4 and self.version:
            return
        self.version += self.chance.randrange(1, 3)
        newest = max(one for one in self.new_lists if one <= self.version)
        self.digest = f"list-{self.camera}-{newest}"
        versions = {"hotlist": self.version, "policy": 7}
        self.add(self.watch, "bundles", city=CITY, versions=versions)

    def release(self):
        recipient, self.made = self.chance.choice(RECIPIENTS), self.made + 1
        self.numbers[recipient] += 1
        read = f"{self.camera}-{self.made:032x}"
        end = {"read": read, "recipient": recipient}
        details = {**end, **RULE, "sequence": self.numbers[recipient], "match": "exact"}
        details["deadline"] = rfc3339(self.at + timedelta(days=21))
        self.add(self.watch, "release", **details)
        self.waiting.append(end)

    def settle(self, *, all_of_them=False):
        for end in list(self.waiting):
            if not all_of_them and self.chance.random() < 0.4:
                continue
            self.waiting.remove(end)
            kind = self.chance.choice(("receipt", "receipt", "receipt", "expired", "withdrawal"))
            more = {"outcome": "stored"} if kind == "receipt" else {"reason": "deadline-passed"}
            if kind == "receipt" or self.chance.random() < 0.5:
                self.add(self.deliver, kind, **end, **more)
            self.add(self.watch, kind, **end, **more)


def some_story(chance, cameras=2):
    """Cameras, their city and what their recipients say: everything as it should be."""
    told = Told(status={name: {} for name in RECIPIENTS})
    new_lists = [1, *sorted(chance.sample(range(2, 200), 120))]
    for number in range(1, cameras + 1):
        camera = f"camera-{number}"
        teller = Teller(chance, camera, told, new_lists)
        numbers = teller.life(chance.randrange(1, 4))
        for name in RECIPIENTS:
            told.status[name][camera] = {"highest": numbers[name], "missing": [], "twice": []}
    acts = [Leaf(FIRST - HOUR, "hotlist", {"act": "publish", "version": one}) for one in new_lists]
    acts.append(Leaf(FIRST + timedelta(days=30), "hotlist", {"act": "import"}))
    told.logs[CITY, "city"] = acts
    return told


def write(told, folder):
    """Every log on disk, verified; in the order of their names."""
    keys = TrustedLogKeys({"": KEY.public_key()}, "test")
    reports = []
    for (camera, process), leaves in told.logs.items():
        place, times = folder / camera / process, iter([leaf.at for leaf in leaves])
        origin = origin_of(camera, process, told.domains.get(camera, ""))
        with AuditLog(place / "log.sqlite", origin, KEY, partial(_next, times)) as log:
            log._connection.execute("PRAGMA synchronous = OFF")  # a test may lose it to a power cut
            for leaf in leaves:
                log.append(leaf.kind, leaf.details)
        reports.append(verify(place, keys))
    return reports


def _next(times):
    return Instant(next(times), ClockTrust.OS)
