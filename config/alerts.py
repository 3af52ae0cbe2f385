"""Settings of who is told that a customer waits for a person while nobody looks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from config.section import Section


class Alerts(Section):
    """How long a customer may wait unseen, and whom a letter goes to then."""

    after_s: Annotated[float, Field(ge=0, le=86_400)] = 120.0
    emails: tuple[str, ...] = ()

    @field_validator("emails")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            name, _, host = address.partition("@")
            if not name or not host or "@" in host or any(letter.isspace() for letter in address):
                message = f"{address!r} is not an e-mail address such as desk@shop.example"
                raise ValueError(message)
        return value
