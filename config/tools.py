"""Settings of tools: limits of every call, and the shape of one entry of the tools file (``tools.file``)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from config.section import Seconds, Section, http_url

WEBHOOK_PREFIX = "whsec_"
KEY_BYTES = (24, 64)  # shortest and longest signing key of Standard Webhooks


class ToolSource(Section):
    """One entry of the tools file; exactly one of builtin, python, openapi and mcp says where it comes from.

    ``token_env`` names the environment variable that holds the bearer token: secrets never stand in the file. What is
    left out is judged carefully: an effect that is not said is ``write`` (an HTTP GET is ``read``), a write asks the
    customer for confirmation, a tool with an argument such as customer_id is personal.
    """

    builtin: str = ""
    python: str = ""
    openapi: str = ""
    operations: tuple[str, ...] = ()
    base_url: str = ""
    mcp: tuple[str, ...] = ()
    mcp_url: str = ""
    token_env: str = ""
    allow_hosts: tuple[str, ...] = ()
    description: str = ""
    effect: Literal["", "read", "write"] = ""
    personal: bool | None = None
    confirm: bool | None = None
    approve: bool | None = None
    timeout_s: Seconds | None = None
    per_hour: Annotated[int, Field(ge=1, le=100_000)] | None = None
    approve_above: dict[str, float] = Field(default_factory=dict)
    cost: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    audience: Literal["customer", "staff"] = "customer"
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @field_validator("openapi", "base_url", "mcp_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return http_url(value, "https://crm.example/openapi.json") if value.startswith("http") else value

    @model_validator(mode="after")
    def _one_origin(self) -> ToolSource:
        origins = [bool(self.builtin), bool(self.python), bool(self.openapi), bool(self.mcp or self.mcp_url)]
        if sum(origins) != 1:
            message = "needs exactly one of builtin, python, openapi and mcp (or mcp_url)"
            raise ValueError(message)
        return self


class Tools(Section):
    """Limits of every tool call, and the sources tools come from."""

    enabled: bool = True
    offer: Literal["others", "all"] = "others"
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    calls: Annotated[int, Field(ge=1, le=20)] = 4
    timeout_s: Seconds = 10.0
    max_result_chars: Annotated[int, Field(ge=100, le=100_000)] = 2_000
    confirm_s: Seconds = 300.0
    verify_s: Seconds = 3_600.0
    cost_per_hour: Annotated[float, Field(gt=0, le=1_000_000_000)] = 100.0
    shop: str = ""
    file: Path | None = None
    webhook_url: str = ""
    webhook_secret: SecretStr = SecretStr("")
    webhook_allow_hosts: tuple[str, ...] = ()

    @field_validator("webhook_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return http_url(value, "https://crm.example/hooks/frontdesk") if value else value

    @field_validator("webhook_secret")
    @classmethod
    def _signing_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not all(map(_is_key, value.get_secret_value().split())):
            message = "must be whsec_ followed by the base64 of 24 to 64 random bytes (two, with a space, to change it)"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _signed(self) -> Tools:
        if self.webhook_url and not self.webhook_secret.get_secret_value():
            message = "tools.webhook_url needs tools.webhook_secret: receivers must be able to check who calls them"
            raise ValueError(message)
        return self

    @field_validator("shop")
    @classmethod
    def _dialect(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql://")):
            message = "must be sqlite:///path/to/file.db or postgresql://user:password@host/database"
            raise ValueError(message)
        return value


def _is_key(text: str) -> bool:
    """Whether a text is a signing key in the form of Standard Webhooks."""
    try:
        key = base64.b64decode(text.removeprefix(WEBHOOK_PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(WEBHOOK_PREFIX) and KEY_BYTES[0] <= len(key) <= KEY_BYTES[1]
