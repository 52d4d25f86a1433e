"""The demo as a story: set up a city, play a street, show what left, provoke six refusals, write
the page.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from agent.core.judging.diff.diff_words import Compared, compare
from agent.core.judging.explain.answers import explain
from agent.core.judging.explain.cited_lines import Source
from agent.core.judging.explain.explained_files import Files
from agent.core.judging.explain.explanation import Grant
from agent.core.policy.camera_roster import parse_roster
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.wire import sealed_read
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS
from agent.demo import demo_page, pictures, scene, throwaway_city
from agent.demo.demo_page import Answer, Attempt, LeftCard, Page, Push
from agent.demo.installation import CAMERA, Installation, install, platewarden
from agent.demo.processes import run_street
from agent.demo.refusals import provoke, pushed
from agent.demo.signed.second_half import Proof, prove
from agent.disk.atomic_file import write_atomic
from agent.errors import PlatewardenError
from agent.host.clock import SystemClock
from agent.values import asdict, dataclass, replace

NEAR_MISS_ON_LIST = "8K2V264"  # one confusable character away from the car that passes
ICE = "US immigration enforcement (ICE ERO)"
ASKING = (
    (throwaway_city.RECIPIENT, "Exampleville Police Department"),
    (throwaway_city.NEIGHBOUR, "Example County Sheriff"),
    (throwaway_city.FORBIDDEN, ICE),
    ("vendor-cloud", "The camera vendor's cloud"),
    ("out-of-state-pd", "A police department in another state"),
)


Opened = tuple[Tags, bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was tried, and the reason code."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What `--json` prints.

    `seen`: plates seen in frames; `unreadable`: tracks without a text; `sightings`: vehicles; the
    rest follows them through the line.
    """

    seen: int
    unreadable: int
    sightings: int
    dropped: int
    drop_reasons: dict[str, int]
    sealed: int
    delivered: int
    opened: int
    outbox_left: int
    refusals: tuple[Refusal, ...]
    proofs: tuple[Refusal, ...] = ()


def tell(out: Path, work: Path, say: Callable[[str], None]) -> Summary:
    """Run the whole demo; `out` takes what is kept, `work` the installation itself.

    Raises PlatewardenError when anything is not as promised.
    """
    say(
        "A city is founded: "
        "charter, policy, hot list, camera, police department, each with fresh keys."
    )
    installation = install(
        work,
        SystemClock().now().utc,
        (scene.HIT.plate, NEAR_MISS_ON_LIST),
        (scene.RECOVERED.plate,),
    )
    say(
        f"A street is rendered: {len(scene.VEHICLES)} cars with fictitious plates, "
        "one of them reported stolen, one found again."
    )
    scene.render(out / "frames")
    say(
        "The camera watches. Two processes: watch sees plates and has no network; "
        "deliver has the network and sees no plate."
    )
    relayed = run_street(installation, out / "frames")
    keep(installation, out)
    opened = open_reads(installation)
    summary = count(installation, len(opened), ())
    say(
        f"It saw {summary.sightings} cars, dropped {summary.dropped} in memory, "
        f"sealed {summary.sealed}. The police department opened {summary.opened}."
    )
    attempts = tried(installation, out, summary, say)
    proofs = checked(installation, out, say) if attempts else ()
    shown = tuple(Refusal(proof.what, proof.code) for proof in proofs)
    summary = replace(count(installation, len(opened), attempts), proofs=shown)
    write_page(installation, out, summary, attempts, proofs, relayed, opened)
    write_atomic(
        out / "summary.json", (json.dumps(asdict(summary), indent=2) + "\n").encode(), 0o644
    )
    check(summary)
    return summary


def tried(
    installation: Installation, out: Path, summary: Summary, say: Callable[[str], None]
) -> tuple[Attempt, ...]:
    """The six refusals, said."""
    say("Now six things that must not work:")
    attempts = provoke(installation, min((out / "sealed").iterdir())) if summary.sealed else ()
    for attempt in attempts:
        say(f"  refused [{attempt.reason}]  {attempt.what}. {attempt.evidence}")
    return attempts


