"""The stages of each process at which a round may kill or stop it: the product's own functions,
wrapped in the test's process. The product has no switch for it.
"""

import functools
import importlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TARGET, LOG = "target.json", "stages.log"


@dataclass(frozen=True, slots=True)
class Stage:
    """`where`: module:attribute of the function; `after`: once it has returned, else before.

    `at_start`: reached only while the process starts.
    """

    name: str
    where: str
    after: bool = False
    at_start: bool = False


WATCH = (
    Stage("the log is open", "agent.storage.audit_log:AuditLog.__init__", True, True),
    Stage("what a crash left is mended", "agent.storage.outbox:Outbox.recover", True, True),
    Stage("the read is sealed", "agent.sealing.sealer:Sealer.seal", True),
    Stage("the bytes are synced under a hidden name", "agent.storage.outbox:write_new", True),
    Stage("inside the transaction", "agent.storage.outbox:Outbox._forget_finished", True),
    Stage("the release's leaf is committed", "agent.storage.outbox:publish"),
    Stage("the read is visible", "agent.storage.outbox:publish", True),
    Stage("a receipt has come", "agent.settlement:Settler._settle_receipt"),
    Stage("the removal's leaf is committed", "agent.storage.outbox:remove"),
    Stage("the read is removed", "agent.storage.outbox:remove", True),
    Stage("the log's floor is written", "agent.storage.floor_file:FloorWriter.write", True),
)
DELIVER = (
    Stage("the log is open", "agent.storage.audit_log:AuditLog.__init__", True, True),
    Stage("the attempts are open", "agent.storage.attempts:Attempts.__init__", True, True),
    Stage(
        "what a crash left is mended",
        "agent.storage.kept_receipts:KeptReceipts.recover",
        True,
        True,
    ),
    Stage("before it dials", "agent.mqtt.driver:Driver.connect", False, True),
    Stage("the broker has accepted", "agent.network.broker_link:BrokerLink.connect", True, True),
    Stage("before a read goes out", "agent.network.broker_link:BrokerLink.publish"),
    Stage("a read went out", "agent.network.broker_link:BrokerLink.publish", True),
    Stage("the broker has acknowledged", "agent.ledger:Ledger.book"),
    Stage("the attempt is booked", "agent.ledger:Ledger.book", True),
    Stage("a receipt has come", "agent.verifying.receipt_check:ReceiptVerifier.verify"),
    Stage("the receipt's leaf is committed", "agent.storage.mailbox:ReceiptBox.show"),
    Stage("the receipt is visible", "agent.storage.mailbox:ReceiptBox.show", True),
    Stage("before a settled receipt goes", "agent.storage.mailbox:ReceiptBox.remove"),
)
RECEIVER = (
    Stage(
        "the store is mended",
        "agent.receiver.store.received_reads:ReceivedReads.recover",
        True,
        True,
    ),
    Stage("subscribed", "agent.receiver.connection:Connection.open", True, True),
    Stage("a message has come", "agent.receiver.intake:Intake.take_all"),
    Stage("its signature is good", "agent.receiver.opener:Opener.verify_any_version", True),
    Stage("it was opened once", "agent.receiver.opener:Opener.open_verified", True),
    Stage("its bytes are synced", "agent.receiver.store.received_reads:write_all_new", True),
    Stage("its row is committed", "agent.receiver.store.received_reads:rename"),
    Stage("it is stored", "agent.receiver.store.received_reads:ReceivedReads.add_all", True),
    Stage("before the receipt goes", "agent.receiver.connection:Connection.publish_receipt"),
    Stage("the receipt is queued", "agent.receiver.connection:Connection.publish_receipt", True),
    Stage("receipts and acknowledgements went", "agent.receiver.service:Service._answer", True),
)
# At which of another process's stages the broker is killed.
BROKER = tuple(
    (role, next(stage for stage in stages if stage.name == name))
    for role, stages, name in (
        ("deliver", DELIVER, "the broker has accepted"),
        ("deliver", DELIVER, "a read went out"),
        ("deliver", DELIVER, "the broker has acknowledged"),
        ("receiver", RECEIVER, "a message has come"),
        ("receiver", RECEIVER, "the receipt is queued"),
        ("receiver", RECEIVER, "receipts and acknowledgements went"),
        ("deliver", DELIVER, "a receipt has come"),
    )
)
OF_ROLE = {"watch": WATCH, "deliver": DELIVER, "receiver": RECEIVER}
KNOWN = frozenset(
    {f"{role}: {stage.name}" for role, stages in OF_ROLE.items() for stage in stages}
    | {f"broker, at {role}: {stage.name}" for role, stage in BROKER}
)


def arm(control: Path, stage: Stage, what: str, number: int, victim: int | None = None) -> None:
    """Once this process reaches the stage: `number` goes to `victim` (itself where None). `what`:
    how the log calls it.
    """
    part = control / f".{TARGET}"
    told = {"stage": stage.name, "log": what, "signal": number, "victim": victim}
    part.write_text(json.dumps(told))
    part.rename(control / TARGET)


def disarm(control: Path) -> None:
    (control / TARGET).unlink(missing_ok=True)


def reached(control: Path) -> list[str]:
    """Every stage at which something was done, in order."""
    path = control / LOG
    return path.read_text().splitlines() if path.exists() else []


def install(role: str, control: Path) -> None:
    """Wrap the role's functions, in this process alone."""
    for stage in OF_ROLE[role]:
        place, name = found(stage)
        setattr(place, name, _wrapped(getattr(place, name), stage, control))


def found(stage: Stage) -> tuple[object, str]:
    """The module or class that holds its function, and the function's name."""
    module, _, attribute = stage.where.partition(":")
    *holders, last = attribute.split(".")
    return functools.reduce(getattr, holders, importlib.import_module(module)), last


def _wrapped(function: Callable, stage: Stage, control: Path) -> Callable:
    @functools.wraps(function)
    def wrapper(*arguments: object, **named: object) -> object:
        if not stage.after:
            _come_to(stage, control)
        result = function(*arguments, **named)
        if stage.after:
            _come_to(stage, control)
        return result

    return wrapper


def _come_to(stage: Stage, control: Path) -> None:
    try:
        told = json.loads((control / TARGET).read_bytes())
    except FileNotFoundError:
        return
    if told["stage"] != stage.name:
        return
    (control / TARGET).unlink()  # once
    with (control / LOG).open("a") as log:
        log.write(f"{told['log']}\n")
    victim = told["victim"] or os.getpid()
    os.kill(victim, told["signal"])
    if victim == os.getpid() and told["signal"] == signal.SIGKILL:
        time.sleep(60)  # nothing more happens here
