"""The base of every component's settings, and the checks several of them share."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    """Base of every component's settings: unknown keys are refused, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def http_url(value: str, example: str) -> str:
    """Check an absolute http(s) URL and drop its trailing slash; raises ValueError with an example."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        message = f"must be an absolute http(s) URL such as {example}"
        raise ValueError(message)
    return value.rstrip("/")
