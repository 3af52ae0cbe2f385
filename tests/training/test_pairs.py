from tests.training.subjects import everything, heldout, right, subject, wrong
from training.evaluate import tasks
from training.pairs import answer_tokens, clusters, means, pair_up, values


def test_only_equal_prompts_are_compared() -> None:
    asked = tasks(heldout(8))
    live, candidate = subject(asked, wrong), subject(asked, right)
    candidate["heldout/g0"] = {**candidate["heldout/g0"], "prompt": "another"}
    del live["heldout/g1"]
    pairs, left_out = pair_up(live, candidate)
    assert len(pairs) == 6
    assert left_out == ["heldout/g0", "heldout/g1"]
    assert pairs[0].candidate_scores["quality"] == 1


def test_a_figure_stands_where_both_have_it() -> None:
    asked = tasks(heldout(8))
    pairs, _ = pair_up(subject(asked, right), subject(asked, wrong))
    live, candidate = values(pairs, "handoff")
    assert (live == 1).sum() == 2
    assert (candidate == 0).sum() == 2


def test_tokens_are_the_servers_or_words_for_both() -> None:
    asked = tasks(heldout(8))
    one, other = subject(asked, right), subject(asked, lambda _: None)
    live, candidate = answer_tokens(pair_up(one, other)[0])
    assert live.min() >= 8
    assert candidate.max() == 0
    one["heldout/g0"]["usage"] = {}
    assert answer_tokens(pair_up(one, other)[0])[0].max() < 20


def test_rows_of_one_conversation_share_a_cluster() -> None:
    rows = heldout(8)
    rows[1]["conversation"] = rows[0]["conversation"]
    asked = tasks(rows)
    found = clusters(pair_up(subject(asked, right), subject(asked, right))[0])
    assert found[0] == found[1]
    assert len(set(found.tolist())) == 7


def test_means_tell_how_many_rows_they_rest_on() -> None:
    found = means(subject(everything(8), right))
    assert found["handoff"] == (1.0, 32)
