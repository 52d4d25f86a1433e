"""What `platewarden policy explain` prints: for everybody in overview, or one recipient on one
screen with the lines that allow or refuse.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import wrap

from agent.core.judging.explain.answers import Answer, Explained, Obstacle
from agent.core.judging.explain.cited_lines import Cited
from agent.core.judging.explain.explanation import Grant, hours
from agent.core.judging.explain.false_leads import Estimate
from agent.core.judging.explain.law_notes import Law
from agent.core.judging.explain.prohibitions import Prohibition
from agent.core.judging.explain.provenance import told as standing_told
from agent.core.policy.policy import Policy
from agent.core.text.plain_words import plain_day
from agent.values import replace

WIDTH = 100
ESTIMATED = (
    "Expected false leads, per camera and day (estimates: the inputs are assumptions, see --help)"
)


def overview(
    told: Explained, leads: Mapping[str, Estimate], *, policy_file: str, charter_file: str
) -> Iterator[str]:
    """Everybody: those who may receive, with rules; those who may not, with the first thing that
    refuses; and the default.
    """
    yield from _head(told, policy_file, charter_file)
    purpose = (
        f' for "{told.answers[0].purpose}"' if told.answers and told.answers[0].purpose else ""
    )
    yield f"Who may receive{purpose}"
    for answer in told.answers:
        if answer.allowed:
            yield f"  YES  {answer.recipient}: {answer.legal_name}"
            basis = (line for line in answer.cited if line.text.startswith("basis"))
            yield from fill(f"by {answer.basis} ({', '.join(places(basis))})", 7)
            for grant in answer.grants:
                yield from _grant(grant, told)
    if not told.grants:
        yield "  nobody"
    yield ""
    yield f"Who may not{purpose}"
    for answer in told.answers:
        if not answer.allowed:
            first = answer.obstacles[0]
            cited = ", ".join(places(first.cited))
            yield from fill(f"NO   {answer.recipient}: {first.says} [{first.reason}] {cited}", 2, 7)
    default, cited = told.default, ", ".join(places(told.default.cited))
    yield from fill(f"NO   anybody else: {default.says} [{default.reason}] {cited}", 2, 7)
    yield ""
    yield from forbidden(told.forbids)
    yield from _leads(told.grants, leads)
    yield from _asked(told)


def one(
    told: Explained, leads: Mapping[str, Estimate], *, policy_file: str, charter_file: str
) -> Iterator[str]:
    """One recipient on one screen."""
    (answer,) = told.answers
    yield from _head(told, policy_file, charter_file)
    purpose = f' for "{answer.purpose}"' if answer.purpose else ""
    yield f"Can {answer.recipient} receive anything{purpose}?"
    if answer.allowed:
        yield from _allowed(answer, told, leads)
    else:
        reach = f"purpose {answer.purpose}" if answer.purpose else "any purpose"
        yield from fill(
            "NO. No camera under this policy sends it anything: "
            f"no category, no match level, no hour, {reach}.",
            2,
        )
        yield ""
        yield "What refuses, the strongest first"
        yield from _obstacles(answer.obstacles)
        yield ""
        yield from _law(answer)
        yield "Expected false leads to it: none, since nothing is sent."
        yield from fill(
            "Only another file could change that, "
            "and `platewarden policy diff` tells what another file lets out.",
            0,
        )
    yield from _asked(told)


def forbidden(found: Iterable[Prohibition]) -> Iterator[str]:
    """What no policy may do, each with its line; nothing without a charter."""
    said = [f"- {one.says} ({shown(one.cited).place})" for one in found]
    if said:
        yield "What the charter forbids every policy"
        for line in said:
            yield from fill(line, 2, 4)
        yield ""


def _allowed(answer: Answer, told: Explained, leads: Mapping[str, Estimate]) -> Iterator[str]:
    yield f"  YES. {answer.legal_name}, by {answer.basis}."
    for grant in answer.grants:
        yield from _grant(grant, told)
    yield ""
    yield "Lines that allow it"
    yield from quoted(answer.cited)
    yield ""
    yield "And nothing else"
    yield from _obstacles(answer.obstacles)
    yield ""
    yield from _law(answer)
    yield from _leads(answer.grants, leads)


def _head(told: Explained, policy_file: str, charter_file: str) -> Iterator[str]:
    under = (
        f"under {told.charter.name}: {charter_file}"
        if told.charter
        else "under no charter: a camera obeys no policy without one (--charter FILE)"
    )
    yield from fill(
        f"{told.policy.name}, version {told.policy.version}, on {plain_day(told.on)}: "
        f"{policy_file}",
        0,
        2,
    )
    yield from fill(under, 0, 2)
    for line in standing_told(told.standing):
        yield from fill(line, 0, 2)
    yield ""


def _grant(grant: Grant, told: Explained) -> Iterator[str]:
    yield from fill(
        f"- {grant.rule}: {', '.join(grant.categories)}; "
        f"{' or '.join(grant.levels)} match, confidence {grant.min_confidence:g} or more",
        7,
        9,
    )
    yield from fill(
        f"for {grant.purpose}; at most {grant.max_per_hour} vehicles an hour and camera; "
        f"{', '.join(grant.include)}",
        9,
    )
    if grant.max_false_leads is not None:
        yield from fill(stops(grant.max_false_leads), 9)
    yield from fill(
        f"{cameras(grant, told.cameras)}; until {plain_day(grant.until)}; "
        f"each read's key is destroyed within {grant.retention_days} days",
        9,
    )
    if over := brokers(grant, told.policy):
        yield from fill(f"over {over}", 9)


def brokers(grant: Grant, policy: Policy) -> str:
    """Over which brokers these cameras' reads go: `north (for north-side), city`; empty where no
    broker is for groups.
    """
    if not any(broker.groups for broker in policy.brokers):
        return ""
    return ", ".join(
        f"{one.id} (for {', '.join(sorted(one.groups))})" if one.groups else one.id
        for one in policy.brokers
        if one.id in grant.brokers
    )


def stops(max_false_leads: int) -> str:
    """When a rule stops by itself."""
    return (
        f"stops at a camera by itself when {max_false_leads} of its leads in 30 days were reported "
        "false, until another policy is signed"
    )


def cameras(grant: Grant, known: tuple[str, ...]) -> str:
    """Which cameras, when: `all 4 cameras, all day`; otherwise by name."""
    by_hours: dict[str, list[str]] = {}
    for camera, parts in grant.times:
        by_hours.setdefault(hours(parts), []).append(camera)
    told = []
    for when, names in by_hours.items():
        everywhere = f"all {len(known)} cameras" if len(known) > 1 else "".join(known)
        everywhere = everywhere or "every camera"
        told.append(
            f"{everywhere if set(names) == set(known) or not known else ', '.join(names)}, {when}"
        )
    left_out = sorted(set(known) - set(grant.cameras))
    return "; ".join(told) + (f"; never {', '.join(left_out)}" if left_out else "")


def _obstacles(obstacles: Iterable[Obstacle]) -> Iterator[str]:
    for obstacle in obstacles:
        yield from fill(f"[{obstacle.reason}] {obstacle.says}", 2, 4)
        yield from quoted(obstacle.cited)


def quoted(lines: Iterable[Cited], most: int = 6) -> Iterator[str]:
    """The lines themselves, one each, of many the first."""
    cited = list(lines)
    width = max((len(line.place) for line in map(shown, cited)), default=0)
    for line in map(shown, cited[:most]) if len(cited) > most + 1 else map(shown, cited):
        beside = f"  # {line.comment}" if line.comment else ""
        quoted = f"    {line.place:<{width}}  {line.text}{beside}"
        yield quoted if len(quoted) <= WIDTH else quoted[: WIDTH - 2] + " …"
    if len(cited) > most + 1:
        yield f"    and {len(cited) - most} lines more (--json has them all)"


def shown(line: Cited) -> Cited:
    """With the file's name alone; the heading has its path."""
    return replace(line, where=Path(line.where).name)


