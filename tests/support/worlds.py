"""Made-up cities for the second model: charter, policy, roster, hot list and the vehicles that
pass, drawn so that each check decides often.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from agent.core.hotlist.index import HotList, hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.policy.barring import Bar, Hours
from agent.core.policy.camera_roster import CameraRoster, RosterCamera, in_place
from agent.core.policy.charter import Charter
from agent.core.policy.policy import HotlistLimits, Policy
from agent.core.reasons import Limit
from agent.core.time.instant import ClockTrust
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.tags import Tags
from tests.support.judging import HEADER, NOON, broker, policy, recipient, rule
from tests.support.second_model import GROUPS, Row, Seen, World

CAMERAS, PLACES = ("cam-1", "cam-2"), ("school", "health-care")
CATEGORIES = ("stolen-vehicle", "amber-alert", "parking")
NAMES, PURPOSES = ("town-pd", "sheriff"), ("stolen-vehicle-recovery", "sale")
KINDS = ("local-law-enforcement", "vendor", "")
STATES = ("US-CA", "US-CA", "US-CO", "US")
SWAPS = {character: group for group in GROUPS for character in group}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Draw:
    """`chance`: a random.Random, or hypothesis's, which can shrink what it drew."""

    chance: object

    def often(self, likely) -> bool:
        return self.chance.random() < likely

    def subset(self, items, likely=0.8) -> frozenset:
        return frozenset(item for item in items if self.often(likely))

    def one(self, *weighted):
        """`(value, weight)` pairs."""
        return self.chance.choices(
            [value for value, _ in weighted], [weight for _, weight in weighted]
        )[0]

    def day(self, least, most) -> date:
        return NOON.date() + timedelta(days=self.chance.randint(least, most))

    def bar(self) -> Bar:
        cameras = self.one(
            (None, 2),
            (frozenset({"cam-1"}), 2),
            (frozenset({"cam-1", "cam-2"}), 1),
            (frozenset({"cam-9"}), 1),
        )
        places = self.one((frozenset(), 3), (frozenset({"school"}), 2), (frozenset({"library"}), 1))
        hours = tuple(self.hours() for _ in range(self.one((0, 1), (1, 3), (2, 2))))
        if not hours and cameras is None and not places:
            hours = (self.hours(),)
        return Bar(cameras, places, hours, "Council resolution")

    def hours(self) -> Hours:
        start = self.chance.choice((0, 600, 720, 721, 1320))
        return Hours(start, (start + self.chance.choice((1, 60, 119, 600))) % 1440)

    def charter(self) -> Charter:
        broken = self.often(0.15)
        return Charter(
            name="Town charter",
            forbidden_recipients=frozenset(
                {"sheriff", "ice"} if broken and self.often(0.4) else {"ice"}
            ),
            forbidden_purposes=frozenset({"sale"} if broken and self.often(0.4) else ()),
            allowed_categories=frozenset(
                CATEGORIES if not broken or self.often(0.6) else CATEGORIES[:2]
            ),
            max_retention_days=20 if broken and self.often(0.4) else 21,
            digest="",
            where="charter.toml",
            lines={},
            forbidden_kinds=frozenset({"vendor"} if broken and self.often(0.4) else ()),
            barred=tuple(self.bar() for _ in range(self.one((0, 3), (1, 1)))),
            allowed_recipients=self.allowed(NAMES, broken),
            allowed_kinds=self.allowed(KINDS, broken),
            allowed_purposes=self.allowed(PURPOSES, broken),
        )

    def allowed(self, names, broken):
        """No list, mostly; else all names, or without one of them."""
        if self.often(0.6):
            return None
        return frozenset(names[1:] if broken and self.often(0.4) else names)

    def rule(self, name):
        return rule(
            rule=name,
            categories=self.subset(CATEGORIES, 0.7),
            match=self.subset(list(MatchLevel), 0.7),
            min_confidence=self.chance.choice((0.0, 0.5, 0.75)),
            max_per_hour=self.chance.choice((1, 1, 1, 2, 3, 4)),  # often spent
            recipient=self.chance.choice(NAMES),
            purpose=self.chance.choice(PURPOSES),
            retention_days=self.chance.choice((2, 20, 21)),
            include=self.subset(("plate", "crop", "camera"), 0.5),
            cameras=self.one((None, 4), (frozenset({"cam-1"}), 1)),
        )

    def stopped(self):
        """Rules that false leads have stopped: mostly none."""
        return self.subset(("a", "b", "c"), 0.3) if self.often(0.3) else frozenset()

    def policy(self) -> Policy:
        return policy(
            releases=tuple(
                self.rule(name) for name in "abc"[: self.one((0, 1), (1, 9), (2, 9), (3, 9))]
            ),
            recipients={
                name: recipient(name, expires=self.day(0, 9), kind=self.chance.choice(KINDS))
                for name in self.subset(NAMES, 0.95)
            },
            brokers=tuple(
                broker(
                    *self.subset((*NAMES, *(["ice"] if self.often(0.02) else [])), 0.9),
                    groups=self.subset(("north", "south"), 0.5) if self.often(0.3) else (),
                )
                for _ in range(self.one((1, 6), (0, 1), (2, 3)))
            ),
            effective=self.day(-9, 0) if self.often(0.9) else self.day(1, 3),
            expires=self.day(1, 12),
            barred=tuple(self.bar() for _ in range(self.one((0, 2), (1, 1)))),
            hotlist=HotlistLimits(max_age_hours=self.chance.choice((24, 72, 168))),
        )

    def plate(self, like="") -> str:
        if not like:
            return "".join(
                self.chance.choice("05S8BXYO1IQ3") for _ in range(self.chance.randint(2, 5))
            )
        characters = [
            self.chance.choice(SWAPS.get(one, one)) if self.often(0.3) else one for one in like
        ]
        return "".join(characters) + ("7" if self.often(0.1) else "")

    def row(self, plates) -> Row:
        source = self.day(-9, 0)
        return Row(
            plate=self.plate(self.chance.choice(plates)),
            state=self.chance.choice(STATES),
            category=self.one(*((name, 6) for name in CATEGORIES), ("never-release", 1)),
            agency=self.one(("Town PD", 3), ("County", 1)),
            case=self.one(("C-1", 1), ("C-2", 1)),
            source_date=source,
            expires=max(source + DAY, self.day(-1, 9)),
            vehicle_class=self.one(("", 4), ("car", 1), ("motorcycle", 1)),
            by_hand=self.often(0.2),
            withdrawn=self.often(0.05),
        )

    def rows(self, plates) -> tuple[Row, ...]:
        rows = [self.row(plates) for _ in range(self.chance.randint(1, 9))]
        again = [
            replace(
                row,
                source_date=row.source_date - self.one((0 * DAY, 1), (DAY, 1)),
                expires=row.expires + DAY,
            )
            for row in rows
            if self.often(0.1)
        ]
        return tuple(rows + again)

    def world(self) -> tuple[World, list[str]]:
        cameras = {
            name: RosterCamera(
                name,
                *("Main Street", self.subset(PLACES, 0.4), "fixed"),
                group=self.chance.choice(("north", "south", "")),
            )
            for name in CAMERAS
        }
        plates = [self.plate() for _ in range(3)]
        made = NOON - timedelta(hours=self.chance.choice((0, 0, 12, 23)))
        return World(
            self.charter(),
            self.policy(),
            CameraRoster("Town", cameras, "", "roster.toml"),
            self.rows(plates),
            made,
            NOON.date(),
        ), plates

    def passing(self, plates, count):
        """Vehicles, in order of time but for a few; the steps are those at which budgets, hours,
        days and lists end.
        """
        at = NOON - self.one((0 * DAY, 8), (DAY, 1), (timedelta(hours=30), 1))
        for _ in range(count):
            clock = self.one(
                (ClockTrust.OS, 30), (ClockTrust.TRUSTED, 30), (ClockTrust.UNTRUSTED, 1)
            )
            yield self.seen(plates, at - timedelta(seconds=60 if self.often(0.05) else 0), clock)
            at += timedelta(
                seconds=self.chance.choice((1, 1, 60, 60, 600, 600, 1200, 3599, 3600, 28_800))
            )

    def seen(self, plates, at: datetime, clock: ClockTrust) -> Seen:
        if self.often(0.01):
            text = ""
        elif self.often(0.93):
            text = self.plate(self.chance.choice(plates))
        else:
            text = self.plate()
        return Seen(
            camera=self.chance.choice(CAMERAS),
            at=at,
            clock=clock.value,
            text=text,
            state=self.one((None, 4), ("US-CA", 4), ("US-CO", 1), ("US", 1)),
            confidence=self.chance.choice((0.06, 0.49, 0.5, 0.75, 0.76, 1.0, 1.0, float("nan"))),
            alternatives=tuple(
                self.plate(self.chance.choice(plates))
                for _ in range(self.one((0, 3), (1, 1), (3, 1)))
            ),
            vehicle_class=self.one((None, 5), ("car", 1)),
            limits=self.one((frozenset(), 9), (frozenset({Limit.CUT_BY_EDGE}), 1)),
        )

    def tags(self) -> Tags:
        """Of a read that was sealed some time ago, by whichever policy."""
        captured = NOON + timedelta(minutes=self.chance.choice((0, 1, 119, -120, -1440)))
        return Tags(
            read_id="0" * 32,
            device=self.chance.choice(CAMERAS),
            sequence=1,
            captured_at=captured,
            clock=self.one(
                (ClockTrust.OS, 20), (ClockTrust.TRUSTED, 20), (ClockTrust.UNTRUSTED, 1)
            ),
            policy_name="Town policy",
            policy_version=6,
            policy_digest="cd" * 32,
            rule=self.chance.choice("aaaabbc"),
            category=self.chance.choice(CATEGORIES),
            match=self.chance.choice(list(MatchLevel)),
            recipient=self.chance.choice(NAMES),
            purpose=self.chance.choice(PURPOSES),
            epoch=captured.date(),
            deadline=captured
            + timedelta(
                days=self.chance.choice((1, 2, 2, 20, 21)),
                microseconds=self.chance.choice((0, 0, 1)),
            ),
        )


