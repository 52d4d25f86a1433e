"""What a fleet showed, as tables of Markdown (docs/ref/fleet.md)."""

from collections.abc import Sequence

from tests.fleet.gaps import Gap
from tests.fleet.play import Outcome

_ROWS = (
    ("`deliver` processes; simulated sessions", "{cameras}; {connected}"),
    ("all certificates signed, s", "{signing_s:.1f}"),
    ("all sessions stand after, s", "{connect_s:.0f}"),
    ("reads; in how many s", "{reads}; {flowing_s:.0f}"),
    ("kills; receivers that ended by themselves, and were started again", "{kills}; {ends}"),
    ("lost, stored twice, without a receipt", "{wrong}"),
    ("told again, rung again after a kill", "{told_again}, {rung_again}"),
    ("everything receipted and rung, s after the last read", "{settled_s:.0f}"),
    ("a killed broker or node lets in again, s after its start, at most", "{back}"),
    (
        "memory: sessions, `deliver`s, broker, MB",
        "{sessions_mb:.0f}, {cameras_mb:.0f}, {broker_mb:.0f}",
    ),
)


def page(outcomes: Sequence[Outcome]) -> str:
    """Both tables."""
    head = f"| | {' | '.join(one.broker for one in outcomes)} |\n|---{'|---' * len(outcomes)}|\n"
    lines = [
        f"| {words} | {' | '.join(_filled(form, one) for one in outcomes)} |"
        for words, form in _ROWS
    ]
    gaps = [
        f"| {one.broker} | {gap.what} | {gap.silence_s:.1f} | {gap.slowest_s:.1f} | {gap.reads} |"
        for one in outcomes
        for gap in _worst(one.gaps)
    ]
    second = (
        "\n\n| broker | killed | longest time without any receipt, s | longest wait of a read, s "
        "| reads that waited |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(lines) + second + "\n".join(gaps) + "\n"


def _filled(form: str, outcome: Outcome) -> str:
    wrong = "0" if not outcome.faults else "; ".join(outcome.faults)
    back = f"{max(outcome.back_s):.0f}" if outcome.back_s else "–"
    return form.format(**vars(outcome), wrong=wrong, ends=len(outcome.ended), back=back)


def _worst(gaps: Sequence[Gap]) -> list[Gap]:
    """Of several of one kind, the worst figure of each column."""
    kinds = {gap.what: [one for one in gaps if one.what == gap.what] for gap in gaps}
    return [
        Gap(
            what if len(ones) == 1 else f"{what}, {len(ones)} times",
            max(one.silence_s for one in ones),
            max(one.slowest_s for one in ones),
            sum(one.reads for one in ones),
        )
        for what, ones in kinds.items()
    ]
