"""``frontdesk doctor`` as a whole: each injected fault is found, named, and comes with its repair."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.settings import StoreSettings
from server.commands import doctor
from server.commands.checks import Level
from server.store.open import open_store
from tests.model_double import ModelDouble
from tests.plain_logs import plain_logs

REMOTE = {"FRONTDESK_MODEL__BASE_URL": "http://127.0.0.1:9/v1"}  # nobody listens on the discard port


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    plain_logs()


def healthy(folder: Path) -> dict[str, str]:
    return {"FRONTDESK_DATA_DIR": str(folder), "FRONTDESK_HTTP__PORT": "0"}


async def make_store(folder: Path) -> Path:
    path = folder / "frontdesk.db"
    async with open_store(f"sqlite:///{path}", StoreSettings()).running():
        pass
    return path


def unknown_key(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_HTTP__PROT": "1"}


def wrong_value(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_HTTP__PORT": "many"}


def half_set_pair(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_MODEL__API_KEY": "k"}


def data_dir_is_a_file(folder: Path) -> dict[str, str]:
    (folder / "file").write_text("")
    return healthy(folder) | {"FRONTDESK_DATA_DIR": str(folder / "file")}


def model_away(folder: Path) -> dict[str, str]:
    return healthy(folder) | REMOTE


def database_is_garbage(folder: Path) -> dict[str, str]:
    (folder / "frontdesk.db").write_bytes(b"no database at all, but long enough to be read" * 100)
    return healthy(folder)


def database_of_the_future(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(asyncio.run(make_store(folder)))) as connection, connection:
        connection.execute("insert into migration values (999, 'later', 'x', 0)")
    return healthy(folder)


def migration_was_changed(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(asyncio.run(make_store(folder)))) as connection, connection:
        connection.execute("update migration set sha256 = 'other' where version = 1")
    return healthy(folder)


def journal_was_changed(folder: Path) -> dict[str, str]:
    with closing(sqlite3.connect(asyncio.run(make_store(folder)))) as connection:
        connection.execute("pragma journal_mode=delete")
    return healthy(folder)


def postgresql_away(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_STORE__URL": "postgresql://desk:canary-password@127.0.0.1:9/desk"}


def wrong_weights_folder(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_MODEL__PATH": str(folder)}


def weights_damaged(folder: Path) -> dict[str, str]:
    model = folder / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        (model / name).write_text("{}")
    files = {"model.safetensors": {"size": 2, "sha256": "0" * 64}}
    (model / "manifest.json").write_text(json.dumps({"files": files}))
    return healthy(folder) | {"FRONTDESK_MODEL__PATH": str(model)}


def widget_without_https(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_CHANNELS__WEB__ALLOWED_ORIGINS": "https://shop.example.com"}


def open_to_the_network(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_HTTP__HOST": "0.0.0.0"}


def key_without_tls(folder: Path) -> dict[str, str]:
    remote = {"FRONTDESK_MODEL__BASE_URL": "http://192.0.2.1:9/v1", "FRONTDESK_MODEL__API_KEY": "k" * 20}
    return healthy(folder) | remote


def secret_for_everybody(folder: Path) -> dict[str, str]:
    secret = folder / "identity"
    secret.write_text("s" * 40)
    secret.chmod(0o644)
    return healthy(folder) | {"FRONTDESK_CHANNELS__WEB__IDENTITY_SECRET_FILE": str(secret)}


def bot_switched_off(folder: Path) -> dict[str, str]:
    return healthy(folder) | {"FRONTDESK_ENGINE__ENABLED": "false"}


def telegram_away(folder: Path) -> dict[str, str]:
    account = {"TOKEN": "1:canary-token", "MODE": "polling", "API_BASE": "http://127.0.0.1:9"}
    return healthy(folder) | {f"FRONTDESK_CHANNELS__TELEGRAM__{name}": value for name, value in account.items()}


FAULTS: list[tuple[Callable[[Path], dict[str, str]], str, Level, str]] = [
    (unknown_key, "settings", Level.FAIL, "did you mean FRONTDESK_HTTP__PORT?"),
    (wrong_value, "settings", Level.FAIL, "must be a whole number"),
    (half_set_pair, "settings", Level.FAIL, "model.base_url"),
    (data_dir_is_a_file, "data dir", Level.FAIL, "not a directory"),
    (model_away, "model", Level.FAIL, "does not answer"),
    (database_is_garbage, "store", Level.FAIL, "cannot be read"),
    (database_of_the_future, "schema", Level.FAIL, "schema version 999"),
    (migration_was_changed, "schema", Level.FAIL, "not the file that was applied"),
    (journal_was_changed, "durability", Level.WARN, "journal mode delete"),
    (postgresql_away, "store", Level.FAIL, "127.0.0.1:9"),
    (wrong_weights_folder, "weights", Level.FAIL, "lacks config.json"),
    (weights_damaged, "weights", Level.FAIL, "differs from its manifest"),
    (widget_without_https, "public url", Level.FAIL, "shop.example.com"),
    (open_to_the_network, "listening", Level.WARN, "without TLS"),
    (key_without_tls, "model key", Level.WARN, "without TLS"),
    (secret_for_everybody, "secrets", Level.WARN, "every account can read"),
    (telegram_away, "telegram/default", Level.FAIL, "could not be reached"),
    (bot_switched_off, "bot", Level.WARN, "engine.enabled is false"),
]


@pytest.mark.parametrize(("inject", "name", "level", "words"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_an_injected_fault_is_found(
    tmp_path: Path, inject: Callable[[Path], dict[str, str]], name: str, level: Level, words: str
) -> None:
    findings = asyncio.run(doctor.examine(inject(tmp_path)))
    finding = next(each for each in findings if each.name == name)
    assert finding.level is level, finding
    assert words in finding.value
    assert finding.repair
    assert "canary" not in " ".join(each.line() for each in findings)


async def test_a_healthy_installation_has_no_fault(tmp_path: Path) -> None:
    await make_store(tmp_path)
    async with ModelDouble() as double:
        findings = await doctor.examine(healthy(tmp_path) | {"FRONTDESK_MODEL__BASE_URL": double.base_url})
        model = next(finding for finding in findings if finding.name == "model")
        assert model.level is not Level.FAIL or "is not served there" in model.value
    faults = [finding for finding in findings if finding.level is Level.FAIL and finding.name != "model"]
    assert not faults
    assert {finding.name for finding in findings} >= {"python", "packages", "clock", "store", "schema", "durability"}


async def test_a_model_under_another_name_is_named(tmp_path: Path) -> None:
    async with ModelDouble() as double:
        environ = healthy(tmp_path) | {"FRONTDESK_MODEL__BASE_URL": double.base_url, "FRONTDESK_MODEL__NAME": "other"}
        finding = next(each for each in await doctor.examine(environ) if each.name == "model")
    assert finding.level is Level.FAIL
    assert "other is not served there" in finding.value
    assert finding.repair.startswith("set FRONTDESK_MODEL__NAME=")


@contextmanager
def occupied() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_a_port_taken_by_another_program_is_a_fault(tmp_path: Path) -> None:
    with occupied() as port:
        environ = healthy(tmp_path) | {"FRONTDESK_HTTP__PORT": str(port)} | REMOTE
        finding = next(each for each in await doctor.examine(environ) if each.name == "port")
    assert finding.level is Level.FAIL
    assert "FRONTDESK_HTTP__PORT" in finding.repair


def test_the_command_prints_repairs_and_exits_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in model_away(tmp_path).items():
        monkeypatch.setenv(name, value)
    plain = CliRunner().invoke(doctor.app)
    assert plain.exit_code == 1
    assert "fail  model" in plain.output
    assert "repair: start it, or correct FRONTDESK_MODEL__BASE_URL" in plain.output
    as_json = CliRunner().invoke(doctor.app, ["--json"])
    assert as_json.exit_code == 1
    rows = json.loads(as_json.output)
    assert {row["level"] for row in rows} <= {"ok", "warn", "fail"}
    assert all(row["repair"] for row in rows if row["level"] != "ok")
