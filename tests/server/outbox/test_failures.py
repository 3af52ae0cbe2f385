"""What an error of a platform costs: its name, its wait, and who is blamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.base import (
    Limited,
    Moves,
    Refused,
    SendError,
    Unauthorized,
    Unavailable,
    Unknown,
    Unreachable,
    WindowClosed,
)
from server.lanes import Item, Lease
from server.outbox.failures import AWAY_S, Failures, result_of
from server.outbox.records import Records
from tests.channel_double import ChannelDouble
from tests.places import Place
from tests.server.outbox.post import Post, post


def lease(errors: int) -> Lease:
    return Lease("l", "default", "out", "c1", "w", 1, 1, 1, (Item(1, {}, 0.0, 1, errors, 0),))


def failures(one: Post, chance: float) -> Failures:
    records = Records(one.settings.outbox)
    return Failures(one.store, records, one.metrics, one.settings, chance=lambda: chance, clock=one.clock.lease_s)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Limited("429", 1.0), "limited"),
        (Unavailable("503"), "unavailable"),
        (Unknown("timeout"), "unknown"),
        (Refused("400"), "refused"),
        (WindowClosed("63016"), "window_closed"),
        (Unreachable("403"), "unreachable"),
        (Unauthorized("401"), "unauthorized"),
        (Moves("2", {}), "moved"),
        (SendError("?"), "unknown"),
    ],
)
def test_every_error_has_one_name(error: SendError, name: str):
    assert result_of(error) == name


async def test_the_backoff_has_full_jitter_and_an_end(one: Post):
    error = Unavailable("503")
    assert [failures(one, 1.0)._pause_s(lease(n), error) for n in (0, 1, 2, 7, 60)] == [0.5, 1.0, 2.0, 60.0, 60.0]
    assert failures(one, 0.5)._pause_s(lease(2), error) == 1.0
    assert failures(one, 0.0)._pause_s(lease(2), error) == 0.05
    assert failures(one, 0.0)._pause_s(lease(0), Unknown("timeout")) == 1.0, "the call may still be at work"
    assert failures(one, 0.0)._pause_s(lease(5), Limited("429", 17.0)) == 17.0


async def test_access_lost_during_a_look_up_waits_as_well(one: Post):
    one.double.script.append(Unknown("timeout"))
    one.double.finds.append(Unauthorized("token_revoked"))
    await one.bot("hello")
    await one.run(3)
    assert (await one.store.rows("post.states"))[0]["state"] == "revoked"
    assert (await one.parts())[0]["state"] == "uncertain"
    assert AWAY_S > 1


async def test_sends_are_counted_by_result(one: Post):
    one.double.script.extend([Unavailable("503"), Limited("429", 1.0)])
    await one.bot("hello")
    await one.run(5)
    sample = one.metrics.registry.get_sample_value
    counts = [
        sample("frontdesk_sends_total", {"channel": "telegram", "result": result})
        for result in ("unavailable", "limited", "sent")
    ]
    assert counts == [1, 1, 1]
    assert sample("frontdesk_outbox_ended_total", {"channel": "telegram", "state": "sent"}) == 1


async def test_a_repeat_that_was_not_let_through_is_no_repeat(place: Place, tmp_path: Path):
    blind = ChannelDouble(limits=ChannelDouble().limits.__class__(40, "characters", None))
    async with post(place, tmp_path, blind) as one:
        one.double.script.extend([Unknown("timeout"), Limited("429", 2.0)])
        await one.bot("hello")
        await one.run(2.5)
        (part,) = await one.parts()
        assert (part["state"], part["repeats"]) == ("uncertain", 0)
        await one.run(5)
        (part,) = await one.parts()
        assert (part["state"], part["repeats"]) == ("sent", 1)
