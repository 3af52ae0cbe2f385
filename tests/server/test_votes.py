"""Blind votes: an order that only the store knows, one word per person, and what they add up to."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.conversation import NotFound, Refused
from server.retrain.answers import Pair
from server.retrain.runs import Runs
from server.store.contract import Store
from server.votes import Ballot, Said, Votes, wilson
from tests.places import Place

SAME = Pair("heldout/s", "heldout", "style", "?", "w", "same", "same ", "s")


def pairs(count: int) -> dict[str, Pair]:
    keys = [f"heldout/{number}" for number in range(count)]
    return {key: Pair(key, "heldout", "style", "?", "w", "LIVE", "CANDIDATE", "e") for key in keys} | {SAME.key: SAME}


async def voted(store: Store, votes: Votes, ballot: Ballot, person: str, said: Said) -> str:
    _, choice = await store.write(lambda tx: votes.vote(tx, ballot.id, person, said))
    return choice


async def test_everybody_votes_once_on_each_different_pair(store_url: str, tmp_path: Path):
    async with Place("", store_url).open() as store:
        run = await Runs(store, "t", tmp_path).start("person", "ana")
        votes, found, firsts = Votes(store, "t"), pairs(12), []
        for person in ("ana", "ben"):
            for number in range(12):
                now = await votes.next(run, person, found)
                assert (now.pairs, now.voted) == (12, number), "equal answers are nothing to vote on"
                again = await votes.next(run, person, found)
                assert again == now, "a pair that was only shown comes again as it was"
                assert now.ballot is not None
                firsts.append(now.ballot.first)
                choice = await voted(store, votes, now.ballot, person, "first")
                assert choice.upper() == now.ballot.first
            assert (await votes.next(run, person, found)).ballot is None
        assert {"LIVE", "CANDIDATE"} == set(firsts), "the order is drawn anew for each"
        tally = await votes.tally(run)
        assert (tally.people, tally.rows, tally.candidate + tally.live, tally.tie) == (2, 12, 24, 0)
        assert tally.candidate == firsts.count("CANDIDATE")
        assert tally.interval[0] < (tally.share or 0) < tally.interval[1]


async def test_a_vote_is_final_and_ones_own(store_url: str, tmp_path: Path):
    async with Place("", store_url).open() as store:
        run = await Runs(store, "t", tmp_path).start("person", "ana")
        votes = Votes(store, "t")
        ballot = (await votes.next(run, "ana", pairs(1))).ballot
        assert ballot is not None
        with pytest.raises(NotFound):
            await voted(store, votes, ballot, "ben", "tie")
        assert await voted(store, votes, ballot, "ana", "tie") == "tie"
        with pytest.raises(Refused):
            await voted(store, votes, ballot, "ana", "first")
        assert (await votes.tally(run)).share is None


def test_the_interval_is_wilsons():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(14, 20)
    assert (round(low, 3), round(high, 3)) == (0.481, 0.855)
    assert wilson(10, 10)[1] == pytest.approx(1.0)
