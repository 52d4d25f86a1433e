"""docs/ref/commands.md says of every command what the command says of itself."""

import re

import typer

from agent.commands import all_commands
from tests.support.commands_page import PAGE, RENEW, found, is_group, made


def test_the_page_is_what_the_help_texts_make_of_it():
    assert PAGE.read_text() == made(), f"docs/ref/commands.md is not renewed; type: {RENEW}"


def test_the_page_lists_every_command_with_its_own_words():
    group = typer.main.get_command(all_commands.app)
    row = r"^\| \[`platewarden ([a-z -]+)`\]\(#[a-z-]+\) \| (.+) \|$"
    rows = dict(re.findall(row, PAGE.read_text(), re.MULTILINE))
    told = {}
    for words, command in found(group):
        if not is_group(command):
            told[words] = " ".join(command.help.split("\n\n")[0].split())
    assert len(told) > 60
    assert rows == told


def test_the_page_has_every_option_that_is_not_hidden():
    text = PAGE.read_text()
    group = typer.main.get_command(all_commands.app).get_command(None, "bundle")
    options = [one.opts[0] for one in group.get_command(None, "sign").params if not one.hidden]
    section = text.split("\n### bundle sign\n")[1].split("\n#")[0]
    assert re.findall(r"^\| `(--[a-z-]+)` \|", section, re.MULTILINE) == options
    assert "--keep-work" not in text  # hidden
