"""Ports and the model server, asked over HTTP."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from typing import Any

import aiohttp

from config.settings import Settings
from server.commands.checks import Finding, fail, ok, warn
from server.commands.checks.channels import platform_accounts

TIMEOUT_S = 5.0
UNAUTHORIZED = (401, 403)


async def check_port(settings: Settings) -> Finding:
    """The port is free, or this program serves on it."""
    http = settings.http
    if http.port == 0:
        return ok("port", "any free one")
    with socket.socket(socket.AF_INET6 if ":" in http.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((http.host, http.port))
        except OSError as error:
            reason = error.strerror or type(error).__name__
        else:
            return ok("port", f"{http.port} is free")
    host = "127.0.0.1" if http.host == "0.0.0.0" else http.host  # noqa: S104 - compared, not bound
    status, answer = await _get(f"http://{host}:{http.port}/version", {})
    if status and "version" in answer:
        return ok("port", f"{http.port}: frontdesk {answer['version']} is running")
    return fail("port", f"{http.port}: {reason}", "stop the other program, or set FRONTDESK_HTTP__PORT")


async def check_model(settings: Settings) -> Finding:
    """A remote model answers, accepts the key, and knows the name."""
    model = settings.model
    if not model.base_url:
        return ok("model", f"local, {model.name}")
    key = model.api_key.get_secret_value()
    status, answer = await _get(f"{model.base_url}/models", {"Authorization": f"Bearer {key}"} if key else {})
    if not status:
        return fail("model", f"{model.base_url} does not answer", "start it, or correct FRONTDESK_MODEL__BASE_URL")
    if status in UNAUTHORIZED:
        return fail("model", f"{model.base_url} refuses the key", "correct FRONTDESK_MODEL__API_KEY_FILE")
    names = [str(row.get("id")) for row in answer.get("data", []) if isinstance(row, dict)]
    if not names:
        return fail("model", f"{model.base_url}/models answers {status} without a list", "the URL must end in /v1")
    if model.name not in names:
        return fail("model", f"{model.name} is not served there", f"set FRONTDESK_MODEL__NAME={names[0]}")
    return ok("model", f"{model.name} at {model.base_url}")


def check_switches(settings: Settings) -> Finding:
    """Settings that keep the bot quiet on purpose are worth a line."""
    if not settings.engine.enabled:
        return warn("bot", "engine.enabled is false, nobody is answered", "set FRONTDESK_ENGINE__ENABLED=true")
    web = any(account.enabled for account in settings.channels.web.values())
    if not web and not platform_accounts(settings):
        return warn("bot", "no channel account is enabled", "set FRONTDESK_CHANNELS__WEB__ENABLED=true")
    return ok("bot", "answers")


async def _get(url: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Status and JSON mapping; status 0 when nobody answers."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    answer: Any = {}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            with suppress(json.JSONDecodeError, UnicodeDecodeError):
                answer = json.loads(await response.text())
            return response.status, answer if isinstance(answer, dict) else {}
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0, {}
