"""The kit: which tools there are, and what their options may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.tools import Tools
from config.wording import ConfigError
from server.store.contract import Store
from server.tools.builtin.kit import Kit, make
from tests.server.tools.shopfront import Front, Letters, NoHttp, open_front

DESK = {"capture_lead", "create_ticket", "handoff_to_staff"}


async def made(store: Store, settings: Tools) -> Kit:
    return await make(
        settings, store, "default", None, Letters(), lambda: b"k", NoHttp(), shop_name="Shop", environ={}
    )  # fmt: skip


async def test_without_a_shop_the_desks_own_tools_are_there(store: Store) -> None:
    kit = await made(store, Tools())
    assert set(kit.tools) == DESK
    assert not (await kit.callers("c1")).verified


async def test_with_a_shop_all_are(front: Front) -> None:
    assert set(front.kit.tools) == DESK | {"order_status", "confirm_identity", "book_appointment", "payment_link"}
    for tool in front.kit.tools.values():
        assert tool.spec.parameters["additionalProperties"] is False


@pytest.mark.parametrize(("entry", "words"), [
    ("book_appointment: {builtin: book_appointment, options: {time_zone: Mars/Phobos}}", "time_zone"),
    ("payment_link: {builtin: payment_link, options: {provider: barter}}", "barter"),
    ("payment_link: {builtin: payment_link, options: {provider: stripe}}", "done_url"),
])  # fmt: skip
async def test_options_that_make_no_sense_are_refused(store: Store, tmp_path: Path, entry: str, words: str) -> None:
    file = tmp_path / "tools.yaml"
    file.write_text(entry)
    with pytest.raises(ConfigError, match=words):
        async with open_front(store, f"sqlite:///{tmp_path / 'own.db'}", tools_file=file):
            pass
