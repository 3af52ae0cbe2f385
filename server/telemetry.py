"""One chain for all logs, and the figures of ``/metrics``.

Log events are key-value pairs: ``structlog.get_logger().info("lane_parked", lane=..., reason=...)``. Redaction is the
last step before the renderer, so that tracebacks and library messages pass through it too.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TextIO

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from config.settings import Log
from server.redaction import Redactor

TALKATIVE = {  # loggers that repeat URLs, headers or bodies at INFO
    "aiohttp.access": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx2": logging.WARNING,
    "mcp": logging.CRITICAL,  # repeats messages it cannot read
    "slack_bolt": logging.ERROR,
    "slack_sdk": logging.WARNING,
    "telegram": logging.WARNING,
    "twilio": logging.WARNING,
    "asyncio": logging.WARNING,
    "urllib3": logging.WARNING,
}


def setup_logging(log: Log, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> Redactor:
    """Send our events and those of libraries through one chain to ``stream`` (standard error)."""
    out = stream or sys.stderr
    as_json = log.format == "json" or (log.format == "auto" and not out.isatty())
    redactor = Redactor(secrets)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redactor,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    for name, level in TALKATIVE.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return redactor


SHORT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)  # buckets of commits and requests
LONG_S = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)  # buckets of the model's work
MODEL_STATES = ["loading", "ready", "down"]
UNITS = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # buckets of group sizes


class Metrics:
    """Every figure of one server, on a registry of its own; this is the one table of names."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        times = partial(Histogram, registry=registry, buckets=LONG_S)
        short = partial(Histogram, registry=registry, buckets=SHORT_S)

        self.messages_accepted = counter(
            "frontdesk_messages_accepted_total", "Customer messages committed", ["channel"]
        )
        self.duplicates = counter("frontdesk_duplicates_total", "Deliveries recognised as repeated", ["channel"])
        self.turns = counter("frontdesk_turns_total", "Turns ended, by outcome and reason", ["outcome", "reason"])
        self.drafts = counter("frontdesk_drafts_total", "Drafts ended, by how", ["how"])
        self.platform_drafts = counter(
            "frontdesk_platform_drafts_total",
            "Answers shown on platforms while written, by result",
            ["channel", "result"],
        )
        self.notices = counter("frontdesk_notices_total", "Notices sent while no answer was possible", ["reason"])
        self.turn_seconds = times("frontdesk_turn_seconds", "From taking a turn to its committed outcome")
        self.first_token_seconds = times("frontdesk_first_token_seconds", "From dispatch to the first token")
        self.queue_wait_seconds = times("frontdesk_queue_wait_seconds", "From acceptance of a message to dispatch")

        self.citations_removed = counter(
            "frontdesk_citations_removed_total", "Footnotes that a model made up, taken out of its answer"
        )
        self.knowledge_degraded = gauge(
            "frontdesk_knowledge_degraded", "1 while answers are found by words alone, because vectors are missing"
        )
        self.tool_calls = counter("frontdesk_tool_calls_total", "Tool calls, by how they ended", ["tool", "outcome"])
        self.tool_seconds = times("frontdesk_tool_seconds", "Duration of a tool call", ["tool"])

        self.model_state = Enum("frontdesk_model_state", "State of the model", states=MODEL_STATES, registry=registry)
        self.breaker_open = gauge("frontdesk_breaker_open", "1 while the model's circuit breaker is open")
        self.child_restarts = counter("frontdesk_child_restarts_total", "Restarts of supervised processes", ["child"])

        self.sends = counter("frontdesk_sends_total", "Calls that send to a platform, by result", ["channel", "result"])
        self.send_seconds = short("frontdesk_send_seconds", "Duration of a call that sends to a platform", ["channel"])
        self.outbox_ended = counter(
            "frontdesk_outbox_ended_total", "Messages to platforms that came to an end, by state", ["channel", "state"]
        )
        self.outbox_breaker_open = gauge(
            "frontdesk_outbox_breaker_open",
            "1 while a channel account's platform is left alone",
            ["channel", "account"],
        )

        self._releases(registry)
        self._work(registry)

    def _releases(self, registry: CollectorRegistry) -> None:
        """Figures of releases and their adapters."""
        self.adapters_missing = Gauge(
            "frontdesk_adapters_missing", "Adapters that releases need and a model server does not serve",
            registry=registry,
        )  # fmt: skip
        self.adapter_fallbacks = Counter(
            "frontdesk_adapter_fallbacks_total", "Answers of the base model because an adapter was not served",
            registry=registry,
        )  # fmt: skip
        self.canary_evidence = Gauge(
            "frontdesk_canary_evidence", "Evidence against the running canary; it is rolled back at 1",
            registry=registry,
        )  # fmt: skip
        self.rollbacks = Counter(
            "frontdesk_canary_rollbacks_total", "Canaries that were taken back without a person", registry=registry
        )

    def _work(self, registry: CollectorRegistry) -> None:
        """Figures of lanes, commits and requests."""
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        short = partial(Histogram, registry=registry, buckets=SHORT_S)
        self.lanes = gauge("frontdesk_lanes", "Lanes with open work, by state", ["kind", "state"])
        self.lane_oldest_seconds = gauge("frontdesk_lane_oldest_seconds", "Age of the oldest open item", ["kind"])
        self.items_parked = counter("frontdesk_items_parked_total", "Items set aside for staff after repeated failure")
        self.commits = counter("frontdesk_commits_total", "Grouped commits, by result", ["result"])
        self.commit_units = Histogram(
            "frontdesk_commit_units", "Units of work per grouped commit", buckets=UNITS, registry=registry
        )
        self.commit_seconds = short("frontdesk_commit_seconds", "Duration of a grouped commit, fsync included")

        self.sse_connections = gauge("frontdesk_sse_connections", "Open event streams", ["who"])
        self.http_requests = counter(
            "frontdesk_http_requests_total", "Requests answered", ["route", "method", "status"]
        )
        self.http_request_seconds = short(
            "frontdesk_http_request_seconds", "Duration of a request, streams excluded", ["route"]
        )

    def committed(self, units: int, seconds: float, result: str) -> None:
        """Note one grouped commit; any thread may call it."""
        self.commits.labels(result).inc()
        self.commit_units.observe(units)
        self.commit_seconds.observe(seconds)

    def render(self) -> tuple[bytes, str]:
        """The exposition text and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def http_middleware(metrics: Metrics) -> Middleware:
    """An aiohttp middleware that counts each answer by route pattern; put it outermost."""

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        started_s = time.perf_counter()
        status, streamed = 500, False
        try:
            response = await handler(request)
            status, streamed = response.status, response.content_type == "text/event-stream"
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            resource = request.match_info.route.resource
            route = resource.canonical if resource else "unmatched"
            metrics.http_requests.labels(route, _method(request.method), str(status)).inc()
            if not streamed:
                metrics.http_request_seconds.labels(route).observe(time.perf_counter() - started_s)
        return response

    return measure


def _method(method: str) -> str:
    """Strangers choose the method; unknown ones share one label."""
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"
