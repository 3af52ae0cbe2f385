"""One breaker per account, and who is to blame."""

from __future__ import annotations

from config.settings import Outbox
from server.outbox.breakers import Breakers
from server.telemetry import Metrics
from tests.places import FakeClock


def test_each_account_has_its_own_and_shows_it():
    clock, metrics = FakeClock(), Metrics()
    breakers = Breakers(Outbox(breaker_failures=2), metrics, clock.lease_s)
    away = breakers.of("slack", "default")
    assert breakers.of("slack", "default") is away
    for _ in range(2):
        away.missed("c1")
    assert not away.allow()
    assert breakers.of("slack", "other").allow()
    place = {"channel": "slack", "account": "default"}
    assert metrics.registry.get_sample_value("frontdesk_outbox_breaker_open", place) == 1
    away.answered()
    assert metrics.registry.get_sample_value("frontdesk_outbox_breaker_open", place) == 0


def test_an_outage_is_what_several_conversations_see():
    breaker = Breakers(Outbox(breaker_failures=2), Metrics(), FakeClock().lease_s).of("slack", "default")
    for _ in range(5):
        breaker.missed("c1")
    assert breaker.open
    assert not breaker.outage, "one conversation alone may have a message that breaks the platform"
    breaker.missed("c2")
    assert breaker.outage
    breaker.answered()
    breaker.missed("c3")
    assert not breaker.outage
