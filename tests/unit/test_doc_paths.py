"""A message that names a document gives its path on this machine, installed or in a clone."""

from pathlib import Path

import pytest

from agent import doc_paths
from agent.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package in a folder of its own, as a wheel lays it out."""
    (tmp_path / "agent/docs/ref").mkdir(parents=True)
    (tmp_path / "agent/docs/ref/policy.md").touch()
    monkeypatch.setattr(doc_paths, "FOLDERS", (tmp_path / "agent", tmp_path))
    return tmp_path


def test_installed_it_is_the_package_s_copy(installed):
    told = doc_paths.located("see docs/ref/policy.md, [[release]].")
    assert told == f"see {installed}/agent/docs/ref/policy.md, [[release]]."


def test_in_a_clone_it_is_the_clone_s():
    told = doc_paths.located("(config/platewarden.example.toml; docs/guide/clerk.md)")
    assert told == f"({ROOT}/config/platewarden.example.toml; {ROOT}/docs/guide/clerk.md)"


@pytest.mark.parametrize(
    "message",
    [
        "docs/ref/no-such-page.md is none of ours",
        "/srv/docs/ref/policy.md is somebody's own",
        "mydocs/ref/policy.md too",
        "docs/../ref/policy.md leads elsewhere",
    ],
)
def test_other_words_are_left_as_they_are(installed, message):
    assert doc_paths.located(message) == message


def test_an_error_says_the_path_when_it_is_printed(installed):
    error = ConfigError("field x", where="policy.toml:3", fix="see docs/ref/policy.md")
    assert str(error) == f"policy.toml:3: field x (see {installed}/agent/docs/ref/policy.md)"
    assert error.fix == "see docs/ref/policy.md"
