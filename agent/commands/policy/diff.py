"""`platewarden policy diff`: what a change of policy lets out, in words, the worst first; what a
signer is shown before signing.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import Json
from agent.core.reasons import Reason
from agent.core.text.visible import visible
from agent.errors import PolicyRefusedError

app = typer.Typer(add_completion=False)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="The policy as it is.")],
    new: Annotated[Path, typer.Argument(help="The policy as it would be.")],
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
    from agent.city.policy_files import load_both, write_page
    from agent.core.judging.diff.diff_words import compare

    compared = compare(*load_both(old, new, charter, roster))
    if html is not None:
        from agent.city.pages.diff_page import render

        write_page(html, render(compared))
    if as_json:
        print(json.dumps(as_table(compared), ensure_ascii=True))
    else:
        for line in told(compared, visible(str(old)), visible(str(new))):
            print(visible(line))
    if compared.refused:
        raise PolicyRefusedError(
            compared.refused[0].reason,
            "the charter forbids the new policy: no camera under it would start",
            where=new,
            fix="change it",
        )
    if no_gain and compared.lets_out:
        raise PolicyRefusedError(
            Reason.POLICY_LETS_OUT_MORE,
            f"the change lets out more in {len(compared.lets_out)} ways",
            where=new,
            fix="whoever signs must want that",
        )
