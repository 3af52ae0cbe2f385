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
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Tokens = Annotated[int, Field(gt=0, le=1_000_000)]


class Section(BaseModel):
    """Base of every component's settings: unknown keys are refused, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _http_url(value: str, example: str) -> str:
    """Check an absolute http(s) URL and drop its trailing slash; raises ValueError with an example."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        message = f"must be an absolute http(s) URL such as {example}"
        raise ValueError(message)
    return value.rstrip("/")


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
        return _http_url(value, "https://desk.example.com") if value else value

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
        return _http_url(value, "http://127.0.0.1:8000/v1") if value else value

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


class Channels(Section):
    """The messaging platforms; each section maps account names to settings, ``default`` is the unnamed one."""

    web: dict[str, WebAccount] = Field(default_factory=dict)

    @field_validator("web")
    @classmethod
    def _accounts(cls, value: dict[str, WebAccount]) -> dict[str, WebAccount]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
                message = f"channels.web.{name} is no account name; use lower-case letters, digits, dashes, underscores"
                raise ValueError(message)
        return {"default": WebAccount(), **value}


class Knowledge(Section):
    """Retrieval over the shop's documents."""

    enabled: bool = False

    @field_validator("enabled")
    @classmethod
    def _available(cls, value: bool) -> bool:  # noqa: FBT001 - pydantic's validator signature
        if value:
            message = "must stay false: this version has no retrieval yet"
            raise ValueError(message)
        return value


class Access(Section):
    """Sign-in of staff and admins."""

    session_idle_h: Annotated[float, Field(gt=0, le=720)] = 12.0
    session_max_h: Annotated[float, Field(gt=0, le=8_760)] = 168.0
    link_minutes: Annotated[float, Field(gt=0, le=1_440)] = 60.0
    attempts_per_minute: Annotated[int, Field(ge=1, le=1_000)] = 10
    argon2_memory_kib: Annotated[int, Field(ge=8_192, le=4_194_304)] = 65_536


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
    knowledge: Knowledge = Knowledge()
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
