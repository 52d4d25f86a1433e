"""The parts of one watch process, built from its settings and the policy in force: the line with
hot list and keys, and what settles the outbox.
"""

from agent import pipeline
from agent.camera.masked_source import ZonedDetector, load_view
from agent.core.camera import hotlist_facts
from agent.core.camera.view import EVERYTHING
from agent.core.policy.counts import Counts
from agent.core.policy.decider import Decider
from agent.core.policy.policy import Policy
from agent.core.reading.tracking import Tracker
from agent.disk.atomic_file import write_atomic
from agent.errors import UsageError
from agent.host.notify import Notifier
from agent.host.stop_signal import Stop
from agent.host.teller import Teller
from agent.outcomes.lead_outcomes import LeadOutcomes
from agent.ports import Clock
from agent.ports import Outbox as OutboxPort
from agent.sealing.device_keys import WATCH_LOG_KEY, load_sealing_key
from agent.sealing.sealer import Sealer
from agent.settings import Settings
from agent.settlement import Settler
from agent.sides.camera_health import CameraHealth
from agent.sides.camera_orders import Orders, rows_left_out, signed_orders, unsigned_orders
from agent.sides.signed_city import SignedCity
from agent.storage.audit_log import AuditLog
from agent.storage.leads.outcome_box import OutcomeBox
from agent.storage.leads.released_leads import ReleasedLeads
from agent.storage.log_key import keyed_digest
from agent.storage.mailbox import ReceiptBox
from agent.storage.outbox import Outbox
from agent.values import dataclass, field
from agent.verifying.receipt_check import ReceiptVerifier
from agent.vision.model_loader import load_vision
from agent.vision.stream.on_a_stream import on_a_stream


@dataclass(frozen=True, slots=True)
class Watch:
    """What one watch process holds from start to end.

    `city`: its verified bundles; None on a rig with an unsigned folder. `stills`: the source holds
    pictures that have nothing to do with each other.
    """

    settings: Settings
    clock: Clock
    log: AuditLog
    city: SignedCity | None
    stop: Stop
    notifier: Notifier
    health: CameraHealth
    teller: Teller = field(default_factory=lambda: Teller("watch"))
    stills: bool = False


def opened_outbox(watch: Watch) -> Outbox:
    """The outbox, after what an earlier process left half done. Raises StorageError."""
    settings = watch.settings
    outbox = Outbox(
        settings.outbox,
        watch.log,
        settings.limits.max_outbox_reads,
        settings.limits.max_envelope_bytes,
    )
    for read_id in outbox.recover():
        # the journal must show it too
        watch.teller.say(f"read {read_id} was released and is lost; the log says so", error=True)
    return outbox


def build_line(watch: Watch, policy: Policy, outbox: Outbox) -> pipeline.Line:
    """The parts of the line. Raises UsageError for a view drawn that
    cannot hold, ModelError, ConfigError, StorageError, EnvelopeRefusedError.
    """
    settings = watch.settings
    view = load_view(settings.view)
    if watch.stills and view != EVERYTHING:
        raise UsageError(
            "--stills: the zones and masks drawn for this camera's view fit no other pictures",
            where=settings.view,
            fix="leave --stills out, or give settings without a drawn view",
        )
    models = settings.models
    detector, reader = load_vision(
        models.threads, models.directory, models.longest_text, seldom_later=True
    )
    tracker = Tracker()
    tracker.wait_for(policy.surest_wanted)
    looking, reading = (
        (detector, reader) if watch.stills else on_a_stream(detector, reader, tracker)
    )
    orders = orders_for(watch, policy)
    return pipeline.Line(
        camera=settings.camera_id,
        detector=ZonedDetector(looking, view),
        reader=reading,
        tracker=tracker,
        hotlist=orders.hotlist,
        decider=Decider(policy),
        sealer=sealer_for(settings, orders),
        outbox=outbox,
        log=watch.log,
        counts=Counts(),
        closed=orders.closed,
    )


def orders_for(watch: Watch, policy: Policy) -> Orders:
    """Hot list and keys beside the policy, from the same bundles."""
    today = watch.clock.now().utc.date()
    if watch.city is None or watch.city.standing is None:
        orders = unsigned_orders(watch.settings, policy, today, watch.log)
        left_out = rows_left_out(orders.hotlist)
        watch.teller.tell("hot list", left_out or "is whole", usual=not left_out)
        return orders
    return signed_orders(watch.settings, watch.city.standing, policy, today, watch.log)


def sealer_for(settings: Settings, orders: Orders) -> Sealer:
    """Seals with this device's key, to the recipients' keys in force."""
    return Sealer(settings.camera_id, load_sealing_key(settings.device), dict(orders.keys))


def hotlist_digest(settings: Settings, digest: str) -> str:
    """Which list, as this camera's log and status tell it. Raises StorageError."""
    return keyed_digest(settings.device / WATCH_LOG_KEY, digest)


def tell_hotlist(settings: Settings, line: pipeline.Line) -> None:
    """How old the list in force is, for `status`, which cannot open it. Raises StorageError."""
    listed = line.hotlist
    keyed = hotlist_digest(settings, listed.digest)
    write_atomic(
        settings.state / "watch" / hotlist_facts.NAME,
        hotlist_facts.format_facts(listed.as_of, listed.stale_after, keyed),
        0o640,
    )


def build_settler(watch: Watch, policy: Policy, outbox: OutboxPort) -> Settler:
    """What empties the outbox: receipts, deadlines, withdrawals."""
    receipts = ReceiptBox(watch.settings.receipts, watch.settings.limits.max_receipt_bytes)
    return Settler(policy, outbox, receipts, _recipients(watch, policy), watch.log)


def build_outcomes(watch: Watch, policy: Policy) -> LeadOutcomes:
    """What takes in the recipients' outcomes, and stops rules. Raises StorageError."""
    outcomes = OutcomeBox(watch.settings.receipts, watch.settings.limits.max_receipt_bytes)
    return LeadOutcomes(
        policy,
        watch.settings.camera_id,
        ReleasedLeads(watch.log),
        outcomes,
        _recipients(watch, policy),
        watch.log,
    )


def _recipients(watch: Watch, policy: Policy) -> ReceiptVerifier:
    keys = {recipient.id: recipient.signing_key for recipient in policy.recipients.values()}
    return ReceiptVerifier(keys, watch.settings.limits.max_receipt_bytes)
