"""The webhook's door: signature over the raw bytes first, then the body's three shapes.

Events come as JSON, button presses as a form with one ``payload`` field of JSON, ``ssl_check`` as a plain form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import structlog

from channels.base import Delivery, Rejected
from channels.slack import sdk

log = structlog.get_logger()

UNAUTHORIZED = 401
BAD_REQUEST = 400


def is_ssl_check(delivery: Delivery) -> bool:
    """Whether Slack only tries our certificate: it carries nothing, so nothing needs proving."""
    return delivery.query.get("ssl_check") == "1" or delivery.body.startswith(b"ssl_check=1")


def opened(delivery: Delivery, signing_secret: str) -> Mapping[str, Any]:
    """The payload of a signed delivery; raises Rejected 401 (signature, time) or 400 (not a body of Slack's)."""
    if not signing_secret:  # no secret never means "let everybody in"
        raise Rejected(UNAUTHORIZED, "this account has no signing_secret: it takes events over Socket Mode only")
    if not sdk.signature_holds(signing_secret, delivery.body, delivery.headers, delivery.now_s):
        raise Rejected(UNAUTHORIZED, "the signature or its time is not right: check signing_secret and this clock")
    if number := delivery.headers.get("x-slack-retry-num"):
        log.info("slack_redelivery", number=number, reason=delivery.headers.get("x-slack-retry-reason", ""))
    return payload_of(delivery.body.decode("utf-8"))


def payload_of(body: str) -> Mapping[str, Any]:
    """The JSON object in a request's body, bare or in a form's ``payload``; raises Rejected 400."""
    text = body if body.lstrip().startswith("{") else parse_qs(body).get("payload", [""])[0]
    try:
        payload = json.loads(text)
    except ValueError:
        raise Rejected(BAD_REQUEST, "the body is neither JSON nor a form with a payload") from None
    if not isinstance(payload, Mapping):
        raise Rejected(BAD_REQUEST, "the payload is not a JSON object")
    return payload
