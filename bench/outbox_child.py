"""The measured process of `python -m bench.outbox`: one round over one checkout, the figures as one
JSON line. It runs as a file, in the checkout that is its working folder: nothing of this one comes
with it, and names that have moved since commit 920b943 are looked for in both places.
"""

import hashlib
import importlib
import inspect
import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path[0] = str(Path.cwd())  # not this file's folder

PASSES_A_SECOND, ROUNDS, WARM = 4, 12, 20
BYTES = 12_000  # of one sealed read, in the puts
AT_ONCE = 20  # so many reads a broker sends to our receiver before one is acknowledged


def found(name, *modules):
    """`name` from the first of these modules that is there."""
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except ModuleNotFoundError:
            continue
    message = f"no {name} in {modules}"
    raise ModuleNotFoundError(message)


def cpu_ms(action):
    """Processor time of one call, milliseconds."""
    begun = time.process_time()
    action()
    return (time.process_time() - begun) * 1000


def wall_ms(action):
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1000


@contextmanager
def no_syncs():
    """For what is only made to be measured on."""
    real, os.fsync = os.fsync, lambda _descriptor: None
    try:
        yield
    finally:
        os.fsync = real


class Scene:
    """A policy that lets reads wait, and the parts of watch and deliver around them."""

    def __init__(self, folder, reads):
        self.folder, self.reads = folder, reads
        self.now = found("NOW", "tests.support.delivery_world")
        self.open_log = found("open_log", "tests.support.audit_logs")
        self.outbox_of = found("Outbox", "agent.storage.outbox")
        self.mailbox = importlib.import_module("agent.storage.mailbox")
        self.parties = found("Parties", "tests.support.sealed").make()
        self.verifier = found(
            "EnvelopeVerifier", "agent.verifying.envelope_check", "agent.verifying.envelope"
        )(self.parties.enrolled())
        self.receipt_verifier = found(
            "ReceiptVerifier", "agent.verifying.receipt_check", "agent.verifying.receipt"
        )({})
        rule = found("rule", "tests.support.delivery_world")
        policy_of = found("policy", "tests.support.delivery_world")
        self.policy = policy_of(releases=(rule(rule="stolen-and-amber"),))

    def outbox(self, log):
        return self.outbox_of(self.folder / "outbox", log, self.reads, 65_536)

    def receipts(self):
        return self.mailbox.ReceiptBox(self.folder / "receipts", 4_096)

    def kept_receipts(self, log):
        """As deliver holds them; older checkouts knew the folder alone."""
        try:
            kept = importlib.import_module("agent.storage.kept_receipts")
        except ModuleNotFoundError:
            return self.receipts()
        return kept.KeptReceipts(self.folder / "receipts", log, 4_096)

    def fill(self):
        """Sealed for real: what is measured reads and verifies them."""
        sighting, release = (
            found(name, "tests.support.sealed") for name in ("sighting", "release")
        )
        with no_syncs(), self.open_log(self.folder / "watch") as log:
            log._connection.execute("PRAGMA synchronous = OFF")  # noqa: SLF001 - made, not measured
            outbox, sealer = self.outbox(log), self.parties.sealer()
            for number in range(1, self.reads + 1):
                outbox.put(sealer.seal(sighting(width=64, height=24), release(), number))


def watch_at_rest(scene):
    """CPU of watch's start, of its first round and of a later one."""
    instant = found("Instant", "agent.core.time.instant", "agent.core.instant")(scene.now)
    settler_of = found("Settler", "agent.settlement", "agent.settling")
    asked = inspect.signature(settler_of).parameters
    device = [found("DEVICE", "tests.support.sealed")] if "device" in asked else []
    own = [scene.verifier] if "verifier" in asked else []
    with scene.open_log(scene.folder / "watch") as log:
        outbox, receipts = scene.outbox(log), scene.receipts()
        receipts.clear()
        start_ms = cpu_ms(outbox.recover)
        settler = settler_of(
            scene.policy, *device, outbox, receipts, *own, scene.receipt_verifier, log
        )
        first_ms = cpu_ms(lambda: settler.settle(instant))
        rounds = [cpu_ms(lambda: settler.settle(instant)) for _ in range(ROUNDS)]
        if len(outbox.pending()) != scene.reads:
            raise AssertionError("the policy took reads out")
    return {
        "watch_start_ms": start_ms,
        "watch_first_round_ms": first_ms,
        "watch_round_ms": median(rounds),
    }


def deliver_at_rest(scene):
    """CPU of deliver's passes until all is sent, and of a later pass."""
    clock = found("FakeClock", "tests.fakes.clock")(scene.now)
    publisher = found("FakePublisher", "tests.fakes.network")(("exampleville-pd",))
    route = found("Route", "agent.delivery")(scene.policy, scene.receipt_verifier, publisher)
    with scene.open_log(scene.folder / "deliver") as log:
        attempts = found("Attempts", "agent.storage.attempts")(scene.folder / "attempts.sqlite")
        delivery = found("Delivery", "agent.delivery")(
            found("DEVICE", "tests.support.sealed"),
            scene.mailbox.OutboxReader(scene.folder / "outbox", 65_536),
            scene.verifier,
            scene.kept_receipts(log),
            attempts,
            log,
            clock,
            lambda: 0.0,
        )

        def one_pass():
            delivery.pass_once(route, lambda: None, lambda: False)

        def all_sent():
            while len(publisher.published) < scene.reads:
                one_pass()

        with no_syncs():
            sent_ms = cpu_ms(all_sent)
        passes = []
        for _ in range(ROUNDS):
            clock.advance(1 / PASSES_A_SECOND)
            passes.append(cpu_ms(one_pass))
        if len(publisher.published) != scene.reads:
            raise AssertionError("a read was sent again")
        attempts.close()
    return {"deliver_until_sent_ms": sent_ms, "deliver_pass_ms": median(passes)}


