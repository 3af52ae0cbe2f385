"""Settings of the letters the desk sends itself: codes that prove who a customer is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from config.section import Seconds, Section


class Mail(Section):
    """An SMTP server, or a folder that letters are written to instead (for demos: the operator reads them there)."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: str = ""
    timeout_s: Seconds = 15.0
    folder: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Mail:
        if self.host and "@" not in self.sender:
            message = "mail.sender must be an e-mail address such as desk@shop.example when mail.host is set"
            raise ValueError(message)
        if self.password.get_secret_value() and not (self.host and self.user):
            message = "mail.password needs mail.host and mail.user; set all three, or remove it"
            raise ValueError(message)
        if self.user and self.security == "none":
            message = "mail.user would travel in clear; set mail.security to starttls or tls"
            raise ValueError(message)
        return self
