"""What camera and collector tell each other, as text: written, read, and refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.log.checkpoint import Checkpoint
from agent.core.log.collected import (
    MAX_ANSWER_BYTES,
    Answer,
    format_answer,
    parse_answer,
    published_at,
    published_line,
)
from agent.core.log.tlog_proof import ConsistencyProof, InclusionProof, format_proof

ORIGIN = "platewarden/cam-test-1/watch"
TREE = Checkpoint(ORIGIN, 7, bytes(32))
PROOF = InclusionProof(3, (bytes(range(32)),), b"note\n", b"salt and words")
AT = datetime(2027, 1, 15, 8, 0, 0, 123_000, UTC)


@pytest.mark.parametrize("answer", [Answer(TREE), Answer(TREE, PROOF)])
def test_an_answer_is_read_as_it_was_written(answer):
    assert parse_answer(format_answer(answer)) == answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        format_answer(Answer(TREE))[:-1],
        format_answer(Answer(Checkpoint(ORIGIN, 0, bytes(32)))),
        format_answer(Answer(Checkpoint(ORIGIN, 7, bytes(32), ("more",)))),
        format_answer(Answer(TREE)) + b"hello\n",
        format_answer(Answer(TREE)) + format_proof(ConsistencyProof(3, (), b"note\n")),
        format_answer(Answer(TREE, PROOF)) + b"x" * MAX_ANSWER_BYTES,
    ],
)
def test_anything_else_is_none(data):
    with pytest.raises(ValueError, match=r"."):
        parse_answer(data)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused_or_read(data):
    try:
        found = parse_answer(data)
    except ValueError:
        return
    assert format_answer(found) == data


def test_when_it_was_published_is_the_one_line():
    assert published_at((published_line(AT),)) == AT
    for lines in ((), (published_line(AT),) * 2, ("published soon",), ("earlier 3",)):
        with pytest.raises(ValueError, match=r"."):
            published_at(lines)
