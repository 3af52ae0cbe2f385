from tests.training.subjects import heldout
from training.fewshot import shown
from training.suites import row_faults

EXAMPLES = [{**row, "id": f"e-{row['id']}", "conversation": f"e-{row['id']}"} for row in heldout(40)]
ROWS = heldout(8)


def test_examples_of_the_same_behaviour_stand_before_the_history() -> None:
    found = shown(ROWS[2], EXAMPLES, shots=2)
    roles = [message["role"] for message in found["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert found["messages"][-1] == ROWS[2]["messages"][-1]
    assert all("Warm regards" in found["messages"][place]["content"] for place in (2, 4))
    assert ROWS[2]["messages"] == heldout(8)[2]["messages"]


def test_a_call_is_shown_with_its_result() -> None:
    found = shown(ROWS[3], EXAMPLES, shots=1)
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert found["messages"][3]["tool_call_id"] == found["messages"][2]["tool_calls"][0]["id"]
    assert not row_faults(found, set())


def test_the_same_row_always_gets_the_same_examples_and_never_itself() -> None:
    assert shown(ROWS[0], EXAMPLES) == shown(ROWS[0], EXAMPLES[::-1])
    assert shown(ROWS[0], ROWS[:1])["messages"] == ROWS[0]["messages"]


def test_long_examples_are_left_out() -> None:
    long = [{**each, "target": {"content": "x" * 2_000, "tool_calls": []}} for each in EXAMPLES]
    assert shown(ROWS[0], long)["messages"] == ROWS[0]["messages"]
