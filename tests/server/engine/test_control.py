import asyncio
import itertools
import time

import pytest

from server.engine.control import Control, Interrupt
from tests.places import until


async def forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(("first", "second"), list(itertools.product(Interrupt, repeat=2)))
def test_the_stronger_reason_stays(first: Interrupt, second: Interrupt):
    rank = [Interrupt.MORE, Interrupt.STOP, Interrupt.OWNER, Interrupt.SILENCE, Interrupt.LOST]
    control = Control()
    control.interrupt(first)
    control.interrupt(second)
    assert control.reason is max(first, second, key=rank.index)


def test_a_newer_message_aborts_only_while_merging():
    control = Control()
    control.merging = False
    control.interrupt(Interrupt.MORE)
    assert control.reason is None
    control.interrupt(Interrupt.STOP)
    control.interrupt(Interrupt.MORE)
    assert control.reason is Interrupt.STOP
    control.clear()
    assert control.reason is None


async def test_guard_returns_when_the_task_ends_by_itself():
    control = Control()
    task = asyncio.create_task(asyncio.sleep(0, "done"))
    assert await control.guard(task)
    assert task.result() == "done"


async def test_guard_passes_over_failures_for_the_caller_to_read():
    async def fails() -> None:
        raise LookupError("no such thing")

    task = asyncio.create_task(fails())
    assert await Control().guard(task)
    with pytest.raises(LookupError):
        task.result()


async def test_an_interrupt_cancels_the_guarded_task():
    control, task = Control(), asyncio.create_task(forever())
    guard = asyncio.create_task(control.guard(task))
    await until(lambda: control._task is task)
    control.interrupt(Interrupt.OWNER)
    assert await guard is False
    assert task.cancelled()
    assert control._task is None


async def test_an_interrupt_before_the_guard_makes_the_task_not_start():
    control = Control()
    control.interrupt(Interrupt.STOP)
    ran = []

    async def work() -> None:
        ran.append(1)

    assert await control.guard(asyncio.create_task(work())) is False
    assert not ran


async def test_a_cancelled_guard_takes_its_task_along():
    control, task = Control(), asyncio.create_task(forever())
    guard = asyncio.create_task(control.guard(task))
    await until(lambda: control._task is task)
    guard.cancel()
    with pytest.raises(asyncio.CancelledError):
        await guard
    assert task.cancelled()


async def test_pause_ends_early_when_interrupted_and_in_time_otherwise():
    control = Control()
    await control.pause(0.01)
    pausing = asyncio.create_task(control.pause(30))
    await asyncio.sleep(0)
    started = time.monotonic()
    control.interrupt(Interrupt.MORE)
    await asyncio.wait_for(pausing, 5)
    assert time.monotonic() - started < 5
    control.clear()
    resumed = asyncio.create_task(control.pause(0.05))
    await asyncio.sleep(0)
    assert not resumed.done(), "what was cleared does not end the next pause"
    await resumed
