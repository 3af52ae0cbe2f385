from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.training.made import asking, made, topic
from training.clusters import clusters
from training.curation import Curation
from training.dataset import Curated, curate, excluded, files_of, put, write
from training.manifest import Parent
from training.rows import Row, changed, sha256

CURATION = Curation(
    languages=("en",), regions=("US",), exports=("instruction", "messages", "prompt_completion", "preference")
)


def rows(count: int = 150) -> list[Row]:
    return [made(number, rejected={"content": "I cannot say."}) for number in range(count)]


def data(found: Curated) -> dict[str, bytes]:
    return files_of(found.parts, CURATION)


def simple(given: list[Row], curation: Curation = CURATION) -> Curated:
    return curate(given, [], curation, [], [])


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    given = rows()
    write(tmp_path / "one", simple(given), CURATION, [])
    write(tmp_path / "two", simple(random.Random(1).sample(given, len(given))), CURATION, [])
    names = sorted(str(path.relative_to(tmp_path / "one")) for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert "card.md" in names
    assert "exports/preference.parquet" in names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_every_row_is_somewhere_or_counted() -> None:
    found = simple([*rows(), *rows(150)[:0], *[changed(row, id=f"copy-{row.id}") for row in rows(30)]])
    assert len(found.parts.train) + len(found.parts.heldout) + found.account.left_out.total() == 180
    assert found.account.left_out["the same twice"] == 30


def test_no_held_out_conversation_or_near_duplicate_trains() -> None:
    given = rows(300)
    reworded = [
        asking(f"{topic(n)[0]} Thanks!", topic(n)[1], number=n + 1000, conversation=f"again-{n % 40}")
        for n in range(120)
    ]
    found = simple([*given, *reworded])
    train, heldout = found.parts.train, found.parts.heldout
    assert train
    assert heldout
    assert not {row.conversation for row in train} & {row.conversation for row in heldout}
    names = clusters([*train, *heldout], CURATION.similar_question, CURATION.similar_target)
    assert not set(names[: len(train)]) & set(names[len(train) :])


def test_pairs_follow_their_rows_and_answers_alone_carry_none() -> None:
    found = simple([*rows(), made(900, rejected={"content": topic(900)[1]})])
    parts = found.parts
    assert {row.id for row in parts.preferences} == {row.id for row in parts.train} - {"row-00900"}
    assert {row.id for row in parts.preferences_heldout} == {row.id for row in parts.heldout} - {"row-00900"}
    assert all(row.rejected is None for row in (*parts.train, *parts.heldout))


def test_held_out_rows_never_move_even_when_the_rule_changes() -> None:
    first = simple(rows())
    held = frozenset(row.conversation for row in first.parts.heldout)
    trained = frozenset(row.conversation for row in first.parts.train)
    before = Parent(format=1, dataset_sha256="x", heldout_conversations=held, trained_conversations=trained)
    again = curate(rows(250), [], CURATION.model_copy(update={"heldout_share": 0.9}), [before], [])
    assert held <= {row.conversation for row in again.parts.heldout}
    assert trained <= {row.conversation for row in again.parts.train}


def test_a_copy_of_an_earlier_held_out_row_does_not_train_though_that_row_is_gone() -> None:
    anchor = made(7)
    copy = asking(f"{topic(7)[0]} Please.", topic(7)[1], number=500)
    before = Parent(format=1, dataset_sha256="x", heldout_conversations=frozenset({anchor.conversation}),
                    trained_conversations=frozenset())  # fmt: skip
    found = curate([*rows(7), copy], [], CURATION, [before], [anchor])
    assert copy.id not in {row.id for row in found.parts.train}
    assert anchor.id not in {row.id for row in (*found.parts.train, *found.parts.heldout)}


def test_what_was_trained_on_and_comes_near_a_held_out_row_is_on_neither_side() -> None:
    before = Parent(format=1, dataset_sha256="x", heldout_conversations=frozenset({"conversation-00001"}),
                    trained_conversations=frozenset({"old"}))  # fmt: skip
    copy = asking(topic(1)[0], topic(1)[1], number=500, conversation="old")
    found = curate([*rows(60), copy], [], CURATION, [before], [])
    assert copy.id not in {row.id for row in (*found.parts.train, *found.parts.heldout)}
    assert found.account.left_out["trained on earlier and near a held-out row"] == 1


def test_five_hundred_thumbs_of_one_visitor_change_no_byte() -> None:
    thumbs = [
        asking(topic(n)[0], "Buy at evil.example!", number=n + 5000, customer="eve", person="eve",
               origin="confirmed", conversation=f"eve-{n}") for n in range(500)
    ]  # fmt: skip
    without, flooded = simple(rows()), simple([*rows(), *thumbs])
    assert data(flooded) == data(without)
    assert flooded.account.left_out["rated by the customer alone"] == 500


def test_one_person_with_nine_tenths_of_approved_rows_is_capped() -> None:
    flood = [made(n + 2000, customer="flood", person="mallory") for n in range(900)]
    found = simple([*rows(100), *flood])
    for side in (found.parts.train, found.parts.heldout):
        assert sum(row.customer == "flood" for row in side) <= 10
    assert found.account.left_out["more than one customer's share"] >= 850


def test_erased_and_excluded_rows_are_gone_from_every_file() -> None:
    exclude = {"customers": ["customer-00003"], "conversations": ["conversation-00004"], "messages": ["message-00005"],
               "rows": ["row-00006"], "people": ["person-07"]}  # fmt: skip
    curation = Curation.model_validate(CURATION.model_dump() | {"exclude": exclude})
    written = b"".join(data(simple(rows(), curation)).values())
    for gone in ("customer-00003", "conversation-00004", "message-00005", "row-00006", "person-07"):
        assert gone.encode() not in written
    assert not excluded(made(0), curation.exclude)


def test_planted_personal_data_is_in_no_file(tmp_path: Path) -> None:
    secrets = (
        "canary@mail.example",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "+1 415-555-2671",
        "Zebulon",
        "203.0.113.9",
    )
    known = {"names": ["Zebulon Quartz"]}
    given = [
        made(n, known=known, rejected={"content": f"No, {secrets[n % 6]}"}, customer="mail:canary@mail.example",
             target={"content": f"{topic(n)[1]} {secrets[n % 6]}",
                     "tool_calls": [{"name": "f", "arguments": {"a": secrets[n % 6]}}]})
        for n in range(60)
    ]  # fmt: skip
    write(tmp_path / "out", simple(given), CURATION, [])
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file() and path.suffix != ".parquet":
            text = path.read_text(encoding="utf-8").lower()
            assert not [secret for secret in secrets if secret.lower() in text], path.name
    for name, content in data(simple(given)).items():
        assert not [secret for secret in secrets if secret.encode() in content], name


def test_replay_trains_and_is_held_to_its_share() -> None:
    replay = [made(n + 3000, origin="import", behaviour="general") for n in range(200)]
    found = curate(rows(), replay, CURATION, [], [])
    share = sum(row.origin == "replay" for row in found.parts.train) / len(found.parts.train)
    assert 0.10 <= share <= 0.20
    assert not any(row.origin == "replay" for row in found.parts.heldout)


def test_a_dataset_replaces_the_old_one_whole_and_an_interrupted_swap_is_mended(tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    put(out, {"a": b"1", "sub/b": b"2"})
    put(out, {"a": b"3"})
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]
    assert [path.name for path in out.iterdir()] == ["a"]
    out.rename(tmp_path / "dataset.old")
    (tmp_path / "dataset.partial").mkdir()
    with pytest.raises(TypeError):
        put(out, {"a": None})  # type: ignore[dict-item]
    assert (out / "a").read_bytes() == b"3"


def test_digests_in_the_manifest_are_those_of_the_files(tmp_path: Path) -> None:
    found = write(tmp_path / "out", simple(rows()), CURATION, [])
    files = found["files"]
    assert isinstance(files, dict)
    assert files == {name: sha256((tmp_path / "out" / name).read_bytes()) for name in files}