def at_rest(folder, reads):
    """With so many reads waiting for a recipient that does not answer."""
    scene = Scene(folder, reads)
    scene.fill()
    figures = watch_at_rest(scene) | deliver_at_rest(scene)
    a_second = figures["watch_round_ms"] + PASSES_A_SECOND * figures["deliver_pass_ms"]
    return {**figures, "rest_ms_a_second": a_second}


def puts(folder, count):
    """Wall time of a put, and between two of them of the bare file: write, sync, rename, sync of
    the folder; and without the last.
    """
    open_log = found("open_log", "tests.support.audit_logs")
    sealed_read = found("sealed_read", "tests.support.audit_logs")
    bare = folder / "bare"
    bare.mkdir()
    data, times = os.urandom(BYTES), {"put": [], "bare": [], "bare_unsynced_folder": []}

    def write(number, *, sync_folder):
        part = bare / f".{number}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)
        part.rename(bare / str(number))
        if sync_folder:
            descriptor = os.open(bare, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    with open_log(folder / "watch") as log:
        outbox = found("Outbox", "agent.storage.outbox")(
            folder / "outbox", log, count + WARM, 65_536
        )
        for number in range(1, count + WARM + 1):
            sealed = sealed_read(number, size=BYTES)
            taken = {
                "put": wall_ms(lambda sealed=sealed: outbox.put(sealed)),
                "bare": wall_ms(lambda number=number: write(2 * number, sync_folder=True)),
                "bare_unsynced_folder": wall_ms(
                    lambda number=number: write(2 * number + 1, sync_folder=False)
                ),
            }
            if number > WARM:
                for name, ms in taken.items():
                    times[name].append(ms)
    return {f"{name}_ms": median(of) for name, of in times.items()}


def receiver(folder, rows, reads):
    """With so many rows: wall time of a start and of `status`, CPU of taking one read."""
    enrolled = found("Enrolled", "tests.support.receiving")(folder)
    now = found("this_instant", "tests.support.receiving")()
    place = enrolled.place
    status = found("status", "agent.receiver.receiver_status", "agent.receiver.status")
    fill(place, folder / "store", rows, now)

    def start():
        store = place.store()
        (getattr(store, "recover", None) or store.remove_strays)()
        place.tidy(now)
        return store

    start_ms = wall_ms(lambda: start().close())
    status_ms = wall_ms(lambda: status(place, now))
    keys = enrolled.key_list()
    enrolled._sequence = rows  # noqa: SLF001 - as if it had sealed them all
    sealed = [enrolled.seal(key_list=keys).wire for _ in range(2 * reads + WARM)]
    store = start()
    intake = found("Intake", "agent.receiver.intake")(
        place.recipient, place.opener(), store, place.signer()
    )
    take(intake, sealed[:WARM], now, 1)
    alone_ms = cpu_ms(lambda: take(intake, sealed[WARM : WARM + reads], now, 1))
    taking_ms = cpu_ms(lambda: take(intake, sealed[WARM + reads :], now, AT_ONCE))
    store.close()
    return {
        "receiver_start_ms": start_ms,
        "receiver_status_ms": status_ms,
        "receiver_read_cpu_ms": taking_ms / reads,
        "receiver_read_alone_cpu_ms": alone_ms / reads,
    }


def take(intake, wires, now, at_once):
    """In groups of so many; older checkouts take one at a time."""
    for first in range(0, len(wires), at_once):
        group = wires[first : first + at_once]
        if hasattr(intake, "take_all"):
            intake.take_all(group, now)
        else:
            for wire in group:
                intake.take(wire, now)


def fill(place, folder, rows, now):
    """Rows and files of reads that came before, past every check: they are only there."""
    device = found("DEVICE", "tests.support.sealed")
    store = place.store()
    moment, later = "2026-01-01T00:00:00.000Z", f"{now.utc.year + 1}-01-01T00:00:00.000Z"
    ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1, rows + 1)]
    index = store._index  # noqa: SLF001 - a hundred thousand rows in a second
    index.execute("BEGIN")
    index.executemany(
        "INSERT INTO reads VALUES (?, ?, ?, ?, ?, ?)",
        ((device, one[:32], number, later, one, moment) for number, one in enumerate(ids, start=1)),
    )
    index.executemany(
        "INSERT INTO sequences (device, sequence) VALUES (?, ?)",
        ((device, number) for number in range(1, rows + 1)),
    )
    if index.execute("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").fetchone():
        index.execute("INSERT INTO runs VALUES (?, 1, ?)", (device, rows))
    index.execute("COMMIT")
    store.close()
    for one in ids:
        (folder / f"{device}.{one[:32]}.sealed").touch()


def main():
    folder = Path(sys.argv[1])
    reads, count, rows, taken = map(int, sys.argv[2:])
    figures = {}
    for name, measured in (
        ("rest", lambda place: at_rest(place, reads)),
        ("puts", lambda place: puts(place, count)),
        ("receiver", lambda place: receiver(place, rows, taken)),
    ):
        (folder / name).mkdir()
        figures |= measured(folder / name)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
