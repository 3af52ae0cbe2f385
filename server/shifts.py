"""What every loop over lanes shares: it outlives single faults, gives leases back, and stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

import structlog

from server import lanes
from server.lanes import Lease
from server.store.contract import Fenced, Store, StoreError

log = structlog.get_logger()

POLL_S = 1.0  # notifications only accelerate: this alone keeps every lane moving
AWAY_PAUSE_S = 1.0  # between attempts while the database is away

Step = Callable[[], Awaitable[None]]


async def repeat(name: str, step: Step, idle: Step) -> None:
    """Run ``step`` and then ``idle`` until cancelled; a fault of one step is logged under ``name`` and ends nothing."""
    while True:
        try:
            await step()
        except StoreError as error:
            log.warning("store_away", loop=name, error=type(error).__name__, reason=str(error))
            await asyncio.sleep(AWAY_PAUSE_S)
        except Exception:
            log.exception("step_failed", loop=name)
            await asyncio.sleep(AWAY_PAUSE_S)
        await idle()


async def waited(event: asyncio.Event) -> None:
    """Wait for an event, a poll's time at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(POLL_S):
            await event.wait()


async def rested(event: asyncio.Event) -> None:
    """Wait like :func:`waited` and forget the event: for loops that read all there is anyway."""
    await waited(event)
    event.clear()


async def let_go(store: Store, lease: Lease, lease_s: float) -> None:
    """Free the lane as soon as the database answers again, instead of waiting ``lease_s`` for the lease to run out."""
    until = time.monotonic() + lease_s
    while time.monotonic() < until:
        await asyncio.sleep(AWAY_PAUSE_S)
        try:
            await store.write(partial(lanes.release, lease=lease), order=lease.key)
        except Fenced:
            return
        except StoreError:
            continue
        return


async def drain(store: Store, held: Callable[[], Iterable[tuple[Lease, asyncio.Task[None]]]], drain_s: float) -> None:
    """Let work that is ``held`` end by itself for ``drain_s`` seconds; cancel the rest and give its leases back."""
    tasks = {task for _, task in held()}
    if tasks:
        await asyncio.wait(tasks, timeout=drain_s)
    for lease, task in list(held()):
        task.cancel()
        await asyncio.wait({task})
        with contextlib.suppress(StoreError):
            await store.write(partial(lanes.release, lease=lease), order=lease.key)


async def end(loops: Sequence[asyncio.Task[None]]) -> None:
    """Cancel loops and wait until they have ended."""
    for loop in loops:
        loop.cancel()
    await asyncio.wait(loops)
