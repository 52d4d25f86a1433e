"""`platewarden hotlist`: for the city's staff. Imports an agency's list, adds and withdraws single
plates, shows counts; never prints a plate.
"""

import json
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.city.city_lock import only_writer
from agent.commands.city_options import On, PassphraseFile

if TYPE_CHECKING:
    from agent.core.policy.policy import HotlistLimits

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Keep a city's hot list.")

City = Annotated[Path, typer.Option("--city", help="The city's folder, where charter.toml lies.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
State = Annotated[str, typer.Option("--state", help="Issuing state, ISO 3166: US-CA.")]
By = Annotated[
    str,
    typer.Option(
        "--by", help="Who does this: a name or number that the city can tell a person by."
    ),
]
Why = Annotated[str, typer.Option("--why", help="Why, in one line. It stays in the city's file.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The agency's list.")],
    city: City,
    ncic: Annotated[
        bool, typer.Option("--ncic", help="Fixed-width records as extracted from NCIC; else CSV.")
    ] = False,
    columns: Annotated[
        str, typer.Option("--columns", help="With --ncic: where each field stands.")
    ] = "code=1,date=2-9,plate=10-19,state=20-21",
    agency: Annotated[
        str,
        typer.Option(
            "--agency", help="With --ncic: the originating agency, where no column names it."
        ),
    ] = "",
    case: Annotated[
        str,
        typer.Option(
            "--case", help="With --ncic: a reference for this extract, where no column holds one."
        ),
    ] = "",
    valid_days: Annotated[
        int,
        typer.Option(
            "--valid-days", min=1, max=31, help="With --ncic: days until its entries expire."
        ),
    ] = 2,
    as_of: Annotated[
        str,
        typer.Option("--as-of", help="When the agency made the list; else the file's own date."),
    ] = "",
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave broken rows out, count and list them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import an agency's list; it replaces the one before."""
    from agent.bundles.city_folder import CityFolder
    from agent.bundles.hotlist_file import (
        BINARY,
        MAX_SOURCE_BYTES,
        PLAIN,
        entries_in,
        file_digest,
        modified,
    )
    from agent.city import hotlist_files as store
    from agent.city.hotlist_progress import progress
    from agent.core.hotlist.intake.list_import import Source, import_list
    from agent.core.hotlist.intake.ncic import Layout, parse_spans
    from agent.disk.input_file import input_chunks
    from agent.errors import UsageError

    now = datetime.now(UTC)
    layout = Layout(parse_spans(columns), now.date(), agency, case, valid_days) if ncic else None
    if layout and not all(
        name in layout.spans or value for name, value in (("agency", agency), ("case", case))
    ):
        raise UsageError(
            "each entry needs its agency and a case reference",
            where="--ncic",
            fix="give --agency and --case, or name their columns in --columns",
        )
    allowed = CityFolder(city).charter().allowed_categories
    made = _as_of(as_of, now) if as_of else modified(file)
    if made > now:
        raise UsageError(
            "made in the future",
            where="--as-of" if as_of else file,
            fix="check this machine's date, or say with --as-of when the list was made",
        )
    plain = city / PLAIN
    if plain.exists() and not plain.samefile(file) and file_digest(plain) != file_digest(file):
        raise UsageError(
            "another list lies in the city's folder",
            where=plain,
            fix="remove it, or import that one: a camera obeys one list",
        )
    with only_writer(city):
        before = entries_in(city / BINARY)
        with progress(file) as watched:
            chunks = watched(input_chunks(file, MAX_SOURCE_BYTES, missing="check the path"))
            done = import_list(
                Source(chunks, str(file), made, layout),
                allowed,
                now.date(),
                skip_bad_rows=skip_bad_rows,
            )
            data = done.encoded()
        store.replace_private(city / BINARY, data)
    header = done.compiled.header
    if before > 2 * header.entries:
        typer.echo(
            f"platewarden: the list shrank from {before} to {header.entries} entries; was the "
            "file cut short?",
            err=True,
        )
    _show(
        city,
        now,
        as_json=as_json,
        more={"rows_skipped": header.skipped, "skipped_lines": list(done.skipped_lines)},
    )


@app.command()
def add(
    city: City,
    state: State,
    category: Annotated[
        str,
        typer.Option("--category", help="A category that the charter allows, or never-release."),
    ],
    agency: Annotated[str, typer.Option("--agency", help="Who wants to know.")],
    case: Annotated[str, typer.Option("--case", help="Its reference for the case.")],
    source_date: Annotated[
        str, typer.Option("--source-date", help="The date of the report, 2026-11-22.")
    ],
    expires: Annotated[
        str, typer.Option("--expires", help="The first day on which it matches no more.")
    ],
    by: By,
    why: Why,
    vehicle_class: Annotated[str, typer.Option("--class", help="Vehicle class, where known.")] = "",
    as_json: Json = False,
) -> None:
    """Add one plate by hand; it is asked for, or read from standard input."""
    from agent.bundles.city_folder import CityFolder
    from agent.bundles.hotlist_file import MANUAL, read_manual
    from agent.city import hotlist_files as store
    from agent.core.hotlist.entry import FIELDS
    from agent.core.hotlist.intake.manual_acts import act_of, entry_from
    from agent.core.policy.policy import NEVER_RELEASE, TEST
    from agent.core.reasons import Reason
    from agent.errors import PolicyRefusedError

    now = _now()
    cap, allowed = _limits(city).additions_per_day, CityFolder(city).charter().allowed_categories
    if category not in {*allowed, NEVER_RELEASE} - {TEST}:
        told = ", ".join(sorted(set(allowed) - {TEST}))
        raise PolicyRefusedError(
            Reason.CHARTER_FORBIDS_CATEGORY,
            "the charter does not allow this category",
            fix=f"allowed: {told}",
        )
    row = dict(
        zip(
            FIELDS,
            (_plate(), state, category, agency, case, source_date, expires, vehicle_class),
            strict=True,
        )
    )
    act = act_of("add", now, by, why, entry_from(row, now.date()))
    with only_writer(city):
        manual = read_manual(city).without_old(now.date()).add(act, cap)
        store.replace_private(city / MANUAL, manual.encoded())
    left = max(0, cap - manual.additions_on(now.date()))
    _say(
        {"added": 1, "additions_left_today": left},
        f"added; {left} more may be added today",
        as_json=as_json,
    )


@app.command()
def remove(
    city: City,
    state: State,
    by: By,
    why: Why,
    case: Annotated[
        str,
        typer.Option("--case", help="Only the entry of this case; else all entries of the plate."),
    ] = "",
    protection: Annotated[
        bool, typer.Option("--protection", help="Also end a protection (never-release).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Withdraw a plate, imported or added; it is asked for, or read from standard input."""
    from agent.bundles.hotlist_file import MANUAL, read_hotlist, read_manual
    from agent.city import hotlist_files as store
    from agent.core.hotlist.entry import plate_of
    from agent.core.hotlist.intake.manual_acts import act_of
    from agent.core.policy.policy import NEVER_RELEASE
    from agent.errors import UsageError

    now, text = _now(), plate_of(_plate())
    with only_writer(city):
        listed = (
            [entry for entry in read_hotlist(city, now.date()).texts(text) if entry.state == state]
            if text
            else []
        )
        found = [
            entry
            for entry in listed
            if entry.expires > now.date() and (not case or entry.case == case)
        ]
        chosen = [entry for entry in found if protection or entry.category != NEVER_RELEASE]
        if not chosen:
            fix = (
                "give --protection to end a protection"
                if found
                else "check plate, state and case; was it withdrawn already, or has it expired?"
            )
            raise UsageError("no such entry", where=city, fix=fix)
        acts = [act_of("withdraw", now, by, why, entry) for entry in chosen]
        store.replace_private(
            city / MANUAL, read_manual(city).without_old(now.date()).withdraw(acts).encoded()
        )
    _say(
        {"withdrawn": len(chosen)},
        f"withdrawn: {len(chosen)} entries; they raise nothing from the camera's next start",
        as_json=as_json,
    )


@app.command()
def publish(
    city: City,
    key: Annotated[
        str,
        typer.Option(
            "--key", help="The key of role hotlist: a PEM file, or a token's pkcs11: URI."
        ),
    ],
    online_key: Annotated[
        str,
        typer.Option(
            "--online-key",
            help="The online key, to publish at once; without it `bundle publish --renew` takes "
            "the "
            "list.",
        ),
    ] = "",
    passphrase_file: PassphraseFile = None,
    online_passphrase_file: Annotated[
        Path | None,
        typer.Option("--online-passphrase-file", help="As --passphrase-file, for --online-key."),
    ] = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Encrypt the list to all enrolled cameras, sign and publish it; for cron.

    Exit 0: published, or unchanged and still fresh; 1: try again; 2: list, folder or key is wrong;
    3: refused.
    """
    from agent.bundles.repository.signing_keys import load_signer
    from agent.city.hotlist_publication import publish_list
    from agent.city.moment import moment
    from agent.city.passphrase import secret_from

    with only_writer(city):
        signer = load_signer(key, secret_from(passphrase_file))
        online = (
            load_signer(online_key, secret_from(online_passphrase_file or passphrase_file))
            if online_key
            else None
        )
        sent = publish_list(city, signer, online, lambda rig: moment(on, rig=rig))
    if sent.stale_after <= moment(on, rig=True):
        print(
            f"platewarden: the list was made at {sent.as_of:%Y-%m-%d %H:%M} UTC: cameras hold it "
            "for stale and match nothing; import a newer one",
            file=sys.stderr,
        )
    _say(sent.table(), sent.told(), as_json=as_json)


@app.command()
def show(city: City, as_json: Json = False) -> None:
    """Show what the list holds, in numbers."""
    _show(city, datetime.now(UTC), as_json=as_json, more={})


def _show(city: Path, now: datetime, *, as_json: bool, more: dict[str, object]) -> None:
    from agent.bundles.hotlist_file import read_hotlist, read_manual
    from agent.core.text.rfc3339 import rfc3339

    max_age = timedelta(hours=_limits(city).max_age_hours)
    listed, manual = read_hotlist(city, now.date(), max_age=max_age), read_manual(city)
    table: dict[str, object] = {
        "entries": len(listed),
        "in_force": listed.by_category(now.date()),
        "dropped": dict(listed.dropped),
        "expired_at_import": listed.expired,
        "identical_rows": listed.identical,
        "contradicting_rows": listed.contradicting,
        **more,
        "added_by_hand_today": manual.additions_on(now.date()),
        "withdrawn": len(manual.withdrawn),
        "by_hand": manual.told(),
        "as_of": rfc3339(listed.as_of),
        "stale_after": rfc3339(listed.stale_after),
        "stale": listed.stale(now),
        "digest": listed.digest,
    }
    if as_json:
        typer.echo(json.dumps(table, ensure_ascii=True))
        return
    for name, value in table.items():
        if isinstance(value, dict):
            typer.echo(f"{name.replace('_', ' ')}:{'' if value else ' none'}")
            for category, count in value.items():
                typer.echo(f"  {category:<28}{count:>10,}")
        elif name == "by_hand" and isinstance(value, list):
            typer.echo(f"{'by hand':<20} {len(value)}")
            for act in value:
                typer.echo(
                    f"  {act['at']}  {act['action']:<8}  {act['category']:<20}  by {act['by']}"
                )
        else:
            typer.echo(f"{name.replace('_', ' '):<20} {_told(value)}")


def _limits(city: Path) -> "HotlistLimits":
    """What the city's policy says of its lists; the strictest where it has no policy yet."""
    from agent.bundles.city_folder import CityFolder
    from agent.core.policy.policy import HotlistLimits

    return CityFolder(city).policy().hotlist if (city / "policy.toml").exists() else HotlistLimits()


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _say(table: dict[str, object], words: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(table) if as_json else words)


def _now() -> datetime:
    """To the millisecond, as the file keeps it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _plate() -> str:
    """From the terminal or standard input, never from the command line: arguments stand in the
    shell's history and in everybody's list of processes (P9).
    """
    if sys.stdin.isatty():
        print("plate: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline(200).strip()


def _as_of(text: str, now: datetime) -> datetime:
    """A date (its first moment, UTC) or an RFC 3339 time. Raises UsageError."""
    from agent.errors import UsageError

    try:
        moment = (
            datetime.combine(date.fromisoformat(text), time(), UTC)
            if len(text) == len("2026-11-22")
            else datetime.fromisoformat(text)
        )
    except ValueError:
        moment = now.replace(tzinfo=None)
    if moment.tzinfo is None:
        raise UsageError("no time", where="--as-of", fix="write 2026-11-22 or 2026-11-22T06:00:00Z")
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
