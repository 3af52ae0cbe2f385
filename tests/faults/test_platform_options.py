"""What a drill can be asked for, and what of a user's settings it takes over."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.drill.crowd import TOKEN, Crowd
from tests.drill.lines import SlackLine, lines
from tests.drill.options import Options, parse
from tests.drill.records import refuse_unless_empty
from tests.drill.report import percentile
from tests.drill.shop import environment, limits_of, settings_file
from tests.faults.tables import fetch


def test_a_burst_has_its_own_size_unless_it_is_given() -> None:
    usual = parse(["--burst"])
    assert (usual.messages, usual.rate, usual.customers) == (10_000, 1_000.0, 500)
    assert parse(["--burst", "--messages", "50"]).messages == 50
    assert parse([]).messages == 200


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kills", "3", "--burst"],
        ["--store", "postgresql"],
        ["--store", "postgresql://me@host/shop", "--database-away", "5"],
        ["--channels", "fax"],
        ["--channels", ""],
        ["--duplicates", "20"],
        ["--duplicates", "nan"],
        ["--messages", "0"],
        ["--rate", "0"],
        ["--hidden", "0.9", "--errors", "0.1"],
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_only_limits_of_a_users_file_are_taken_over(tmp_path: Path) -> None:
    mine = {
        "engine": {"settle_s": 0.1},
        "outbox": {"concurrency": 3},
        "model": {"max_sequences": 2, "base_url": "http://models.example.com", "api_key": "sk-mine"},
        "store": {"url": "postgresql://shop@db/shop", "pool_size": 4},
        "channels": {"slack": {"default": {"bot_token": "xoxb-mine", "signing_secret": "mine"}}},
        "http": {"port": 443, "public_url": "https://shop.example.com"},
        "media": {"transcription_key": "sk-ears", "max_bytes": 2_000},
        "data_dir": "/var/lib/shop",
    }
    config = tmp_path / "frontdesk.yaml"
    config.write_text(yaml.safe_dump(mine), encoding="utf-8")
    assert limits_of(config) == {
        "engine": {"settle_s": 0.1},
        "outbox": {"concurrency": 3},
        "model": {"max_sequences": 2},
        "store": {"pool_size": 4},
        "media": {"max_bytes": 2_000},
    }
    for broken in ("- a list", "engine: [", "just words"):
        config.write_text(broken, encoding="utf-8")
        with pytest.raises(SystemExit, match="holds no settings"):
            limits_of(config)


async def test_every_line_is_bound_to_its_double(tmp_path: Path) -> None:
    chosen = lines(Options())
    for line in chosen:
        line.platform.base_url = f"http://127.0.0.1:{len(line.name)}"
    found = environment(chosen, settings_file(None, tmp_path), "http://127.0.0.1:1")
    bases = {name: value for name, value in found.items() if name.endswith("API_BASE")}
    assert len(bases) == len(chosen) == 5
    assert all(value.startswith("http://127.0.0.1:") for value in bases.values())
    assert found["FRONTDESK_CONFIG"] == str(tmp_path / "drill.yaml")


def test_the_same_seed_draws_the_same_texts() -> None:
    one, other = (Crowd([], customers=1, rate=1.0, seed=4) for _ in range(2))
    texts = [one._text() for _ in range(50)]
    assert texts == [other._text() for _ in range(50)]
    assert len({TOKEN.search(text).group() for text in texts}) == 50  # type: ignore[union-attr]
    assert 0 < sum(len(text) > 60 for text in texts) < 25


def test_slack_gives_up_within_the_outage() -> None:
    line = SlackLine(Options(outage_s=60.0), 0)
    assert sum(line._patience(Options(outage_s=60.0)).pauses_s) < 30


async def test_a_store_with_conversations_is_left_alone(store_url: str, tmp_path: Path) -> None:
    await refuse_unless_empty(f"sqlite:///{tmp_path / 'nothing.db'}")
    if store_url.startswith("postgresql"):
        await refuse_unless_empty(store_url)
        assert (await fetch(store_url, "select count(*) as n from conversation"))[0]["n"] == 0


async def test_a_used_store_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("create table conversation (id text)")
        shop.execute("insert into conversation values ('c1')")
    with pytest.raises(SystemExit, match="1 conversations"):
        await refuse_unless_empty(f"sqlite:///{tmp_path / 'shop.db'}")


def test_percentiles() -> None:
    assert percentile([], 0.99) == 0
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(list(range(100)), 0.99) == 99
