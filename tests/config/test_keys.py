"""The flat list of keys follows the models."""

from __future__ import annotations

import pytest

from config.keys import LEAVES, MAPS, concrete, env_name, kind_of, leaf_of
from config.settings import Settings


def test_every_key_of_the_models_is_a_leaf() -> None:
    keys = {leaf.key for leaf in LEAVES.values()}
    assert {"tenant", "http.port", "channels.web.*.allowed_origins", "log.format"} <= keys
    assert all(path[0] in Settings.model_fields for path in LEAVES)
    assert {("channels", name) for name in ("web", "whatsapp", "slack", "telegram")} == MAPS
    assert {"channels.whatsapp.*.from", "outbox.expiry_s", "media.max_bytes"} <= keys
    assert "channels.whatsapp.*.sender" not in keys, "its name is the one people write"


def test_variables_are_unique_and_leave_the_default_account_out() -> None:
    names = [leaf.env for leaf in LEAVES.values()]
    assert len(names) == len(set(names))
    assert "FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS" in names
    assert env_name(("channels", "web", "outlet", "name")) == "FRONTDESK_CHANNELS__WEB__OUTLET__NAME"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("http", "port"), ("http", "port")),
        (("channels", "web", "name"), ("channels", "web", "default", "name")),
        (("channels", "web", "outlet", "name"), ("channels", "web", "outlet", "name")),
        (("channels", "web", "*", "nothing"), None),
        (("channels", "web"), None),
        (("http",), None),
        (("nothing",), None),
    ],
)
def test_concrete_adds_the_default_account(path: tuple[str, ...], expected: tuple[str, ...] | None) -> None:
    assert concrete(path) == expected


def test_secrets_are_known_by_type_and_the_database_url_counts() -> None:
    secret = {leaf.key for leaf in LEAVES.values() if leaf.secret}
    accounts = {
        "web": ("identity_secret",),
        "whatsapp": ("auth_token", "shared_key", "access_token", "app_secret", "verify_token"),
        "slack": ("bot_token", "signing_secret", "app_token"),
        "telegram": ("token", "secret_token"),
    }
    platforms = {f"channels.{channel}.*.{name}" for channel, names in accounts.items() for name in names}
    assert secret == platforms | {
        *("model.api_key", "media.transcription_key", "store.url", "tools.shop"),
        *(
            "knowledge.embedding_key",
            "knowledge.reranker_key",
            "tools.webhook_secret",
            "mail.password",
            "access.seal_key",
        ),
    }


def test_kinds_read_well() -> None:
    assert leaf_of(("http", "port")).kind == "whole number"
    assert leaf_of(("model", "seed")).kind == "whole number or empty"
    assert leaf_of(("channels", "web", "any", "allowed_origins")).kind == "list of text"
    assert leaf_of(("log", "level")).kind == "one of debug, info, warning, error"
    assert kind_of(bool) == "true or false"
