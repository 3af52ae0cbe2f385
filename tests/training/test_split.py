from __future__ import annotations

import pytest

from tests.training.made import made
from training.split import Earlier, Side, components, parted, sides

NOBODY = Earlier()


def alone(count: int) -> tuple[list, list[str]]:
    rows = [made(number) for number in range(count)]
    return rows, [row.id for row in rows]


def test_a_fifth_is_held_out_and_stays_there_as_data_grows() -> None:
    rows, clusters = alone(1500)
    names = components(rows, clusters, by_customer=False)
    found = sides(rows, names, 0.2, NOBODY)
    assert 0.17 < found.count(Side.HELDOUT) / 1500 < 0.23
    few = sides(rows[:500], names[:500], 0.2, NOBODY)
    assert few == found[:500]


def test_conversations_that_share_a_cluster_go_together() -> None:
    rows = [made(n, conversation=c) for n, c in enumerate("aabbcd")]
    names = components(rows, ["1", "2", "2", "3", "3", "9"], by_customer=False)
    assert names == ["a", "a", "a", "a", "a", "d"]


def test_a_customers_conversations_go_together_when_asked() -> None:
    rows = [made(n, conversation=f"c{n}", customer=who) for n, who in enumerate(["x", "x", "y", "", ""])]
    clusters = [row.id for row in rows]
    assert components(rows, clusters, by_customer=True) == ["c0", "c0", "c2", "c3", "c4"]
    assert components(rows, clusters, by_customer=False) == ["c0", "c1", "c2", "c3", "c4"]


def test_what_was_held_out_never_trains_and_takes_its_cluster_along() -> None:
    rows = [made(n, conversation=f"c{n}") for n in range(6)]
    names = components(rows, ["1", "1", "3", "4", "5", "6"], by_customer=False)
    found = sides(rows, names, 0.0, Earlier(heldout=frozenset({"c1"})))
    assert found == [Side.HELDOUT, Side.HELDOUT, *[Side.TRAIN] * 4]


def test_what_was_trained_on_stays_or_leaves_but_is_never_measured() -> None:
    rows = [made(n, conversation=f"c{n}") for n in range(4)]
    names = components(rows, ["1", "1", "3", "4"], by_customer=False)
    earlier = Earlier(heldout=frozenset({"c0"}), trained=frozenset({"c1", "c2"}))
    assert sides(rows, names, 0.999, earlier)[:3] == [Side.HELDOUT, Side.NEITHER, Side.TRAIN]


def test_customers_of_earlier_datasets_keep_their_side() -> None:
    rows = [made(n, conversation=f"new{n}", customer=who) for n, who in enumerate("xyz")]
    names = components(rows, [row.id for row in rows], by_customer=True)
    earlier = Earlier(heldout_customers=frozenset("x"), trained_customers=frozenset("yz"))
    assert sides(rows, names, 1.0, earlier, by_customer=True) == [Side.HELDOUT, Side.TRAIN, Side.TRAIN]


def test_a_component_larger_than_the_held_out_share_trains() -> None:
    rows = [made(n, conversation="one") for n in range(40)] + [made(100 + n) for n in range(60)]
    for salt in range(20):
        here = [
            row.model_copy(update={"conversation": f"one{salt}"}) if row.conversation == "one" else row for row in rows
        ]
        found = sides(here, components(here, [row.id for row in here], by_customer=False), 0.2, NOBODY)
        assert set(found[:40]) == {Side.TRAIN}


def test_replay_is_never_held_out() -> None:
    rows = [made(n, origin="replay") for n in range(50)]
    found = sides(rows, [row.conversation for row in rows], 1.0, NOBODY)
    assert set(found) == {Side.TRAIN}


@pytest.mark.parametrize("side", list(Side))
def test_every_side_is_there_even_when_empty(side: Side) -> None:
    assert parted([], [])[side] == []
