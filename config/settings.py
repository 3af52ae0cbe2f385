"""Every setting of the service as one self-validating model per component.

Sources, strongest first: environment (``FRONTDESK_`` + section + ``__`` + key, ``…_FILE`` for secrets), the YAML file
named by ``FRONTDESK_CONFIG`` (or ``frontdesk.yaml`` in the working directory), the defaults written here.
``config/default.yaml`` documents each key with its default and unit; a test keeps the two equal.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from config.accounts import SlackAccount, TelegramAccount, WebAccount, WhatsAppAccount
from config.alerts import Alerts
from config.handoff import HandoffSettings
from config.insight import Analytics, Surveys
from config.knowledge import Knowledge
from config.mail import Mail
from config.releases import ReleaseSettings
from config.section import Seconds, Section, http_url
from config.tools import Tools
from config.training import Training

Tokens = Annotated[int, Field(gt=0, le=1_000_000)]
ACCOUNTS: dict[str, type[Section]] = {
    "web": WebAccount,
    "whatsapp": WhatsAppAccount,
    "slack": SlackAccount,
    "telegram": TelegramAccount,
}
SEAL_KEY_CHARACTERS = 32
RESERVED_ACCOUNTS = frozenset({"status", "meta", "events", "actions"})  # these words stand in webhook paths


class Http(Section):
    """Where the gateway listens and how the outside reaches it."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Field(ge=1_024, le=64_000_000)] = 1_048_576
    drain_s: Seconds = 25.0

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return http_url(value, "https://desk.example.com") if value else value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                message = f"{network!r} is not an address or network such as 10.0.0.0/8"
                raise ValueError(message) from None
        return value


