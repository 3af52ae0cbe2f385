from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.accounts import SlackAccount, TelegramAccount, WebAccount, WhatsAppAccount
from config.training import Training


def test_slack_trains_nothing_unless_it_is_allowed() -> None:
    assert SlackAccount().trainable == "no"
    assert SlackAccount(trainable="consent").trainable == "consent"
    assert {made().trainable for made in (WebAccount, WhatsAppAccount, TelegramAccount)} == {"contract"}


def test_cron_texts_are_checked_and_may_be_empty_where_nothing_is_due() -> None:
    assert Training(cron="").cron == ""
    assert Training(cron="30 2 * * *").cron == "30 2 * * *"
    for field in ("cron", "collect_cron"):
        with pytest.raises(ValidationError, match="no cron text"):
            Training.model_validate({field: "nightly"})
    with pytest.raises(ValidationError):
        Training(collect_cron="")


def test_paths_are_made_absolute() -> None:
    made = Training(folder=Path("~/runs"), recipe=Path("recipe.json"))
    assert made.folder == Path("~/runs").expanduser()
    assert made.recipe is not None
    assert made.recipe.is_absolute()
