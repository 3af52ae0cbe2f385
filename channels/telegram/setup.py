"""What a bot settles at its start without holding anything up: who it is, and where its updates go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog

from channels.base import Health, Limited, Refused, SendError
from channels.telegram.api import Api
from channels.telegram.commands import Me
from channels.telegram.updates import WANTED
from config.accounts import TelegramAccount

PAUSE_FIRST_S, PAUSE_LAST_S = 1.0, 300.0
NO_METHOD = "404"
CONNECTIONS = 40  # parallel webhook requests Telegram may open
PORTS = frozenset({443, 80, 88, 8443})  # the only ones Telegram calls

log = structlog.get_logger()


class Setup:
    """Asks for the bot's name and registers its webhook, again and again until Telegram answers."""

    def __init__(
        self,
        api: Api,
        account: str,
        settings: TelegramAccount,
        public_url: str,
        learn: Callable[[Me], None],
        *,
        look_only: bool = False,
    ) -> None:
        self._api = api
        self._account = account
        self._settings = settings
        self._public_url = public_url.rstrip("/")
        self._learn = learn
        self._look_only = look_only

    @property
    def webhook_url(self) -> str:
        """Where Telegram shall deliver; empty when it is not ours to say (polling, no public https address)."""
        wanted = self._settings.mode == "webhook" and self._settings.register_webhook
        if not wanted or urlsplit(self._public_url).scheme != "https":
            return ""
        suffix = "" if self._account == "default" else f"/{self._account}"
        return f"{self._public_url}/webhooks/telegram{suffix}"

    async def run(self) -> None:
        """Settle both; failures are only logged."""
        if self._look_only:
            return
        await self._until_done("who_am_i", self._ask)
        if self.webhook_url:
            if (urlsplit(self._public_url).port or 443) not in PORTS:
                log.warning("telegram_port", account=self._account, repair="http.public_url must use port 443 or 8443")
            await self._until_done("webhook", self._register)

    async def check(self, trouble: str) -> Health:
        """Whether the token works and updates come in; ``trouble`` is what polling met with."""
        try:
            await self._ask()
            hook = await self._hook()
        except SendError as error:
            return Health(ok=False, detail=f"Telegram says {error.code}: {error.detail or 'no reason'}")
        if trouble:
            return Health(ok=False, detail=trouble)
        return self._verdict(hook) if hook is not None else Health(ok=True, detail="the bot answers")

    async def _hook(self) -> Mapping[str, Any] | None:
        """Where updates go; None from servers that cannot tell."""
        try:
            found = await self._api.call(lambda bot: bot.get_webhook_info())
        except Refused as error:
            if error.code != NO_METHOD:
                raise
            return None
        return found if isinstance(found, Mapping) else None

    def _verdict(self, hook: Mapping[str, Any]) -> Health:
        if self._settings.mode == "polling":
            if hook.get("url"):
                return Health(ok=False, detail="a webhook is set, so polling gets nothing; remove it by deleteWebhook")
            return Health(ok=True, detail="the bot answers and is polled")
        if not hook.get("url"):
            if self.webhook_url and self._look_only:
                return Health(ok=True, detail="the bot answers; its webhook is set when the service starts")
            repair = "set http.public_url to an https address, or set it yourself by setWebhook"
            return Health(ok=False, detail=f"no webhook is set; {repair}")
        if self.webhook_url and hook["url"] != self.webhook_url:
            return Health(ok=False, detail="the webhook points elsewhere; another service may be using this bot")
        last = str(hook.get("last_error_message") or "")
        waiting = int(hook.get("pending_update_count") or 0)
        detail = f"{waiting} updates wait; Telegram's last delivery error: {last}" if last else "the bot answers"
        return Health(ok=not (last and waiting), detail=detail)

    async def _ask(self) -> None:
        me = await self._api.call(lambda bot: bot.get_me())
        if isinstance(me, Mapping) and isinstance(me.get("id"), int):
            self._learn(Me(me["id"], str(me.get("username") or "")))

    async def _register(self) -> None:
        await self._api.call(
            lambda bot: bot.set_webhook(
                self.webhook_url,
                secret_token=self._settings.secret_token.get_secret_value(),
                allowed_updates=WANTED,
                max_connections=CONNECTIONS,
            )
        )
        log.info("telegram_webhook_set", account=self._account)

    async def _until_done(self, what: str, work: Callable[[], Any]) -> None:
        pause_s = PAUSE_FIRST_S
        while True:
            try:
                await work()
            except Refused as error:  # repeating it would not help; sends say for themselves when the token is bad
                log.warning("telegram_setup_refused", account=self._account, what=what, detail=error.detail)
                return
            except SendError as error:
                log.warning("telegram_setup_failed", account=self._account, what=what, code=error.code)
                again_s = error.retry_after_s if isinstance(error, Limited) else pause_s
                await asyncio.sleep(again_s)
                pause_s = min(pause_s * 2, PAUSE_LAST_S)
            else:
                return
