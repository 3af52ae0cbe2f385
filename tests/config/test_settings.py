"""Rules the models check themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import Channels, Settings, StoreSettings, WebAccount


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().http.port = 1  # type: ignore[misc]


def test_the_store_defaults_to_a_file_in_the_data_directory(tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path).store_url == f"sqlite:///{tmp_path}/frontdesk.db"
    url = "postgresql://desk@db/desk"
    assert Settings(store=StoreSettings(url=url)).store_url == url


def test_the_data_directory_is_absolute() -> None:
    assert Settings(data_dir=Path("~/x")).data_dir == Path.home() / "x"
    assert Settings(data_dir=Path("x")).data_dir.is_absolute()


def test_urls_lose_their_trailing_slash() -> None:
    assert (
        Settings.model_validate({"http": {"public_url": "https://a.example/"}}).http.public_url == "https://a.example"
    )


def test_the_default_web_account_is_always_there() -> None:
    assert list(Channels(web={"outlet": WebAccount()}).web) == ["default", "outlet"]


def test_a_sender_holds_its_conversation_longer_than_two_calls_take() -> None:
    with pytest.raises(ValidationError, match=r"outbox.lease_s must be more than twice outbox.send_timeout_s"):
        Settings.model_validate({"outbox": {"lease_s": 15.0, "send_timeout_s": 10.0}})
