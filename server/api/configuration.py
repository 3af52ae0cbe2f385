"""The settings this process runs with, and where each of them was written; secrets are masked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial

from aiohttp import web

from config.load import ConfigError, Loaded, describe, read
from config.settings import Settings
from server.api.shapes import Answer, answer
from server.routes import Role, Route


class SettingLine(Answer):
    """One setting; ``source`` is default, the file or the variable.

    ``written`` differs from ``value`` where it was changed after the start: a restart takes it over.
    """

    key: str
    value: str
    source: str
    written: str


class SettingList(Answer):
    """Every setting in the order of the models; ``trouble`` says why what is written now could not be read."""

    settings: list[SettingLine]
    trouble: str


class ConfigurationApi:
    """The address ``/api/settings``; settings are changed where they are written, not here."""

    def __init__(self, settings: Settings, again: Callable[[], Loaded] | None = None) -> None:
        """``again`` reads them as this process read them at its start; by default, as ``frontdesk serve`` does."""
        self._settings = settings
        self._again = again or partial(read, os.environ)

    def routes(self) -> list[Route]:
        """The table of this resource."""
        return [
            Route("GET", "/api/settings", self.list, Role.ADMIN, "The settings in force and where they come from",
                  answer=SettingList),
        ]  # fmt: skip

    async def list(self, _request: web.Request) -> web.Response:
        """Everything; a secret shows as ``***``, and an address without its password."""
        written, trouble = await asyncio.to_thread(self._written)
        now = {line.key: line for line in describe(written)} if written is not None else {}
        lines = []
        for line in describe(Loaded(self._settings, written.origins if written is not None else {})):
            there = now.get(line.key)
            lines.append(
                SettingLine(key=line.key, value=line.value, source=line.source,
                            written=there.value if there is not None else line.value)
            )  # fmt: skip
        return answer(SettingList(settings=lines, trouble=trouble))

    def _written(self) -> tuple[Loaded | None, str]:
        try:
            return self._again(), ""
        except ConfigError as error:
            return None, str(error)
