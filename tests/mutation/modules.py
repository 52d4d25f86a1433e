"""Which modules are tested by faults, and which quick tests are to notice them: those that would be
run by whoever changes the module.
"""

_POLICY = (
    "unit/test_policy",
    "unit/test_charter",
    "unit/test_policy_file",
    "unit/test_barring",
    "unit/test_lead_odds",
    "components/test_second_model",
    "unit/test_policy_check",
    "unit/test_rehearsal",
)
_WIRE = (
    "unit/test_sealed_read",
    "unit/test_versions",
    "contracts/test_verifier",
    "contracts/test_sealer",
    "contracts/test_receipt_verifier",
    "components/test_verifying",
    "components/test_golden",
)
_READING = ("unit/test_voting", "unit/test_pooling")
_RECEIVER = (
    "components/test_receiver_store",
    "components/test_receiver_intake",
    "components/test_receiver_opening",
)
_BUNDLES = (
    "unit/test_metadata_rules",
    "components/test_bundle_attacks",
    "components/test_bundle_store",
    "components/test_bundle_verification",
    "components/test_bundle_switch",
)
_REPOSITORY = (
    "unit/test_assembly",
    "unit/test_next_version",
    "components/test_bundle_publish",
    "components/test_bundle_sign",
)
TESTS = {
    "core.policy.decide": _POLICY,
    "core.policy.policy": _POLICY,
    "core.policy.charter": _POLICY,
    "core.hotlist.matching": (*_POLICY, "unit/test_matching"),
    "core.time.trusted_time": ("unit/test_trusted_time",),
    "bundles.metadata_rules": _BUNDLES,
    "bundles.verification": _BUNDLES,
    "bundles.generation_store": _BUNDLES,
    "audit.log_check": ("components/test_log_check",),
    "core.wire.tags": _WIRE,
    "core.wire.sealed_read": _WIRE,
    "core.wire.receipt": (*_WIRE, "contracts/test_receipt_box", "components/test_lead_outcomes"),
    "core.wire.key_list": ("unit/test_key_list", "components/test_golden"),
    "core.wire.versions": _WIRE,
    "core.wire.epochs": ("unit/test_epochs", "unit/test_key_list"),
    "core.log.leaf": ("unit/test_leaf", "components/test_audit_log"),
    "core.log.merkle": ("unit/test_merkle",),
    "core.log.checkpoint": ("unit/test_checkpoint",),
    "core.reading.voting": _READING,
    "core.reading.pooling": (*_READING, "unit/test_confusion_network"),
    "core.reading.opinions": (*_READING, "unit/test_opinions"),
    "core.reading.tracks.continuation": (
        "unit/test_tracker",
        "unit/test_glimpses",
        "unit/test_tracking",
    ),
    "core.reading.tracking": (
        "unit/test_tracker",
        "unit/test_tracking",
        "unit/test_tracking_known",
        "unit/test_pipeline",
    ),
    "receiver.intake": (
        *_RECEIVER,
        "components/test_versions",
    ),
    "receiver.store.received_reads": (
        "components/test_receiver_index",
        "components/test_receiver_numbers",
        "components/test_receiver_store",
    ),
    "storage.attempts": ("unit/test_attempts",),
    "storage.audit_log": (
        "components/test_audit_log",
        "components/test_audit_log_failures",
        "contracts/test_audit_log",
    ),
    "storage.mailbox": (
        "components/test_mailbox",
        "components/test_mailbox_names",
        "components/test_mailbox_rest",
        "contracts/test_receipt_box",
        "contracts/test_outbox",
    ),
    "storage.outbox": (
        "contracts/test_outbox",
        "components/test_mailbox",
        "components/test_outbox_ledger",
        "components/test_versions",
        "components/test_lead_outcomes",
    ),
    "network.egress": ("unit/test_guard", "components/test_egress"),
    "mqtt.pinned_tls": ("unit/test_inflow", "components/test_pinned_tls"),
    "settlement": ("unit/test_settling", "components/test_versions"),
    "outcomes.odd_files": ("unit/test_settling", "components/test_lead_outcomes"),
    "delivery": (
        "unit/test_delivery",
        "unit/test_delivery_pass",
        "unit/test_delivery_rest",
        "unit/test_delivery_fates",
    ),
    "bundles.repository.writer": (
        "components/test_repository_writer",
        "components/test_repository_copies",
        "components/test_archive",
    ),
    "bundles.repository.pending_files": ("components/test_pending_files",),
    "bundles.repository.assembly": _REPOSITORY,
    "bundles.repository.next_version": _REPOSITORY,
}
"""Module of `agent` → its test files; the modules whose faults matter most come first."""
