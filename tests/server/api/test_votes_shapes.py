"""What the addresses of comparisons take, and that a ballot has no word for whose answer it is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from server.api.votes_shapes import BallotLine, CaseQuery, VoteBody


def test_a_ballot_names_nobody():
    assert not {"live", "candidate", "candidate_first"} & set(BallotLine.model_fields)


def test_votes_and_kinds_are_known_words():
    assert CaseQuery().kind == "broken"
    for model, wrong in (
        (VoteBody, {"choice": "candidate"}),
        (CaseQuery, {"kind": "odd"}),
        (CaseQuery, {"offset": -1}),
    ):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)
