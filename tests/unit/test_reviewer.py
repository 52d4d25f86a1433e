"""What the recogniser does not read clearly the reviewer looks at: agent/vision/plate_views.py."""

from itertools import combinations
from types import MappingProxyType

import numpy as np
import pytest

from agent.vision.recognizer import OnnxPlateReader
from tests.support.scripted_network import (
    FEATURES,
    SURE,
    ScriptedSession,
    frame,
    reader_of,
    steps_of,
    upright,
)


class InTurn(ScriptedSession):
    """Says these in turn, each with a mark for how much it doubts its second character: `?` much,
    `~` less, `=` so little that the text is sure, but not clear.
    """

    DOUBTS = MappingProxyType({"?": SURE - 0.4, "~": SURE - 2.1, "=": SURE - 3.0})

    def __init__(self, said):
        super().__init__(None)
        self.said = said

    def run(self, output_names, input_feed):
        said = self.said[self.asked]
        doubt = [(1, "F", self.DOUBTS[said[0]])] if said[0] in self.DOUBTS else []
        self.logits = steps_of(said.lstrip("?~="), doubt=doubt)
        return super().run(output_names, input_feed)


@pytest.mark.parametrize(
    ("own", "reviewer", "text", "told"),
    [
        (["TEST123"], [], "TEST123", (0.99, 1)),
        (["=TEST123"], ["TEST123"], "TEST123", (0.94, 0.96)),
        (["=TEST123"], ["?TEST123"], "TEST123", (0.94, 0.96)),
        (["=TEST123", "?TEST123"], ["?TFST123", "?TEST123"], "TEST123", (0.1, 0.9)),
        (["=TEST123", "TEST123"], ["TFST123", "TFST123"], "TFST123", (0.1, 0.9)),
        (["?TEST123"], ["?TEST123"], "TEST123", (0.6, 0.9)),
        (["?TEST123", "TFST123"], ["TFST123", "TFST123"], "TFST123", (0.5, 0.95)),
        (["?TEST123", "TEST123"], ["TFST123", "TEST123"], "TEST123", (0.5, 0.9)),
        (["~TEST123", "?TEST123"], ["~TEST123", "?TEST123"], "TEST123", (0.7, 0.93)),
        (["?TEST123", "TEST123"], ["TEST123", "TEST123"], "TEST123", (0.9, 0.98)),
    ],
    ids=[
        "clear at once",
        "sure, and the reviewer reads the same",
        "sure, and the reviewer reads the same with doubt",
        "sure, but the reviewer reads something else",
        "sure, but the reviewer twice reads something else",
        "in doubt, and together not sure",
        "in doubt: the others decide against it",
        "in doubt, and the reviewer with itself",
        "sure together: more looks doubt",
        "in doubt, and the others are not",
    ],
)
def test_the_reviewer_is_asked_what_the_recogniser_does_not_read_clearly(own, reviewer, text, told):
    recogniser, second = InTurn(own), InTurn(reviewer)
    plate = reader_of(recogniser, reviewer=second).read(frame(), upright(100, 80, 96, 40))
    asked = recogniser.asked, second.asked
    assert (plate.text.value, asked) == (text, (len(own), len(reviewer)))
    assert told[0] < plate.confidence < told[1]


def test_each_looks_at_two_crops_and_three_are_seen():
    crops = []

    class Keeping(InTurn):
        def run(self, output_names, input_feed):
            crops.append(input_feed["crop"])
            return super().run(output_names, input_feed)

    own, reviewer = Keeping(["?TEST123", "TEST123"]), Keeping(["TFST123", "TEST123"])
    reader_of(own, reviewer=reviewer).read(frame(), upright(100, 80, 96, 40))
    apart = [np.abs(one - other).mean() for one, other in combinations(crops, 2)]
    assert apart[0] == 0  # the close crop, by both
    assert min(apart[1:]) > 0.05


def test_what_makes_a_plate_whole_is_asked_of_the_recognisers_own_features():
    class Others(InTurn):
        def run(self, output_names, input_feed):
            *answers, features = super().run(output_names, input_feed)
            return [*answers, features + 1]

    seen = []
    own, reviewer = InTurn(["?TEST123", "TEST123"]), Others(["TEST123", "TEST123"])
    reader = reader_of(own, reviewer=reviewer)
    reader._second_look = lambda _image, _box, view: seen.append(view) or (view, frozenset())
    reader.read(frame(), upright(100, 80, 96, 40))
    assert np.array_equal(seen[0].features, FEATURES)


def test_without_a_reviewer_one_look_has_to_do():
    session = InTurn(["?TEST123"])
    reader = OnnxPlateReader(session, None)
    reader._second_look = lambda _image, _box, view: (view, frozenset())
    plate = reader.read(frame(), upright(100, 80, 96, 40))
    assert (plate.text.value, session.asked) == ("TEST123", 1)
    assert 0.5 < plate.confidence < 0.7
