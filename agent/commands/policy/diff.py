"""`platewarden policy diff`: what a change of policy lets out, in words, the worst first; what a
signer is shown before signing.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import Json
from agent.core.judging.explain.explained_files import Files
from agent.core.reasons import Reason
from agent.core.text.visible import visible
from agent.errors import PolicyRefusedError, UsageError

app = typer.Typer(add_completion=False)


@app.command()
def diff(
    old: Annotated[
        Path | None, typer.Argument(help="The policy as it is; or leave it out for --city.")
    ] = None,
    new: Annotated[
        Path | None, typer.Argument(help="The policy as it would be; or leave it out for --city.")
    ] = None,
    city: Annotated[
        Path | None,
        typer.Option(help="A city's folder: what is in force there, and its draft policy.toml."),
    ] = None,
    charter: Annotated[
        Path | None,
        typer.Option(
            help="The council's charter for both. Default: charter.toml beside each, or beside "
            "the other.",
        ),
    ] = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            help="The roster of cameras for both. Default: roster.toml beside each, or beside "
            "the other.",
        ),
    ] = None,
    no_gain: Annotated[
        bool, typer.Option("--no-gain", help="For scripts: exit 3 if the change lets anything out.")
    ] = False,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Write a page: one offline HTML file.")] = None,
) -> None:
    """Tell in words what a change of policy lets out, the worst first. Then tell what it restricts.

    Exit 0: told, whatever it lets out. Exit 3: the charter forbids the new policy, or --no-gain was
    given and the change lets something out.
    """
    from agent.city.pages.diff_report import as_table, told
    from agent.city.policy_files import write_page
    from agent.core.judging.diff.diff_words import compare

    (before, after), (old_file, new_file) = _both(old, new, city, charter, roster)
    compared = compare(before, after)
    if html is not None:
        from agent.city.pages.diff_page import render

        write_page(html, render(compared))
    if as_json:
        print(json.dumps(as_table(compared), ensure_ascii=True))
    else:
        for line in told(compared, visible(str(old_file)), visible(str(new_file))):
            print(visible(line))
    if compared.refused:
        raise PolicyRefusedError(
            compared.refused[0].reason,
            "the charter forbids the new policy: no camera under it would start",
            where=new_file,
            fix="change it",
        )
    if no_gain and compared.lets_out:
        raise PolicyRefusedError(
            Reason.POLICY_LETS_OUT_MORE,
            f"the change lets out more in {len(compared.lets_out)} ways",
            where=new_file,
            fix="whoever signs must want that",
        )


def _both(
    old: Path | None, new: Path | None, city: Path | None, charter: Path | None, roster: Path | None
) -> tuple[tuple[Files, Files], tuple[Path, Path]]:
    """The two policies, and where they stand.

    Raises UsageError where files are named and a city too: one would be passed over in silence.
    """
    from agent.city.policy_files import load, load_both

    if city is None:
        if old is None or new is None:
            raise UsageError("two policies are needed", fix="name two policy files, or --city DIR")
        return load_both(old, new, charter, roster), (old, new)
    if old or new:
        raise UsageError(
            "names the city's own policies", where="--city", fix="leave the two files out"
        )
    from agent.city.in_force import in_force

    now, draft = datetime.now(UTC), city / "policy.toml"
    return (in_force(city, now.date(), now), load(draft, charter, roster)), (city, draft)
