"""``frontdesk customer`` on the machine the desk runs on."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from config.settings import Settings
from server.commands import customer, shared
from server.commands.failure import Failure
from server.store.contract import Tx

Command = Callable[..., Result]


def met(*names: str) -> None:
    """Customers with a conversation each."""

    async def write() -> None:
        config: Settings = shared.settings()
        async with shared.opened(config) as store:
            for name in names:

                async def unit(tx: Tx, name: str = name) -> None:
                    place = {"tenant": config.tenant, "channel": "web", "account": "default", "address": name}
                    await tx.run("conversations.create_customer", id=f"c{name}", tenant=config.tenant, name=name,
                                 now=tx.now_s)  # fmt: skip
                    await tx.run("conversations.create_identity", **place, id=f"i{name}", customer_id=f"c{name}",
                                 verified=0, profile="{}", now=tx.now_s)  # fmt: skip
                    await tx.run("conversations.create", **place, id=f"t{name}", identity_id=f"i{name}",
                                 customer_id=f"c{name}", language="en", now=tx.now_s)  # fmt: skip

                await store.write(unit)

    shared.run(write())


def test_customers_are_found_merged_and_parted(command: Command) -> None:
    met("nora", "norah")
    assert re.search(r"cnora .* web +nora\n", command(customer.app, "find", "nora").output)
    made = command(customer.app, "merge", "cnora", "cnorah").output
    assert "cnorah is cnora now" in made
    assert "1 customers" in command(customer.app, "find").output
    assert isinstance(command(customer.app, "merge", "cnora", "cnorah").exception, Failure)
    merge = made.split()[1].rstrip(":")
    assert "cnorah stands alone" in command(customer.app, "unmerge", merge).output
    assert isinstance(command(customer.app, "unmerge", merge).exception, Failure)


def test_a_copy_is_for_its_owner_and_never_overwrites(command: Command, tmp_path: Path) -> None:
    met("nora")
    target = tmp_path / "nora.zip"
    assert str(target) in command(customer.app, "export", "cnora", "--to", str(target)).output
    assert target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as archive:
        assert "conversations/tnora.json" in archive.namelist()
    assert "File exists" in str(command(customer.app, "export", "cnora", "--to", str(target)).exception)
    assert "no such customer" in str(command(customer.app, "export", "nobody").exception)


def test_an_erasure_asks_and_reports(command: Command) -> None:
    met("nora", "tom")
    assert "not confirmed" in str(command(customer.app, "erase", "cnora", input="ctom\n").exception)
    assert "erased: 1 conversations" in command(customer.app, "erase", "cnora", "--yes").output
    assert "no such customer" in str(command(customer.app, "erase", "cnora", "--yes").exception)
    assert "1 customers" in command(customer.app, "find").output


def test_who_was_silent_is_forgotten_on_request(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    met("nora")
    assert "customer_days is 0" in str(command(customer.app, "retention").exception)
    monkeypatch.setenv("FRONTDESK_STORE__CUSTOMER_DAYS", "30")
    assert "0 customers would be erased" in command(customer.app, "retention", "--dry-run").output
    assert "0 customers were erased" in command(customer.app, "retention").output


def test_a_report_says_what_is_to_be_looked_at() -> None:
    lines = customer.told({"rows": 3, "run_files": 1, "adapters": ["a"], "look_at": ["prices.csv"]})
    assert lines == [
        "erased: 3 rows, 1 run files",
        "flagged, to be replaced at the next run: a",
        "still named in the shop's own files, look at them: prices.csv",
    ]
    assert customer.told({}) == ["erased: nothing was there"]
