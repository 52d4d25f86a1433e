"""A camera's leaf, tied to the city's log and through it to a witness: `audit prove --under` and
`audit check-proof --under`.
"""

import json

import pytest

from agent.errors import LogRefusedError, UsageError
from tests.components.test_collect import take
from tests.components.test_hotlist_command import ROW, city, hotlist, source
from tests.support.audit_logs import ORIGIN, OTHER_KEY, write_public_keys
from tests.support.witness_logs import a_witness, log_of, run, witnessed

__all__ = ["city"]


@pytest.fixture
def key(tmp_path):
    return write_public_keys(tmp_path / "public.json")


@pytest.fixture
def witness(tmp_path):
    return a_witness(tmp_path / "witness")


@pytest.fixture
def published(tmp_path, city, witness):
    """The city's proof of a camera's checkpoint of 9 leaves, cosigned; the camera has 21 by now."""
    hotlist("import", source(city, ROW), "--city", city)
    take(city, log_of(tmp_path / "watch", 9))
    witnessed(witness[0], city / "log/public.json", city / "log")
    [file] = witness[0].glob("*.checkpoint")
    (city / "log/cosigned").write_bytes(file.read_bytes())
    assert run("publish", city / "log", "--out", tmp_path / "www").exit_code == 0
    log_of(tmp_path / "watch", 21)
    [proof] = (tmp_path / "www/cameras").iterdir()
    return proof


def proven(tmp_path, key, *more, log="watch"):
    out = tmp_path / "leaf.tlog-proof"
    return run("prove", tmp_path / log, "--key", key, "--leaf", 6, "--out", out, *more), out


def checked(proof, key, city, under, *more):
    keys = ("--key", key, "--key", city / "log/public.json")
    return run("check-proof", proof, *keys, "--under", under, *more)


def test_a_leaf_a_checkpoint_and_a_witness_are_one_chain(tmp_path, city, key, published, witness):
    made, proof = proven(tmp_path, key, "--under", published)
    assert made.exit_code == 0, made.exception
    result = checked(proof, key, city, published, "--witness", witness[1], "--json")
    told = json.loads(result.output)
    assert (told["origin"], told["leaf"], told["checkpoint"]["size"]) == (ORIGIN, 6, 9)
    assert (told["city"]["details"]["log"], told["city"]["witnesses"]["met"]) == (ORIGIN, True)
    assert told["city"]["details"]["root"] == told["checkpoint"]["root"]
    lines = checked(proof, key, city, published, "--witness", witness[1]).output
    assert "witness     witness.example/w1: 2 leaves" in lines


def test_a_proof_under_another_checkpoint_is_a_slip(tmp_path, city, key, published):
    _, proof = proven(tmp_path, key)
    result = checked(proof, key, city, published)
    assert isinstance(result.exception, UsageError)
    assert "tells of 9 leaves" in str(result.exception)


def test_the_city_s_log_and_the_camera_disagree(tmp_path, city, key, published):
    """The camera's key signed a second history after the city had collected the first."""
    log_of(tmp_path / "watch", 21, copy=1)
    _, proof = proven(tmp_path, key, "--under", published)
    result = checked(proof, key, city, published)
    assert isinstance(result.exception, LogRefusedError)
    assert result.exception.reason == "root-mismatch"
    assert "signed two histories" in str(result.exception)


def test_the_witnesses_are_those_of_the_city_s_log(tmp_path, city, key, published):
    _, proof = proven(tmp_path, key, "--under", published)
    other = a_witness(tmp_path / "other", "other.example")[1]
    result = checked(proof, key, city, published, "--witness", other)
    assert isinstance(result.exception, UsageError)
    assert "cosigned by nobody" in str(result.exception)


def test_a_city_s_proof_that_was_changed_does_not_hold(tmp_path, city, key, published):
    _, proof = proven(tmp_path, key, "--under", published)
    changed = tmp_path / "changed"
    changed.write_bytes(published.read_bytes().replace(b"index 1", b"index 0"))
    assert isinstance(checked(proof, key, city, changed).exception, LogRefusedError)


def test_without_the_city_s_key_nothing_is_verified(tmp_path, key, published):
    _, proof = proven(tmp_path, key, "--under", published)
    result = run("check-proof", proof, "--key", key, "--under", published)
    assert isinstance(result.exception, UsageError)
    other = write_public_keys(tmp_path / "other.json", OTHER_KEY, "cam-test-2")
    keys = ("--key", key, "--key", other)
    result = run("check-proof", proof, *keys, "--under", published)
    assert isinstance(result.exception, UsageError)


def test_what_is_no_proof_of_a_camera_s_checkpoint(tmp_path, city, key, published):
    """An act on the hot list, a camera's own leaf, no proof at all."""
    act = tmp_path / "act"
    given = ("--key", city / "log/public.json", "--leaf", 0, "--out", act)
    assert run("prove", city / "log", *given).exit_code == 0
    (tmp_path / "none").write_bytes(b"hello\n")
    _, leaf = proven(tmp_path, key)
    for file in (act, tmp_path / "none", leaf):
        assert isinstance(proven(tmp_path, key, "--under", file)[0].exception, UsageError)
    _, proof = proven(tmp_path, key, "--under", published)
    assert isinstance(checked(proof, key, city, act).exception, UsageError)


def test_a_checkpoint_that_the_log_does_not_have(tmp_path, key, published):
    log_of(tmp_path / "watch", 7)
    result, _ = proven(tmp_path, key, "--under", published)
    assert isinstance(result.exception, UsageError)
    assert "no checkpoint of 9 leaves" in str(result.exception)


@pytest.mark.parametrize("more", [("--grown",), ("--leaf", 1, "--checkpoint", "x"), ()])
def test_under_is_for_one_leaf(tmp_path, key, published, more):
    result = run("prove", tmp_path / "watch", "--key", key, "--under", published, *more)
    assert isinstance(result.exception, UsageError)
