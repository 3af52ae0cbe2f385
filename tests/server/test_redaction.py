"""What never reaches a log line."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from config.settings import Settings
from server.redaction import Redactor, is_private, secrets_of

CANARY = "canary-91-value"


@pytest.mark.parametrize(
    "key", ["text", "body", "token", "Authorization", "bot_token", "identity_secret", "api_key", "prompt", "reply_text"]
)
def test_private_keys_are_dropped(key: str) -> None:
    assert is_private(key)
    assert Redactor()(None, "info", {"event": "x", key: "customer words"}) == {"event": "x"}


@pytest.mark.parametrize("key", ["lane", "lane_key", "prompt_tokens", "context", "timings", "reason"])
def test_other_keys_stay(key: str) -> None:
    assert Redactor()(None, "info", {key: "value"}) == {key: "value"}


def test_nested_values_are_cleaned_and_objects_become_text() -> None:
    class Odd:
        def __repr__(self) -> str:
            return f"Odd({CANARY})"

    event = {"a": {"token": "t", "b": [f"x{CANARY}", (1, None)]}, "odd": Odd(), "ready": True, "key": SecretStr("s")}
    cleaned = Redactor([CANARY])(None, "info", event)
    assert cleaned == {
        "a": {"b": ["x***", [1, None]]},
        "odd": "Odd(***)",
        "ready": True,
        "key": "SecretStr('**********')",
    }


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc.def-ghi_123", "Authorization: Bearer ***"),
        ("https://api.example/bot12345:AAH-x_y/getMe", "https://api.example/bot***/getMe"),
        ("postgresql://desk:pa55@db/desk", "postgresql://desk:***@db/desk"),
        ("GET /x?a=1&token=abc&b=2", "GET /x?a=1&token=***&b=2"),
        ("nothing to see", "nothing to see"),
    ],
)
def test_secret_shapes_are_masked(text: str, left: str) -> None:
    assert Redactor().text(text) == left


def test_short_values_do_not_blank_out_ordinary_words() -> None:
    assert Redactor(["on"]).text("online") == "online"


def test_longer_secrets_are_masked_before_their_parts() -> None:
    assert Redactor(["abcdef", "abcdefgh"]).text("abcdefgh") == "***"


def test_secrets_of_the_settings_are_found() -> None:
    settings = Settings.model_validate(
        {
            "store": {"url": "postgresql://desk:database-password@db/x"},
            "model": {"base_url": "http://m/v1", "api_key": "model-key"},
            "channels": {"web": {"default": {"identity_secret": "i" * 32}}},
        }
    )
    assert {"database-password", "model-key", "i" * 32} <= secrets_of(settings)