def checked(installation: Installation, out: Path, say: Callable[[str], None]) -> tuple[Proof, ...]:
    """What a stranger can check, said."""
    say("What a stranger can check:")
    proofs = prove(installation, out)
    for proof in proofs:
        say(f"  [{proof.code}]  {proof.what}: {proof.evidence}")
    return proofs


def keep(installation: Installation, out: Path) -> None:
    """Copy what a reader may want to examine: wire bytes, the demo recipient's keys, public keys,
    logs.
    """
    (out / "sealed").mkdir(parents=True, exist_ok=True)
    for file in sorted((installation.recipient / "store").glob("*.sealed")):
        shutil.copy(file, out / "sealed" / file.name)
    shutil.copytree(
        installation.recipient, out / "recipients" / throwaway_city.RECIPIENT, dirs_exist_ok=True
    )
    (out / "device").mkdir(exist_ok=True)
    shutil.copy(installation.work / "device" / "public.json", out / "device" / "public.json")
    for side in ("watch", "deliver"):
        shutil.copytree(installation.state / side, out / "log" / side, dirs_exist_ok=True)


def open_reads(installation: Installation) -> list[Opened]:
    """What the recipient can open with its keys, by the ordinary command: tags, wire bytes, crop.
    Plates stay in memory.
    """
    reads: list[Opened] = []
    for line in platewarden(
        "receiver", "open", installation.recipient, "--json"
    ).stdout.splitlines():
        read_id = json.loads(line)["read"]
        crop = installation.work / "crop.jpg"
        platewarden("receiver", "open", installation.recipient, read_id, "--crop", crop)
        wire = (installation.recipient / "store" / f"{CAMERA}.{read_id}.sealed").read_bytes()
        reads.append((sealed_read.tags_of(sealed_read.split(wire)), wire, crop.read_bytes()))
        crop.unlink()
    return reads


def leaves(installation: Installation, side: str) -> list[dict[str, object]]:
    """The details of every leaf of one process's log, in order."""
    with closing(
        sqlite3.connect(f"file:{installation.state / side / 'log.sqlite'}?mode=ro", uri=True)
    ) as connection:
        return [
            json.loads(details)
            for (details,) in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]


def count(installation: Installation, opened: int, attempts: tuple[Attempt, ...]) -> Summary:
    """The numbers, from the camera's own log and mailboxes."""
    log = leaves(installation, "watch")
    hours = [leaf for leaf in log if leaf["kind"] == "counts"]
    reasons: dict[str, int] = {}
    for hour in hours:
        for reason, times in dict(hour["reasons"]).items():  # type: ignore[call-overload]
            reasons[reason] = reasons.get(reason, 0) + times
    return Summary(
        seen=sum(int(str(hour["seen"])) for hour in hours),
        unreadable=sum(int(str(hour["unreadable"])) for hour in hours),
        sightings=sum(int(str(hour["sightings"])) for hour in hours),
        dropped=sum(int(str(hour["dropped"])) for hour in hours),
        drop_reasons=reasons,
        sealed=sum(leaf["kind"] == "release" for leaf in log),
        delivered=sum(leaf["kind"] == "receipt" for leaf in log),
        opened=opened,
        outbox_left=len(list((installation.state / "outbox").glob("*.sealed"))),
        refusals=tuple(Refusal(attempt.what, attempt.reason) for attempt in attempts),
    )


def check(summary: Summary) -> None:
    """The demo's own promises; a demo that shows something else must not end well."""
    faults = [
        what
        for what, holds in (
            (
                "one read sealed, delivered and opened",
                summary.sealed == summary.delivered == summary.opened == 1,
            ),
            ("an empty outbox", summary.outbox_left == 0),
            (
                "every other car dropped, the near-miss among them",
                summary.sightings == len(scene.VEHICLES) == summary.dropped + 1
                and summary.drop_reasons.get("match-level-not-released") == 1,
            ),
            (
                "six refusals with six reasons",
                len({refusal.reason for refusal in summary.refusals}) == len(summary.refusals) == 6,
            ),
        )
        if not holds
    ]
    if faults:
        raise PlatewardenError(
            f"the demo did not show {'; '.join(faults)}: {json.dumps(asdict(summary))}",
            fix="please report this",
        )