def places(lines: Iterable[Cited]) -> list[str]:
    """`policy.toml:31`, `policy.toml:38`."""
    return list(dict.fromkeys(shown(line).place for line in lines))


def _law(answer: Answer, most: int = 3) -> Iterator[str]:
    """What the jurisdiction's facts say: beside the answer, not part of it."""
    if not answer.law:
        return
    yield (
        "The law, as read (facts, not advice; "
        "held against a policy by `policy check`, not by a camera)"
    )
    for law in answer.law[:most]:
        warning = "AGAINST THIS: " if law.forbids else ""
        yield from fill(f"{warning}{law.says} [{law.citation}, {source(law)}]", 2, 4)
    yield ""


def source(law: Law) -> str:
    """Where the fact stands and how sure it is."""
    return f"{law.place}, read {law.read}, {'confirmed' if law.confirmed else 'not confirmed'}"


def _leads(granted: Iterable[Grant], leads: Mapping[str, Estimate]) -> Iterator[str]:
    yield ESTIMATED
    for grant in granted:
        estimate, many = leads[grant.rule], len(grant.cameras)
        together = f"; {estimate.often(many)} at its {many} cameras" if many > 1 else ""
        yield f"  {grant.rule}: {estimate.often()}{together}, with {estimate.listed:,} listed"
        if (full := estimate.of_full_list) is not None:
            yield f"    {full.often()}, were {full.listed:,} listed"
        for step in estimate.steps:
            yield f"    {step.what:<38} {step.how} = {step.result:.3g}"
    yield ""


def _asked(told: Explained) -> Iterator[str]:
    if told.asked:
        yield (
            "Asked: "
            f"{told.asked:,} questions, each put to the very function that a camera decides by."
        )
    else:
        yield "A camera would not start with this policy, so that nothing was left to ask."


def fill(text: str, indent: int, further: int | None = None) -> list[str]:
    """One sentence, wrapped to the width of the screen."""
    hanging = indent if further is None else further
    return wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