def obeyed(world: World) -> Policy:
    """The policy as the world's cameras obey it."""
    return in_place(world.policy, world.charter, world.roster)


def looked_for(world: World) -> HotList:
    """The world's list as `hotlist import` makes it and `watch` holds it."""
    named = {category for one in world.policy.releases for category in one.categories}
    imported, by_hand = (
        compiled([row for row in world.rows if row.by_hand == hand], world)
        for hand in (False, True)
    )
    withdrawn = frozenset(
        (row.plate, row.state, row.category, row.agency, row.case)
        for row in world.rows
        if row.withdrawn
    )
    return hotlist_of(
        imported,
        named,
        max_age=timedelta(hours=world.policy.hotlist.max_age_hours),
        manual=by_hand,
        withdrawn=withdrawn,
    )


def compiled(rows, world):
    lines = [
        ",".join(
            map(
                str,
                (
                    r.plate,
                    r.state,
                    r.category,
                    r.agency,
                    r.case,
                    r.source_date,
                    r.expires,
                    r.vehicle_class,
                ),
            )
        )
        for r in rows
    ]
    text = "\n".join([f"{HEADER},class", *lines]).encode()
    return import_list(
        Source([text], "hotlist.csv", world.made), world.charter.allowed_categories, world.imported
    ).compiled
