"""Shapes of candidates; how they enter the store stands in test_collect.py and test_corrections.py."""

from server.candidates import Target, behaviour_of, cluster_of, digest_of, unfit

CALL = {"name": "stock", "arguments": {"item": "lamp"}}


def test_a_target_is_stored_in_one_way_only() -> None:
    one = Target("yes\0", (CALL,))
    assert one.text() == '{"content":"yes\ufffd","tool_calls":[{"arguments":{"item":"lamp"},"name":"stock"}]}'
    assert Target.read(one.text()).calls == (CALL,)
    assert digest_of(one.text()) != digest_of(Target("yes").text())
    assert Target(" ").empty
    assert not Target("", (CALL,)).empty


def test_questions_with_the_same_words_share_a_cluster() -> None:
    assert cluster_of("Where is order 17?") == cluster_of("where is order  4711")
    assert cluster_of("Where is order 17?") != cluster_of("Where is my money?")


def test_what_a_target_teaches_shows_in_its_shape() -> None:
    assert behaviour_of(Target("", ({"name": "handoff_to_staff"},)), cited=False) == "handoff"
    assert behaviour_of(Target("", (CALL,)), cited=True) == "tool_call"
    assert behaviour_of(Target("x"), cited=True) == "grounded"
    assert behaviour_of(Target("x"), cited=True, style=True) == "style"
    assert behaviour_of(Target("x"), cited=False) == "chat"


def test_what_the_trainer_would_refuse_is_told_beforehand() -> None:
    stock, person = {"name": "stock"}, {"name": "handoff_to_staff"}
    assert unfit("chat", (), ()) == ""
    assert unfit("tool_call", (CALL,), (stock,)) == ""
    assert "stock" in unfit("tool_call", (CALL,), (person,))
    assert "needs a call" in unfit("tool_call", (), (stock,))
    assert "handoff_to_staff" in unfit("handoff", (), (stock,))
    assert unfit("handoff", (), (person,)) == ""
