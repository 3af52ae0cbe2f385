"""Settings of channel accounts: one class per platform; an account is on when all its secrets are set.

An account with some of its secrets is an error at start: no secret ever means "let everybody in".
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from config.approved import Approved, approved
from config.section import Section, http_url

Basis = Literal["no", "consent", "contract", "legitimate_interest"]
"""On what ground messages of an account may train the model; no = never."""

TELEGRAM_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")  # what Telegram accepts as secret_token


class WebAccount(Section):
    """One web site that may embed the widget."""

    enabled: bool = True
    allowed_origins: tuple[str, ...] = ()
    name: str = ""
    greeting: str = ""
    identity_secret: SecretStr = SecretStr("")
    messages_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 20
    sessions_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 30
    site_messages_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 3_000
    token_days: Annotated[int, Field(ge=1, le=3_650)] = 180
    trainable: Basis = "contract"

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
                message = f"{origin!r} is not an origin such as https://shop.example.com (no path, no trailing slash)"
                raise ValueError(message)
        return value

    @field_validator("identity_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        minimum = 32
        if 0 < len(value.get_secret_value()) < minimum:
            message = "must have at least 32 characters; make one with: openssl rand -hex 32"
            raise ValueError(message)
        return value


class PlatformAccount(Section):
    """What accounts of all messaging platforms share; ``api_base`` empty is the platform's own address."""

    enabled: bool = True
    api_base: str = ""
    feedback: bool = True
    reasons: bool = True
    catch_up: bool = True
    trainable: Basis = "contract"

    @property
    def asks_reasons(self) -> bool:
        """Whether the reasons can be asked here with buttons."""
        return self.reasons

    @field_validator("api_base")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return http_url(value, "http://127.0.0.1:9000") if value else value

    def _all_or_none(self, *names: str) -> bool:
        """Whether the named secrets are set; raises ValueError when only some of them are."""
        missing = [name for name in names if not _text(getattr(self, name))]
        if missing and len(missing) < len(names):
            fields = type(self).model_fields
            lacking, whole = (", ".join(fields[name].alias or name for name in some) for some in (missing, names))
            raise ValueError(f"{lacking} missing: set all of {whole}, or none to leave the channel off")
        return not missing


class WhatsAppAccount(PlatformAccount):
    """One WhatsApp number, through Twilio or straight through Meta's Cloud API."""

    model_config = ConfigDict(populate_by_name=True)

    provider: Literal["twilio", "meta"] = "twilio"
    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    sender: str = Field(default="", alias="from")
    shared_key: SecretStr = SecretStr("")
    template_sid: str = ""
    feedback_template_sid: str = ""
    reasons_template_sid: str = ""
    phone_number_id: str = ""
    access_token: SecretStr = SecretStr("")
    app_secret: SecretStr = SecretStr("")
    verify_token: SecretStr = SecretStr("")
    graph_version: str = "v23.0"
    template_name: str = ""
    template_language: str = "en"
    templates: tuple[str, ...] = ()

    @property
    def asks_reasons(self) -> bool:
        """Twilio shows buttons only in templates."""
        return self.reasons and (self.provider == "meta" or bool(self.reasons_template_sid))

    @property
    def offered(self) -> tuple[Approved, ...]:
        """What staff may send outside the window: ``templates``, and the one that is sent by itself."""
        listed = tuple(approved(line) for line in self.templates)
        own = self.template_sid if self.provider == "twilio" else self.template_name
        if not own or any(each.key == own for each in listed):
            return listed
        return (*listed, Approved(own, self.template_language, ""))

    @field_validator("templates")
    @classmethod
    def _approved(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = [(found.key, found.language) for found in map(approved, value)]
        if len(set(names)) < len(names):
            message = "names one template twice in the same language"
            raise ValueError(message)
        return value

    @field_validator("sender")
    @classmethod
    def _number(cls, value: str) -> str:
        number = value.removeprefix("whatsapp:")
        if value and not re.fullmatch(r"\+[0-9]{6,15}", number):
            message = "must be the number in E.164 form such as +14155238886"
            raise ValueError(message)
        return f"whatsapp:{number}" if value else value

    @field_validator("graph_version")
    @classmethod
    def _version(cls, value: str) -> str:
        if not re.fullmatch(r"v[0-9]+\.[0-9]+", value):
            message = "must be a version of the Graph API such as v23.0"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _whole(self) -> WhatsAppAccount:
        self.on  # noqa: B018 - raises when half of the secrets are set
        return self

    @property
    def on(self) -> bool:
        """Whether every secret of the chosen provider is there."""
        if self.provider == "twilio":
            whole = self._all_or_none("account_sid", "auth_token", "sender")
        else:
            whole = self._all_or_none("phone_number_id", "access_token", "app_secret", "verify_token")
        return whole and self.enabled


class SlackAccount(PlatformAccount):
    """One Slack workspace; ``signing_secret`` for the Events API, ``app_token`` for Socket Mode, or both."""

    bot_token: SecretStr = SecretStr("")
    signing_secret: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    team_id: str = ""
    staff_channel: str = ""
    stream: bool = True
    trainable: Basis = "no"

    @model_validator(mode="after")
    def _whole(self) -> SlackAccount:
        token, door = _text(self.bot_token), _text(self.signing_secret) or _text(self.app_token)
        if bool(token) != bool(door):
            missing = "bot_token" if door else "signing_secret (or app_token for Socket Mode)"
            message = f"{missing} missing: set both, or none to leave the channel off"
            raise ValueError(message)
        return self

    @property
    def on(self) -> bool:
        """Whether messages can come in and go out."""
        return bool(_text(self.bot_token)) and self.enabled


class TelegramAccount(PlatformAccount):
    """One Telegram bot, by webhook or by polling."""

    token: SecretStr = SecretStr("")
    secret_token: SecretStr = SecretStr("")
    mode: Literal["webhook", "polling"] = "webhook"
    stream: Literal["draft", "edit", "off"] = "draft"
    register_webhook: bool = True

    @field_validator("secret_token")
    @classmethod
    def _accepted(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if secret and not TELEGRAM_SECRET.fullmatch(secret):
            message = "may hold 1 to 256 letters, digits, underscores and dashes; make one with: openssl rand -hex 32"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _whole(self) -> TelegramAccount:
        token, secret = _text(self.token), _text(self.secret_token)
        if secret and not token:
            message = "token missing: set it beside secret_token, or neither to leave the channel off"
            raise ValueError(message)
        if token and not secret and self.mode == "webhook":
            message = "secret_token missing: set it for the webhook, or set mode to polling"
            raise ValueError(message)
        return self

    @property
    def on(self) -> bool:
        """Whether messages can come in and go out."""
        return bool(_text(self.token)) and self.enabled


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
