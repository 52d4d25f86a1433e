"""Every reason code that Platewarden gives for dropping, refusing or withdrawing; documented in
docs/ref/reasons.md.

Codes are stable: they stand in logs, reports and exit messages. Never reuse one for another
meaning.
"""

from enum import StrEnum

from agent.errors import PlatewardenError, RefusedError, StorageError


class Limit(StrEnum):
    """Why a read is never sure, however clear its characters are: the whole plate was not seen, or
    it may be no plate (P10). Documented in docs/ref/read.md.
    """

    CUT_BY_EDGE = "cut-by-edge"
    CUT_BY_MASK = "cut-by-mask"
    HIDDEN = "hidden"
    MIRRORED = "mirrored"
    ONE_ROW_OF_TWO = "one-row-of-two"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    NO_DIGIT = "no-digit"
    WORDING = "wording"
    OVERLAY = "overlay"


class Reason(StrEnum):
    """Dropping (decide), refusing (load, connect, verify), withdrawing (outbox)."""

    # One sighting, decided.
    RELEASED = "released"
    NO_HOTLIST_MATCH = "no-hotlist-match"
    NEVER_RELEASE = "never-release-list"
    HOTLIST_STALE = "hotlist-stale"
    CLOCK_UNTRUSTED = "clock-untrusted"
    POLICY_NOT_IN_FORCE = "policy-not-in-force"
    CAMERA_BARRED = "camera-barred"
    HOURS_BARRED = "hours-barred"
    CAMERA_NOT_RELEASED = "camera-not-released"
    CATEGORY_NOT_RELEASED = "category-not-released"
    MATCH_LEVEL_NOT_RELEASED = "match-level-not-released"
    READ_LIMITED = "read-limited"
    CONFIDENCE_TOO_LOW = "confidence-too-low"
    FALSE_LEADS = "false-leads"
    BUDGET_SPENT = "budget-spent"
    RECIPIENT_EXPIRED = "recipient-expired"
    NO_EPOCH_KEY = "no-epoch-key"
    NO_COMMON_VERSION = "no-common-version"
    NOT_WITNESSED = "not-witnessed"
    READS_WORSE = "reads-worse"
    OUTBOX_FULL = "outbox-full"
    # A policy that is loaded.
    CHARTER_FORBIDS_RECIPIENT = "charter-forbids-recipient"
    CHARTER_FORBIDS_KIND = "charter-forbids-kind"
    CHARTER_FORBIDS_PURPOSE = "charter-forbids-purpose"
    PURPOSE_NEAR_FORBIDDEN = "purpose-near-forbidden"
    CHARTER_FORBIDS_CATEGORY = "charter-forbids-category"
    CHARTER_RETENTION = "charter-retention"
    CHARTER_HOTLIST_LIMIT = "charter-hotlist-limit"
    CAMERA_NOT_IN_ROSTER = "camera-not-in-roster"
    JURISDICTION_FORBIDS_RECIPIENT = "jurisdiction-forbids-recipient"
    JURISDICTION_FORBIDS_PURPOSE = "jurisdiction-forbids-purpose"
    JURISDICTION_RETENTION = "jurisdiction-retention"
    JURISDICTION_FORBIDS_CAMERA = "jurisdiction-forbids-camera"
    JURISDICTION_HOTLIST_AGE = "jurisdiction-hotlist-age"
    JURISDICTION_BEFORE_USE = "jurisdiction-before-use"
    JURISDICTION_LOCAL_LAW = "jurisdiction-local-law"
    JURISDICTION_CHANGES = "jurisdiction-changes"
    POLICY_EXPIRED = "policy-expired"
    POLICY_UNSIGNED = "policy-unsigned"
    POLICY_LETS_OUT_MORE = "policy-lets-out-more"
    # Signed bundles.
    BUNDLE_SIGNATURE_THRESHOLD = "bundle-signature-threshold"
    BUNDLE_SAME_SIGNER_TWICE = "bundle-same-signer-twice"
    BUNDLE_THRESHOLD_TOO_LOW = "bundle-threshold-too-low"
    BUNDLE_EXPIRED = "bundle-expired"
    BUNDLE_ROLLBACK = "bundle-rollback"
    BUNDLE_SNAPSHOT_MISMATCH = "bundle-snapshot-mismatch"
    BUNDLE_TARGET_ALTERED = "bundle-target-altered"
    BUNDLE_ROOT_BROKEN = "bundle-root-broken"
    BUNDLE_ROLE_OUTSIDE_PATHS = "bundle-role-outside-paths"
    BUNDLE_MALFORMED = "bundle-malformed"
    BUNDLE_TOO_LARGE = "bundle-too-large"
    BUNDLE_INCOMPLETE = "bundle-incomplete"
    BUNDLE_OTHER_CITY = "bundle-other-city"
    BUNDLE_LAPSED = "bundle-lapsed"
    RIG_CITY = "rig-city"
    CLOCK_BEHIND_BUNDLES = "clock-behind-bundles"
    # The cameras' software.
    SOFTWARE_NOT_IN_CHARTER = "software-not-in-charter"
    SOFTWARE_RELEASE_KEY = "software-release-key"
    SOFTWARE_SIGNERS = "software-signers"
    SOFTWARE_BELOW_FLOOR = "software-below-floor"
    SOFTWARE_OLDER = "software-older"
    SOFTWARE_STATE = "software-state"
    SOFTWARE_PLATFORM = "software-platform"
    SOFTWARE_ALTERED = "software-altered"
    SOFTWARE_UNITS = "software-units"
    SOFTWARE_UNHEALTHY = "software-unhealthy"
    # The hot list, by hand.
    HOTLIST_ADDITIONS_SPENT = "hotlist-additions-spent"
    HOTLIST_ABOVE_LIMIT = "hotlist-above-limit"
    HOTLIST_HAND_MISSING = "hotlist-hand-missing"
    HOTLIST_NOT_AS_LOGGED = "hotlist-not-as-logged"
    HOTLIST_ROW_DOUBTED = "hotlist-row-doubted"
    # Destinations.
    RECIPIENT_NOT_IN_POLICY = "recipient-not-in-policy"
    PURPOSE_NOT_IN_POLICY = "purpose-not-in-policy"
    RULE_NOT_IN_POLICY = "rule-not-in-policy"
    RETENTION_NOT_PERMITTED = "retention-not-permitted"
    NO_BROKER_FOR_RECIPIENT = "no-broker-for-recipient"
    NO_BROKER_FOR_CAMERA = "no-broker-for-camera"
    GROUP_NOT_IN_ROSTER = "group-not-in-roster"
    DESTINATION_NOT_IN_POLICY = "destination-not-in-policy"
    SPKI_PIN_MISMATCH = "spki-pin-mismatch"
    CERTIFICATE_INVALID = "certificate-invalid"
    PROXY_FORBIDDEN = "proxy-forbidden"
    BROKER_REFUSED_READ = "broker-refused-read"
    BROKER_REFUSED_CHECKPOINT = "broker-refused-checkpoint"
    BROKER_REFUSED_HEALTH = "broker-refused-health"
    TOO_LARGE_FOR_BROKER = "too-large-for-broker"
    READ_ENDS_CONNECTION = "read-ends-connection"
    CLIENT_ID_TAKEN = "client-id-taken"
    # Envelopes, receipts, key lists, rosters.
    MALFORMED = "malformed"
    UNFORESEEN = "unforeseen"
    STORAGE_FAILED = "storage-failed"
    UNSUPPORTED_VERSION = "unsupported-version"
    SIGNATURE_INVALID = "signature-invalid"
    DEVICE_NOT_ENROLLED = "device-not-enrolled"
    NOT_FOR_THIS_RECIPIENT = "not-for-this-recipient"
    DECRYPTION_FAILED = "decryption-failed"
    READ_ID_REUSED = "read-id-reused"
    DEADLINE_PASSED = "deadline-passed"
    KEY_DESTROYED = "key-destroyed"
    RECEIPT_MISMATCH = "receipt-mismatch"
    # Holds.
    HOLD_OTHER_CITY = "hold-other-city"
    HOLD_TOO_WIDE = "hold-too-wide"
    HOLD_EXPIRED = "hold-expired"
    HOLD_NOTHING_HERE = "hold-nothing-here"
    # The log.
    LEAF_MISSING = "leaf-missing"
    LEAF_CHANGED = "leaf-changed"
    LEAF_WITHHELD = "leaf-withheld"
    LEAF_REORDERED = "leaf-reordered"
    LOG_TRUNCATED = "log-truncated"
    CHECKPOINT_INVALID = "checkpoint-invalid"
    ROOT_MISMATCH = "root-mismatch"


def reason_of(error: PlatewardenError) -> str:
    """The code for a leaf: a refusal's own.

    A disk or file that fails is no fault of what was to be read; what is neither is a malformed
    file.
    """
    if isinstance(error, RefusedError):
        return error.reason
    return Reason.STORAGE_FAILED if isinstance(error, StorageError) else Reason.MALFORMED
