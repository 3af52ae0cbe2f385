"""Sources, their order, and the one sentence each mistake gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.keys import LEAVES
from config.load import ConfigError, describe, load, mask_password, read

CANARY = "canary-secret-7f3a9c-do-not-print-0123456789"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def yaml_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(environ: dict[str, str], path: Path | None = None, overrides: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(environ, path, overrides)
    text = str(caught.value)
    assert "\n" not in text
    assert CANARY not in text
    assert text.endswith((".", "?"))
    return text


def test_nothing_set_gives_the_defaults() -> None:
    settings = load({})
    assert settings.http.port == 8080
    assert list(settings.channels.web) == ["default"]


def test_command_line_beats_environment_beats_yaml_beats_default(tmp_path: Path) -> None:
    path = yaml_file(tmp_path, "http: {port: 1, host: yaml}\nname: Yaml")
    environ = {"FRONTDESK_HTTP__PORT": "2", "FRONTDESK_HTTP__HOST": "environment"}
    loaded = read(environ, path, {"http.port": 3})
    assert (loaded.settings.http.port, loaded.settings.http.host, loaded.settings.name) == (3, "environment", "Yaml")
    sources = {shown.key: shown.source for shown in describe(loaded)}
    assert sources["http.port"] == "command line"
    assert sources["http.host"] == "FRONTDESK_HTTP__HOST"
    assert sources["name"] == str(path)
    assert sources["log.level"] == "default"


def test_yaml_is_found_by_variable_and_in_the_working_directory(tmp_path: Path) -> None:
    named = yaml_file(tmp_path, "name: Named")
    (tmp_path / "frontdesk.yaml").write_text("name: Here")
    assert load({}).name == "Here"
    assert load({"FRONTDESK_CONFIG": str(named)}).name == "Named"


def test_environment_values_take_the_type_of_their_key() -> None:
    settings = load(
        {
            "FRONTDESK_MODEL__DOWNLOAD": "false",
            "FRONTDESK_MODEL__SEED": "7",
            "FRONTDESK_ENGINE__SETTLE_S": "0.5",
            "FRONTDESK_HTTP__TRUSTED_PROXIES": "10.0.0.0/8, 192.168.1.1",
            "FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS": '["https://a.example", "https://b.example"]',
        }
    )
    assert settings.model.download is False
    assert settings.model.seed == 7
    assert settings.engine.settle_s == 0.5
    assert settings.http.trusted_proxies == ("10.0.0.0/8", "192.168.1.1")
    assert settings.channels.web["default"].allowed_origins == ("https://a.example", "https://b.example")


def test_accounts_are_named_in_the_variable_and_default_stays() -> None:
    web = load(
        {"FRONTDESK_CHANNELS__WEB__NAME": "Main", "FRONTDESK_CHANNELS__WEB__OUTLET__NAME": "Outlet"}
    ).channels.web
    assert {name: account.name for name, account in web.items()} == {"default": "Main", "outlet": "Outlet"}


def test_yaml_may_leave_the_default_account_out(tmp_path: Path) -> None:
    path = yaml_file(tmp_path, "channels:\n  web:\n    name: Short\n    outlet: {name: Outlet}\n")
    web = load({}, path).channels.web
    assert (web["default"].name, web["outlet"].name) == ("Short", "Outlet")


def test_empty_variables_and_empty_sections_count_as_not_set(tmp_path: Path) -> None:
    path = yaml_file(tmp_path, "http:\nmodel:\n  seed: null\n")
    assert load({"FRONTDESK_HTTP__PORT": ""}, path).http.port == 8080
    assert load({}, yaml_file(tmp_path, "")).http.port == 8080


def test_any_key_can_come_from_a_file_and_its_last_newline_is_dropped(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(CANARY + "\n")
    settings = load({"FRONTDESK_CHANNELS__WEB__IDENTITY_SECRET_FILE": str(secret)})
    assert settings.channels.web["default"].identity_secret.get_secret_value() == CANARY
    path = yaml_file(tmp_path, f"channels: {{web: {{default: {{identity_secret_file: {secret}}}}}}}")
    assert load({}, path).channels.web["default"].identity_secret.get_secret_value() == CANARY


def test_a_key_and_its_file_together_are_refused(tmp_path: Path) -> None:
    text = refusal({"FRONTDESK_MODEL__API_KEY": CANARY, "FRONTDESK_MODEL__API_KEY_FILE": str(tmp_path / "x")} | {})
    assert "FRONTDESK_MODEL__API_KEY_FILE" in text
    secret = tmp_path / "x"
    secret.write_text(CANARY)
    text = refusal({"FRONTDESK_MODEL__API_KEY": CANARY, "FRONTDESK_MODEL__API_KEY_FILE": str(secret)})
    assert "both set model.api_key" in text


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_an_unreadable_secret_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    assert str(secret) in refusal({"FRONTDESK_MODEL__API_KEY_FILE": str(secret)})


@pytest.mark.parametrize(
    ("environ", "parts"),
    [
        ({"FRONTDESK_HTTP__PROT": "1"}, ["FRONTDESK_HTTP__PROT", "did you mean FRONTDESK_HTTP__PORT?"]),
        ({"FRONTDESK_HTP__PORT": "1"}, ["did you mean FRONTDESK_HTTP__PORT?"]),
        ({"FRONTDESK_CHANNELS__FAX__TOKEN": "1"}, ["FRONTDESK_CHANNELS__FAX__TOKEN", "frontdesk config show"]),
        ({"FRONTDESK_CHANNELS__WEB": "1"}, ["FRONTDESK_CHANNELS__WEB is not a setting"]),
        ({"FRONTDESK_HTTP__PORT": "many"}, ["http.port (from FRONTDESK_HTTP__PORT)", "whole number", "'many'", "8080"]),
        ({"FRONTDESK_HTTP__PORT": "70000"}, ["at most 65535"]),
        ({"FRONTDESK_MODEL__TEMPERATURE": "warm"}, ["must be a number"]),
        ({"FRONTDESK_MODEL__DOWNLOAD": "maybe"}, ["must be true or false"]),
        ({"FRONTDESK_LOG__LEVEL": "loud"}, ["must be one of 'debug', 'info', 'warning' or 'error'", "info"]),
        ({"FRONTDESK_TENANT": "My Shop"}, ["lower-case letters"]),
        ({"FRONTDESK_HTTP__DRAIN_S": "0"}, ["must be more than 0"]),
        ({"FRONTDESK_STORE__DEDUPE_DAYS": "1"}, ["must be at least 30"]),
        ({"FRONTDESK_HTTP__PUBLIC_URL": "desk.example.com"}, ["http.public_url", "https://desk.example.com"]),
        ({"FRONTDESK_HTTP__TRUSTED_PROXIES": "proxy"}, ["'proxy' is not an address"]),
        ({"FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS": "[oops"}, ["JSON list"]),
        ({"FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS": "[1]"}, ["channels.web.default.allowed_origins", "must be text"]),
        ({"FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS": "https://a.example/"}, ["no trailing slash"]),
        ({"FRONTDESK_CHANNELS__WEB__-OUT__NAME": "x"}, ["channels.web.-out is no account name"]),
        ({"FRONTDESK_CHANNELS__WEB__IDENTITY_SECRET": CANARY[:20]}, ["at least 32 characters", "openssl rand"]),
        ({"FRONTDESK_STORE__URL": f"mysql://root:{CANARY}@db/x"}, ["store.url", "postgresql://user:password@host"]),
        ({"FRONTDESK_MODEL__API_KEY": CANARY}, ["model.api_key is set without model.base_url"]),
        ({"FRONTDESK_MODEL__ANSWER_TOKENS": "4096"}, ["model.answer_tokens must be smaller"]),
        ({"FRONTDESK_MODEL__FIRST_TOKEN_TIMEOUT_S": "61"}, ["must not exceed model.total_timeout_s"]),
        ({"FRONTDESK_KNOWLEDGE__UNANSWERABLE": "quote"}, ["knowledge.unanswerable", "say_so"]),
    ],
)
def test_a_mistake_in_the_environment_is_one_sentence(environ: dict[str, str], parts: list[str]) -> None:
    text = refusal(environ)
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("yaml_text", "parts"),
    [
        ("http: {prot: 1}", ["http.prot (in ", "did you mean http.port?"]),
        ("htp:\n", ["htp (in "]),
        ("http: 5", ["http (in "]),
        ("name: [1, 2]", ["name (from ", "must be text"]),
        ("http: {trusted_proxies: 5}", ["must be a list"]),
        ("- a\n- b", ["must hold sections"]),
        ("a: [\nb", ["not valid YAML in line"]),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence(tmp_path: Path, yaml_text: str, parts: list[str]) -> None:
    text = refusal({}, yaml_file(tmp_path, yaml_text))
    for part in parts:
        assert part in text


def test_a_missing_or_binary_settings_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read" in refusal({"FRONTDESK_CONFIG": str(tmp_path / "none.yaml")})
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not valid YAML" in refusal({}, binary)


def test_a_mistake_on_the_command_line_says_so() -> None:
    assert "http.port (from command line)" in refusal({}, None, {"http.port": "many"})
    assert "http.prot (in command line)" in refusal({}, None, {"http.prot": 1})


def test_variables_that_are_no_settings_are_passed_over() -> None:
    others = {
        "FRONTDESK_CACHE_DIR": "/tmp",
        "FRONTDESK_CRASH_AT": "x",
        "FRONTDESK_SERVICE_HOST": "10.0.0.1",
        "FRONTDESK_SERVICE_PORT_HTTP": "80",
        "FRONTDESK_PORT": "tcp://10.0.0.1:80",
        "FRONTDESK_PORT_80_TCP_ADDR": "10.0.0.1",
        "HOME": "/",
    }
    assert load(others) == load({})


def test_describe_masks_every_secret() -> None:
    loaded = read(
        {
            "FRONTDESK_STORE__URL": f"postgresql://desk:{CANARY}@db/desk?password={CANARY}",
            "FRONTDESK_MODEL__BASE_URL": "https://models.example/v1",
            "FRONTDESK_MODEL__API_KEY": CANARY,
            "FRONTDESK_CHANNELS__WEB__IDENTITY_SECRET": CANARY,
            "FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS": "https://a.example,https://b.example",
        }
    )
    lines = {shown.key: shown.value for shown in describe(loaded)}
    assert CANARY not in json.dumps(lines)
    assert lines["store.url"] == "postgresql://desk:***@db/desk?***"
    assert lines["model.api_key"] == "***"
    assert lines["channels.web.default.allowed_origins"] == "https://a.example, https://b.example"
    assert lines["model.path"] == ""
    assert lines["model.download"] == "true"
    assert CANARY not in repr(loaded.settings.model)


def test_mask_password_leaves_other_text_alone() -> None:
    assert mask_password("sqlite:////tmp/a.db") == "sqlite:////tmp/a.db"
    assert mask_password("postgresql://desk@db/x") == "postgresql://desk@db/x"


@given(st.sampled_from(sorted(LEAVES)), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_no_text_in_any_variable_ends_in_anything_but_settings_or_a_config_error(
    path: tuple[str, ...], text: str
) -> None:
    try:
        load({LEAVES[path].env: text})
    except ConfigError as error:
        assert str(error).endswith((".", "?"))  # noqa: PT017 - both ends are fine