def city_files(installation: Installation, policy_text: str) -> Files:
    """A policy under the demo city's charter, with lines to quote."""
    policy, charter = policy_text.encode(), (installation.city.folder / "charter.toml").read_bytes()
    lines = Source(policy, "policy.toml"), Source(charter, "charter.toml")
    roster = parse_roster((installation.city.folder / "roster.toml").read_bytes(), "roster.toml")
    return Files(
        parse_policy(policy, "policy.toml"),
        lines[0],
        parse_charter(charter, "charter.toml"),
        lines[1],
        roster,
    )


def answers(installation: Installation) -> tuple[Answer, ...]:
    """Can another agency get this?

    As `platewarden policy explain` answers it: from charter and policy, through the camera's own
    `decide`.
    """
    files = city_files(installation, installation.policy_text)
    told = []
    for recipient, name in ASKING:
        (answer,) = explain(files, installation.city.today, recipient=recipient).answers
        why = "; ".join(_granted(grant) for grant in answer.grants) or answer.obstacles[0].says
        cited = [
            line for line in answer.cited if line.text.startswith(("rule", "basis"))
        ] or answer.obstacles[0].cited
        told.append(
            Answer(
                name,
                answer.allowed,
                f"{why[:1].upper()}{why[1:]}.",
                tuple(f"{line.place}  {line.text}" for line in cited),
            )
        )
    return tuple(told)


def _granted(grant: Grant) -> str:
    return (
        f"only cars listed as {' or '.join(grant.categories)}, for {grant.purpose}, "
        f"from a confidence of {grant.min_confidence:g}, until {grant.until}; "
        f"each read's key is destroyed within {grant.retention_days} days"
    )


def pushes(installation: Installation) -> tuple[Push, ...]:
    """What `platewarden policy diff` shows of two pushed policies: one adds a neighbour, one an
    agency that the charter forbids.
    """
    neighbour = throwaway_city.with_recipient(
        installation.policy_text,
        throwaway_city.NEIGHBOUR,
        "Example County Sheriff",
        purpose="stolen-vehicle-recovery",
        basis="Ordinance 2026-14, section 5",
    )
    now = city_files(installation, installation.policy_text)
    return tuple(
        _push(what, compare(now, city_files(installation, text)))
        for what, text in (("the county sheriff", neighbour), (ICE, pushed(installation)))
    )


def _push(what: str, compared: Compared) -> Push:
    """One diff as the page shows it."""
    lines = tuple(
        f"{line.place}  {line.text}" for change in compared.lets_out for line in change.cited
    )
    return Push(
        what,
        tuple(change.says for change in compared.lets_out),
        lines,
        tuple(str(fault) for fault in compared.refused),
    )


def write_page(
    installation: Installation,
    out: Path,
    summary: Summary,
    attempts: tuple[Attempt, ...],
    proofs: tuple[Proof, ...],
    relayed: bytes,
    opened: list[tuple[Tags, bytes, bytes | None]],
) -> None:
    """index.html, from what this run left behind."""
    left = tuple(LeftCard(VERSIONS.format_tags(tags), wire, crop) for tags, wire, crop in opened)
    found = sum(vehicle.plate.encode() in relayed for vehicle in scene.VEHICLES)
    checkpoint = (installation.state / "watch" / "checkpoint").read_text(encoding="utf-8")
    told = answers(installation), pushes(installation)
    content = Page(
        pictures.saw_cards(out / "frames"),
        left,
        *told,
        attempts,
        tuple(Attempt(proof.what, proof.code, proof.evidence) for proof in proofs),
        asdict(summary),
        relayed,
        found,
        checkpoint,
    )
    write_atomic(out / "index.html", demo_page.render(content).encode(), 0o644)
