"""Settings of retrieval: where passages come from, how many a prompt gets, and what happens without support."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from config.section import Seconds, Section, http_url

Policy = Literal["quote", "say_so", "ask_back", "hand_over"]
MOST_PORT = 65_535
HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:]+\]")


class Crawl(Section):
    """Manners and limits of the reader of web sites."""

    user_agent: str = "frontdesk-crawler"
    delay_s: Annotated[float, Field(ge=0, le=60)] = 0.5
    timeout_s: Seconds = 15.0
    max_pages: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    max_depth: Annotated[int, Field(ge=0, le=50)] = 8
    max_bytes: Annotated[int, Field(ge=1_024, le=1_000_000_000)] = 8_000_000
    allow_hosts: tuple[str, ...] = ()

    @field_validator("allow_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            host, _, port = entry.rpartition(":") if re.search(r":\d+$", entry) else (entry, "", "")
            if not HOST.fullmatch(host.lower()) or (port and not 0 < int(port) <= MOST_PORT):
                message = f"{entry!r} is not a host such as intranet.example or 127.0.0.1:8081"
                raise ValueError(message)
        return value


class Parse(Section):
    """Limits of the child process that reads files."""

    memory_mib: Annotated[int, Field(ge=128, le=65_536)] = 768
    cpu_s: Seconds = 20.0
    max_bytes: Annotated[int, Field(ge=1_024, le=1_000_000_000)] = 32_000_000
    max_pages: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    max_ratio: Annotated[int, Field(ge=2, le=10_000)] = 100
    max_characters: Annotated[int, Field(ge=1_000, le=100_000_000)] = 4_000_000


class Knowledge(Section):
    """Retrieval over the shop's documents."""

    enabled: bool = True
    chroma_url: str = ""
    embedding_url: str = ""
    embedding_key: SecretStr = SecretStr("")
    embedding_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    reranker_url: str = ""
    reranker_key: SecretStr = SecretStr("")
    reranker_model: str = ""
    passages: Annotated[int, Field(ge=1, le=20)] = 4
    passage_tokens: Annotated[int, Field(ge=100, le=100_000)] = 900
    chunk_tokens: Annotated[int, Field(ge=40, le=2_000)] = 160
    candidates: Annotated[int, Field(ge=5, le=500)] = 40
    timeout_s: Seconds = 2.0
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.5
    unsupported: Policy = "quote"
    unanswerable: Policy = "say_so"
    link_hosts: tuple[str, ...] = ()
    crawl: Crawl = Crawl()
    parse: Parse = Parse()

    @field_validator("chroma_url", "embedding_url", "reranker_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return http_url(value, "http://127.0.0.1:8001/v1") if value else value

    @model_validator(mode="after")
    def _fits(self) -> Knowledge:
        if self.unanswerable == "quote":
            message = "knowledge.unanswerable cannot be quote: there is no passage to quote; use say_so"
            raise ValueError(message)
        for name in ("embedding", "reranker"):
            if getattr(self, f"{name}_key").get_secret_value() and not getattr(self, f"{name}_url"):
                message = f"knowledge.{name}_key is set without knowledge.{name}_url; set both or neither"
                raise ValueError(message)
        return self
