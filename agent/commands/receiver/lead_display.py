"""How an opened read is shown to the person who may see it: on a terminal, or as JSON.

Always as a lead (P10).
"""

from agent.core.policy.policy import TEST
from agent.core.text.rfc3339 import rfc3339
from agent.receiver.inbox.lead_words import BANNER, DOUBTFUL, LEVELS, TEST_BANNER, odds
from agent.receiver.opener import OpenedRead, SeenPlate


def as_text(opened: OpenedRead) -> str:
    """Lines for a terminal; every text in them was checked to be printable."""
    tags = opened.tags
    banner = TEST_BANNER if tags.category == TEST else BANNER
    rule = "=" * len(banner)
    lines = [rule, banner, rule]
    lines += (
        _plate_lines(opened.plate)
        if opened.plate
        else ["Plate           not released by the city's rule"]
    )
    lines += [
        f"Match           {tags.match.value}: {LEVELS[tags.match.value]}",
        f"Odds            {odds(opened.posterior)}",
        (
            f"Wanted for      {tags.category}, according to {opened.entry_agency}, "
            f"case {opened.entry_case}, entry of {opened.entry_source_date.isoformat()}"
        ),
        (
            f"Seen            {rfc3339(tags.captured_at)} (clock: "
            f"{tags.clock.value}) by camera {tags.device}"
        ),
        (
            f"Released under  {tags.policy_name}, version {tags.policy_version}, rule {tags.rule}, "
            f"for {tags.purpose}"
        ),
        (
            "Picture         "
            f"{f'{len(opened.crop)} bytes; save it with --crop FILE' if opened.crop else 'none'}"
        ),
        f"Must be gone by {rfc3339(tags.deadline)}",
        f"Read            {tags.read_id}, number {tags.sequence} from this camera",
    ]
    return "\n".join(lines)


def _plate_lines(plate: SeenPlate) -> list[str]:
    characters = " ".join(plate.text.value)
    percents = " ".join(
        f"{value:.0%}{'?' if value < DOUBTFUL else ''}" for value in plate.char_confidence
    )
    lines = [
        (
            f"Plate           {plate.text.value}   state {plate.state or 'not read'}, "
            f"region {plate.region}"
        ),
        (
            f"Confidence      {plate.confidence:.0%} over {plate.frames} frame(s); "
            f"per character {characters}: {percents}"
        ),
    ]
    if plate.alternatives:
        lines.append(
            "Or perhaps      "
            + ", ".join(
                f"{text.value} ({probability:.0%})" for text, probability in plate.alternatives
            )
        )
    return lines


def as_json(opened: OpenedRead) -> dict[str, object]:
    """The same as one JSON object; the picture as its size only."""
    tags, plate = opened.tags, opened.plate
    table: dict[str, object] = {
        "lead": TEST_BANNER if tags.category == TEST else BANNER,
        "test": tags.category == TEST,
        "unverified": True,
        "read": tags.read_id,
        "device": tags.device,
        "seq": tags.sequence,
        "captured_at": rfc3339(tags.captured_at),
        "clock": tags.clock.value,
        "category": tags.category,
        "match": tags.match.value,
        "rule": tags.rule,
        "purpose": tags.purpose,
        "policy": {
            "name": tags.policy_name,
            "version": tags.policy_version,
            "digest": tags.policy_digest,
        },
        "deadline": rfc3339(tags.deadline),
        "agency": opened.entry_agency,
        "case": opened.entry_case,
        "source_date": opened.entry_source_date.isoformat(),
        "posterior": opened.posterior,
        "crop_bytes": len(opened.crop) if opened.crop else 0,
    }
    if plate is not None:
        table |= {
            "plate": plate.text.value,
            "confidence": plate.confidence,
            "char_confidence": list(plate.char_confidence),
            "alternatives": [
                {"plate": text.value, "probability": probability}
                for text, probability in plate.alternatives
            ],
            "state": plate.state,
            "region": plate.region,
            "frames": plate.frames,
        }
    return table
