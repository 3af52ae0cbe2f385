"""Logs of tests, with tracebacks as Python writes them."""

from __future__ import annotations

import structlog


def plain_logs() -> None:
    """Start from structlog's defaults, without drawing every local of every frame: that took seconds and gigabytes."""
    structlog.reset_defaults()
    *before, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, renderer])
