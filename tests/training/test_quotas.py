from __future__ import annotations

from collections import Counter

from hypothesis import given as examples
from hypothesis import strategies as st

from tests.training.made import made
from training.curation import Cap, Quotas
from training.quotas import Kept, agreed, balanced, best, capped, customer_of, limit, person_of
from training.rows import Row

QUOTAS = Quotas()


def rows(**counts: int) -> list[Row]:
    found = []
    for behaviour, count in counts.items():
        origin = "replay" if behaviour == "general" else "correction"
        for _ in range(count):
            found.append(made(len(found), behaviour=behaviour, origin=origin))
    return found


def left(**counts: int) -> tuple[Counter[str], Kept]:
    kept = Kept(rows(**counts))
    balanced(kept, QUOTAS, 0)
    return Counter(row.behaviour for row in kept.rows), kept


def test_refusals_are_held_to_a_fifth_of_grounded_rows() -> None:
    found, kept = left(grounded=100, refusal=90, general=30)
    assert found["refusal"] == 25
    assert kept.left_out["too many refusals"] == 65


def test_too_few_refusals_are_told() -> None:
    _, kept = left(grounded=100, refusal=5, general=30)
    assert any("may never refuse" in text for text in kept.warnings)
    assert not any("refuse" in text for text in left(style=100, general=20)[1].warnings)


def test_calls_are_held_below_half_of_tool_turns_but_a_few_always_stay() -> None:
    found, _ = left(tool_call=200, tool_ask=110, general=60)
    assert found["tool_call"] / (found["tool_call"] + found["tool_ask"]) <= 0.45
    found, kept = left(tool_call=50, general=10)
    assert found["tool_call"] == QUOTAS.call_floor
    assert any("call too early" in text for text in kept.warnings)


def test_handoffs_and_replay_keep_their_shares_of_the_whole() -> None:
    found, kept = left(grounded=200, refusal=45, handoff=100, general=500)
    total = sum(found.values())
    assert 0.08 <= found["handoff"] / (total - found["general"]) <= 0.10
    assert 0.10 <= found["general"] / total <= 0.20
    assert kept.left_out["more replay than needed"]


def test_missing_replay_is_told() -> None:
    assert any("general ability" in text for text in left(grounded=100, refusal=22)[1].warnings)


@examples(st.fixed_dictionaries({name: st.integers(0, 60) for name in (
    "grounded", "refusal", "handoff", "tool_call", "tool_ask", "chat", "style", "general")}))  # fmt: skip
def test_whatever_comes_every_row_is_kept_or_counted(counts: dict[str, int]) -> None:
    found, kept = left(**counts)
    assert sum(found.values()) + sum(kept.left_out.values()) == sum(counts.values())
    assert found["chat"] == counts["chat"]
    assert found["grounded"] == counts["grounded"]


def test_one_person_with_nine_tenths_of_the_rows_gets_no_more_than_a_share() -> None:
    flood = [made(n, customer="flood", person="eve") for n in range(900)]
    others = [made(1000 + n) for n in range(100)]
    kept = Kept([*flood, *others])
    capped(kept, customer_of, Cap(share=0.05, floor=10), "customer", 0)
    assert Counter(row.customer for row in kept.rows)["flood"] == 10
    assert kept.left_out == {"customer": 890}
    assert len(kept.rows) == 110


def test_a_small_desk_with_one_person_keeps_its_rows() -> None:
    kept = Kept([made(n, person="ana") for n in range(200)])
    capped(kept, person_of, Cap(share=0.05, floor=50), "person", 0)
    assert len(kept.rows) == 200


def test_imports_and_replay_have_no_person_and_replay_no_customer() -> None:
    assert person_of(made(origin="import")) is None
    assert customer_of(made(origin="replay")) is None
    assert customer_of(made(customer="")) == made().conversation


@examples(st.lists(st.integers(1, 300), min_size=1, max_size=60))
def test_a_cap_is_met_or_is_its_floor(sizes: list[int]) -> None:
    cap = Cap(share=0.05, floor=10)
    most = limit(sizes, cap)
    part = max(0.05, 1.5 / len(sizes))
    assert most == 10 or most <= part * sum(min(size, most) for size in sizes)


def test_nobody_has_no_limit_to_compute() -> None:
    assert limit([], Cap(share=0.05, floor=7)) == 7


def test_peoples_own_words_stay_before_thumbs_whatever_the_order() -> None:
    thumbs = [made(n, origin="confirmed") for n in range(50)]
    words = [made(100 + n) for n in range(5)]
    for mixed in ([*thumbs, *words], [*words, *thumbs][::-1]):
        assert {row.id for row in best(mixed, 5, 0)} == {row.id for row in words}


def test_a_customers_own_thumbs_need_others_who_agree() -> None:
    def thumb(number: int, who: str) -> Row:
        return made(number, origin="confirmed", customer=who, person=who)

    found = [thumb(n, "eve") for n in range(500)]
    assert not any(agreed(found, ["same"] * 500, 3))
    found = [thumb(0, "a"), thumb(1, "b"), thumb(2, "c"), thumb(3, "d"), made(4, origin="confirmed", person="staff")]
    assert agreed(found, ["1", "1", "1", "2", "2"], 3) == [True, True, True, False, True]
