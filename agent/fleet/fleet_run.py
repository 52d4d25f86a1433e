"""Hears a city's cameras until it is told to stop: their health into the store, their checkpoints
into the city's log where fleet.toml names it, the page and the metrics, and who is rung.

The composition root of the fleet.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

from agent.audit.trusted_keys import keys_of
from agent.broker.health_link import HealthLink
from agent.city.checkpoint_answers import answers_to
from agent.city.checkpoint_collection import Collection, collect
from agent.city.city_lock import PATIENCE_S, only_writer
from agent.city.city_log import city_log, domain_of
from agent.core.policy.camera_roster import MAX_BYTES as ROSTER_BYTES
from agent.core.policy.camera_roster import parse_roster
from agent.core.text.rfc3339 import rfc3339
from agent.disk.atomic_file import write_atomic
from agent.disk.input_file import read_input
from agent.errors import ConfigError, PlatewardenError
from agent.fleet.camera_troubles import Who
from agent.fleet.fleet_census import Census
from agent.fleet.fleet_intake import names_in, take_in
from agent.fleet.fleet_metrics import as_prometheus
from agent.fleet.fleet_page import MOST_ROWS, fleet_page
from agent.fleet.fleet_settings import FleetSettings, load
from agent.fleet.fleet_store import FleetStore
from agent.fleet.fleet_view import Fleet
from agent.fleet.silence import SilenceRound, look, look_at_broker
from agent.ports import Clock
from agent.receiver.ringing.ring_round import NamedRinger, Tell, named_ringers, turn_each
from agent.storage.log_key import TrustedLogKeys, parts_of
from agent.values import replace

TURN_S, TICK_S, KEYS_EVERY_S = 1.0, 60.0, 600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
MISSING_AFTER_S = 26 * 3_600  # as `audit collect`'s default
RING_POLL_S, _END_S = 5.0, 20.0
_HOUR_S = 3_600


class FleetRun:
    """`folder`: with fleet.toml. `tell`: a line for the operator. Raises ConfigError, UsageError,
    StorageError, EnvelopeRefusedError.
    """

    def __init__(self, folder: Path, clock: Clock, tell: Tell) -> None:
        self.settings = load(folder)
        self._folder, self._clock, self._tell = folder, clock, tell
        self._keys = self._loaded_keys()
        self._store = FleetStore(folder, write=True)
        self._store.enrol(names_in(self._keys))
        self._link: HealthLink | None = None
        self._now_s = clock.monotonic_s
        self._tick_s = self._write_s = self._keys_s = 0.0
        self._collect_s = self._now_s() + TICK_S
        self._pause_s, self._dial_s = FIRST_PAUSE_S, 0.0
        self._away_s: float | None = self._now_s()  # since when the broker is not there
        self._since: datetime | None = None  # since when it is there
        self._said = ""

    @property
    def ringers(self) -> Sequence[str]:
        """Their names."""
        return self.settings.ring.names

    def until(self, stopping: Event) -> None:
        """Run. READY on stderr means that the broker is heard. Raises ConfigError, StorageError
        before it begins where a ringer's secret or program is not as it must be.
        """
        ringers, rung = self.named_ringers(), None
        if ringers:
            rung = Thread(target=self._ring, args=(ringers, stopping), daemon=True)
            rung.start()
        while not stopping.is_set():
            self.turn(stopping)
        if self._link is not None:
            self._link.close()
        if rung:
            rung.join(_END_S)

    def turn(self, stopping: Event) -> None:
        """Hear for a second at most, take in what came, and do what is due. Raises StorageError."""
        if self._heard(stopping):
            self._take()
        if self._now_s() >= self._tick_s:
            self._tick_s = self._now_s() + TICK_S
            self._tick()

    def _heard(self, stopping: Event) -> bool:
        """Is the broker there?"""
        try:
            if self._link is None:
                if self._now_s() < self._dial_s:
                    stopping.wait(TURN_S)
                    return False
                self._connect()
            link = self._link
            return link is not None and link.loop(TURN_S) >= 0
        except PlatewardenError as error:
            self._lost(error)
            return False

    def _connect(self) -> None:
        city = self.settings.city is not None
        link = HealthLink(self._folder / self.settings.broker, with_checkpoints=city)
        link.connect()
        self._link, self._pause_s = link, FIRST_PAUSE_S
        self._away_s, self._since = None, self._clock.now().utc
        self._store.note("link", f"heard since {rfc3339(self._since)}")
        self._say("READY: hears the cameras")
        look_at_broker(self._store, self.ringers, away=False)

    def _lost(self, error: PlatewardenError) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        self._away_s = self._away_s if self._away_s is not None else self._now_s()
        self._since = None
        self._dial_s = self._now_s() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._store.note("link", f"the broker is away: {error.what}")
        self._say(f"{error}; trying again")

    def _say(self, line: str) -> None:
        """What is new, once."""
        if line != self._said:
            self._said = line
            self._tell(line)

    def _take(self) -> None:
        link = self._link
        if link is None or not link.health.messages:
            return
        now_s = int(self._clock.now().utc.timestamp())
        found = take_in(self._store, link.health.taken(), self._keys, now_s)
        if found.refused:
            self._say(f"{found.refused} health messages were refused: see `fleet status`")

    def _tick(self) -> None:
        self._follow_keys()
        now = self._clock.now().utc
        silent_s = self.settings.silent_after_hours * _HOUR_S
        if self._since is not None:
            since_s, now_s = int(self._since.timestamp()), int(now.timestamp())
            rows = tuple(self._store.maybe_silent(now_s - silent_s))
            look(self._store, rows, self.ringers, now_s, since_s, silent_s)
        elif self._away_s is not None and self._now_s() - self._away_s >= silent_s:
            look_at_broker(self._store, self.ringers, away=True)
        if self._now_s() >= self._write_s:
            self._write_s = self._now_s() + 60.0 * self.settings.write_every_minutes
            self._write(now)
        if self.settings.city is not None and self._now_s() >= self._collect_s:
            self._collect_s = self._now_s() + _HOUR_S * self.settings.collect_every_hours
            self._collect(self._folder / self.settings.city)

    def _follow_keys(self) -> None:
        """A newer roster; one that cannot be read changes nothing, and is told."""
        if self._now_s() < self._keys_s:
            return
        self._keys_s = self._now_s() + KEYS_EVERY_S
        try:
            keys = self._loaded_keys()
        except PlatewardenError as error:
            self._say(f"{error}; the keys as they were go on")
            return
        if names_in(keys) != names_in(self._keys):
            self._store.enrol(names_in(keys))
        self._keys = keys

    def _loaded_keys(self) -> TrustedLogKeys:
        settings = self.settings
        root = self._folder / settings.city_root if settings.city_root else None
        keys = of_groups(
            keys_of([self._folder / one for one in settings.keys], root), self._folder, settings
        )
        if settings.city is None:
            return keys
        return replace(keys, domain=domain_of(self._folder / settings.city))

    def _write(self, now: datetime) -> None:
        page, metrics = self.settings.page, self.settings.metrics
        if page is not None or metrics is not None:
            write_seen(
                self._store,
                self.settings,
                now,
                page=None if page is None else self._folder / page,
                metrics=None if metrics is None else self._folder / metrics,
            )

    def _collect(self, city: Path) -> None:
        """The checkpoints that came, into the city's log, and the answers; what is wrong with them
        is leaves there, and a line here.
        """
        link = self._link
        if link is None:
            return
        came, now_s = link.checkpoints.taken(), lambda: int(self._clock.now().utc.timestamp())
        try:
            with only_writer(city, PATIENCE_S), city_log(city) as log:
                done = collect(city, log, (), self._keys, MISSING_AFTER_S, now_s, came)
                answers = tuple(answers_to(city, done, Collection(city, log)))
            link.answer(answers)
        except PlatewardenError as error:
            self._say(f"checkpoints: {error}")
            return
        faults = [one for one in done if one.error]
        self._store.note("collected", rfc3339(self._clock.now().utc))
        self._say(f"checkpoints of {len(done)} logs taken in, {len(faults)} with a fault")

    def _ring(self, ringers: Sequence[NamedRinger], stopping: Event) -> None:
        """In threads and with connections of their own: a ringer that hangs delays no message, and
        no other ringer.
        """

        def turning(named: NamedRinger) -> Callable[[FleetStore], bool]:
            one = SilenceRound(named, self._tell)
            return lambda store: one.turn(store, self._clock.now().utc)

        def opened() -> FleetStore:
            return FleetStore(self._folder, write=True)

        turn_each([turning(one) for one in ringers], opened, self._tell, stopping, RING_POLL_S)

    def named_ringers(self) -> Sequence[NamedRinger]:
        """With their secrets read. Raises ConfigError, StorageError."""
        return named_ringers(self.settings.ring, self._folder)


def of_groups(keys: TrustedLogKeys, folder: Path, settings: FleetSettings) -> TrustedLogKeys:
    """Those of the cameras that are heard here. Raises ConfigError: the roster cannot be read, or
    has no such camera.
    """
    if settings.groups is None:
        return keys
    path, groups = folder / settings.cameras, frozenset(settings.groups)
    text = read_input(path, ROSTER_BYTES, missing="copy the city's roster.toml there")
    ours = parse_roster(text, str(path)).of(groups)
    found = {origin: key for origin, key in keys.keys.items() if parts_of(origin)[0] in ours}
    if not found:
        what = f"no enrolled camera is of group {', '.join(sorted(groups))}"
        raise ConfigError(what, where=path, fix="correct `groups`, or copy a newer roster.toml")
    return replace(keys, keys=found)


def census_of(store: FleetStore, settings: FleetSettings, now: datetime) -> Census:
    """Who counts the store's cameras."""
    return Census(store, now, settings.silent_after_hours)


def seen(
    store: FleetStore,
    settings: FleetSettings,
    now: datetime,
    most: int | None = None,
    skip: int = 0,
    of: Sequence[Who] = tuple(Who),
) -> Fleet:
    """The fleet as the store has it; of its cameras at most so many, after the first `skip`, of
    those who wait for `of`.
    """
    census = census_of(store, settings, now)
    states = census.states(most, skip, of)
    return Fleet(now, states, census.counts(), store.strangers(), store.noted())


def write_seen(
    store: FleetStore,
    settings: FleetSettings,
    now: datetime,
    *,
    page: Path | None,
    metrics: Path | None,
) -> int:
    """The page and Prometheus' text of the same look, each where one is named; how many cameras
    there are. Raises StorageError.
    """
    fleet = seen(store, settings, now, 0 if page is None else MOST_ROWS)
    if page is not None:
        write_atomic(page, fleet_page(fleet).encode(), 0o644)
    if metrics is not None:
        text = as_prometheus(fleet, census_of(store, settings, now).briefs())
        write_atomic(metrics, text.encode(), 0o644)
    return fleet.counts.cameras
