"""What several commands need: the settings, the store, and who is acting."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from config.load import ConfigError, Loaded, read
from config.settings import Settings
from server.commands.failure import MISUSED, Failure
from server.redaction import secrets_of
from server.routes import Principal, Role
from server.store.contract import Store, StoreError
from server.store.open import open_store
from server.telemetry import setup_logging

T = TypeVar("T")
DOCTOR = "frontdesk doctor"


def say(text: str = "") -> None:
    """Print one line at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def loaded(yaml_path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read the settings with their origins; raises Failure with status 2 on a mistake."""
    try:
        return read(os.environ, yaml_path, overrides)
    except ConfigError as error:
        raise Failure(str(error), code=MISUSED) from None


def settings(yaml_path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings and send logs to standard error as they say."""
    result = loaded(yaml_path, overrides).settings
    setup_logging(result.log, secrets=secrets_of(result))
    return result


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; a store that refuses, or a mistake in a file that settings name, becomes a Failure."""
    try:
        return asyncio.run(work)
    except StoreError as error:
        raise Failure(str(error), DOCTOR) from None
    except ConfigError as error:
        raise Failure(str(error), code=MISUSED) from None


@asynccontextmanager
async def opened(config: Settings) -> AsyncIterator[Store]:
    """The configured store, connected and migrated."""
    store = open_store(config.store_url, config.store)
    async with store.running():
        yield store


def operator(config: Settings) -> Principal:
    """Whoever runs this command, for the audit; the shell account is the admission."""
    return Principal(config.tenant, "cli", getpass.getuser(), Role.ADMIN)


def public_url(config: Settings) -> str:
    """Where browsers reach the console."""
    host = f"[{config.http.host}]" if ":" in config.http.host else config.http.host
    return config.http.public_url or f"http://{host}:{config.http.port}"