class StoreSettings(Section):
    """Which database holds everything, and how writes are grouped."""

    url: str = ""
    group_units: Annotated[int, Field(ge=1, le=4_096)] = 256
    pool_size: Annotated[int, Field(ge=2, le=100)] = 8
    timeout_s: Seconds = 10.0
    retention_days: Annotated[int, Field(ge=0, le=36_500)] = 365
    dedupe_days: Annotated[int, Field(ge=30, le=36_500)] = 90
    customer_days: Annotated[int, Field(ge=0, le=36_500)] = 0

    @field_validator("url")
    @classmethod
    def _dialect(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://")):
            message = "must be sqlite:///path/to/file.db or postgresql://user:password@host/database"
            raise ValueError(message)
        return value


class ModelSettings(Section):
    """The language model: a local vLLM child, or any OpenAI-compatible URL."""

    base_url: str = ""
    api_key: SecretStr = SecretStr("")
    name: str = "HuggingFaceTB/SmolLM2-135M-Instruct"
    path: Path | None = None
    context_tokens: Tokens = 2_048
    max_sequences: Annotated[int, Field(ge=1, le=1_024)] = 8
    answer_tokens: Tokens = 256
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    repetition_penalty: Annotated[float, Field(ge=1, le=2)] = 1.0
    seed: int | None = None
    first_token_timeout_s: Seconds = 8.0
    gap_timeout_s: Seconds = 10.0
    total_timeout_s: Seconds = 60.0
    load_timeout_s: Seconds = 900.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    kv_cache_gib: Annotated[float, Field(gt=0, le=1_024)] = 1.0
    lora_slots: Annotated[int, Field(ge=0, le=64)] = 0
    lora_rank: Annotated[int, Field(ge=1, le=512)] = 32
    download: bool = True

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return http_url(value, "http://127.0.0.1:8000/v1") if value else value

    @model_validator(mode="after")
    def _fits(self) -> ModelSettings:
        if self.api_key.get_secret_value() and not self.base_url:
            message = "model.api_key is set without model.base_url; set both for a remote model, else neither"
            raise ValueError(message)
        if self.answer_tokens >= self.context_tokens:
            message = "model.answer_tokens must be smaller than model.context_tokens; lower it or raise the context"
            raise ValueError(message)
        if self.first_token_timeout_s > self.total_timeout_s:
            message = "model.first_token_timeout_s must not exceed model.total_timeout_s"
            raise ValueError(message)
        return self


class EngineSettings(Section):
    """How a turn is run: coalescing, merging, retries, and what the customer is told meanwhile."""

    enabled: bool = True
    system_prompt: str = (
        "You are the assistant of {name}, a customer support desk. Answer in the customer's language, briefly and "
        "politely. If you do not know something, say so and offer to ask a person."
    )
    settle_s: Annotated[float, Field(ge=0, le=1.2)] = 0.3
    max_merges: Annotated[int, Field(ge=0, le=10)] = 2
    merge_window_s: Seconds = 15.0
    busy_after_s: Seconds = 8.0
    answer_deadline_s: Seconds = 600.0
    retry_base_s: Seconds = 2.0
    breaker_failures: Annotated[int, Field(ge=1, le=100)] = 3
    breaker_pause_s: Seconds = 5.0
    lease_s: Annotated[float, Field(ge=0.5, le=600)] = 15.0
    max_errors: Annotated[int, Field(ge=1, le=100)] = 5
    max_lost_leases: Annotated[int, Field(ge=1, le=100)] = 8
    delta_interval_s: Annotated[float, Field(ge=0.02, le=2)] = 0.1
    history_messages: Annotated[int, Field(ge=0, le=1_000)] = 40
    case_idle_h: Annotated[float, Field(gt=0, le=8_760)] = 72.0
    answer_while_waiting: bool = True


class Outbox(Section):
    """How answers leave: time-outs, repeats, and when an answer is too late to be sent."""

    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 32
    send_timeout_s: Seconds = 10.0
    lease_s: Annotated[float, Field(ge=2, le=600)] = 30.0
    max_errors: Annotated[int, Field(ge=1, le=100)] = 8
    retry_base_s: Seconds = 0.5
    retry_max_s: Seconds = 60.0
    breaker_failures: Annotated[int, Field(ge=1, le=100)] = 5
    breaker_pause_s: Seconds = 5.0
    expiry_s: Seconds = 3_600.0
    draft_after_s: Annotated[float, Field(ge=0, le=60)] = 0.7

    @model_validator(mode="after")
    def _fits(self) -> Outbox:
        if self.lease_s <= 2 * self.send_timeout_s:
            message = "outbox.lease_s must be more than twice outbox.send_timeout_s; raise it or lower the time-out"
            raise ValueError(message)
        return self


class MediaSettings(Section):
    """What becomes of files that customers send."""

    max_bytes: Annotated[int, Field(ge=1_024, le=1_000_000_000)] = 16_000_000
    types: tuple[str, ...] = ("image/*", "audio/*", "video/*", "application/pdf", "text/plain", "text/csv")
    timeout_s: Seconds = 30.0
    transcription_url: str = ""
    transcription_key: SecretStr = SecretStr("")
    transcription_model: str = "whisper-1"

    @field_validator("transcription_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return http_url(value, "http://127.0.0.1:8001/v1/audio/transcriptions") if value else value


class Channels(Section):
    """The messaging platforms; each section maps account names to settings, ``default`` is the unnamed one."""

    web: dict[str, WebAccount] = Field(default_factory=dict)
    whatsapp: dict[str, WhatsAppAccount] = Field(default_factory=dict)
    slack: dict[str, SlackAccount] = Field(default_factory=dict)
    telegram: dict[str, TelegramAccount] = Field(default_factory=dict)

    @field_validator("web", "whatsapp", "slack", "telegram")
    @classmethod
    def _names(cls, value: dict[str, Section], info: ValidationInfo) -> dict[str, Section]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name) or name in RESERVED_ACCOUNTS:
                message = (
                    f"channels.{info.field_name}.{name} is no account name; use lower-case letters, digits, dashes, "
                    f"underscores, and none of {', '.join(sorted(RESERVED_ACCOUNTS))}"
                )
                raise ValueError(message)
        return {"default": ACCOUNTS[info.field_name or ""](), **value}


class Access(Section):
    """Sign-in of staff and admins."""

    session_idle_h: Annotated[float, Field(gt=0, le=720)] = 12.0
    session_max_h: Annotated[float, Field(gt=0, le=8_760)] = 168.0
    link_minutes: Annotated[float, Field(gt=0, le=1_440)] = 60.0
    attempts_per_minute: Annotated[int, Field(ge=1, le=1_000)] = 10
    second_factor_roles: tuple[Literal["viewer", "staff", "admin"], ...] = ()
    argon2_memory_kib: Annotated[int, Field(ge=8_192, le=4_194_304)] = 65_536
    seal_key: SecretStr = SecretStr("")

    @field_validator("seal_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < SEAL_KEY_CHARACTERS:
            message = f"must have at least {SEAL_KEY_CHARACTERS} characters; make one with: openssl rand -hex 32"
            raise ValueError(message)
        return value


class Log(Section):
    """What the process writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(Section):
    """The whole tree, as one immutable value handed to ``server.app.build``."""

    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = "default"
    name: str = "frontdesk"
    data_dir: Path = Path("~/.local/share/frontdesk")
    http: Http = Http()
    store: StoreSettings = StoreSettings()
    model: ModelSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    channels: Channels = Channels()
    outbox: Outbox = Outbox()
    handoff: HandoffSettings = HandoffSettings()
    media: MediaSettings = MediaSettings()
    knowledge: Knowledge = Knowledge()
    tools: Tools = Tools()
    mail: Mail = Mail()
    alerts: Alerts = Alerts()
    releases: ReleaseSettings = ReleaseSettings()
    training: Training = Training()
    analytics: Analytics = Analytics()
    surveys: Surveys = Surveys()
    access: Access = Access()
    log: Log = Log()

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def store_url(self) -> str:
        """The configured database, or an SQLite file inside ``data_dir``."""
        return self.store.url or f"sqlite:///{self.data_dir / 'frontdesk.db'}"
