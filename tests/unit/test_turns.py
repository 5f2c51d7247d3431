"""Long work and a loop take turns: never both at once, neither for long, and cancelling ends it."""

import asyncio
import threading
import time

import pytest
from tailgate.turns import SLICE, breathe, in_turns


def spin(seconds: float, seen: list | None = None) -> str:
    """Work in pieces of a millisecond."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        if seen is not None:
            seen.append(threading.get_ident())
        time.sleep(0.001)
        breathe()
    return "done"


def test_the_loop_goes_on_between_slices():
    async def both():
        beats, work = [], asyncio.ensure_future(in_turns(spin, 0.3))
        while not work.done():
            beats.append(time.perf_counter())
            await asyncio.sleep(0)
        return await work, beats

    outcome, beats = asyncio.run(both())
    longest = max(b - a for a, b in zip(beats, beats[1:], strict=False))
    assert outcome == "done" and len(beats) >= 5
    assert longest < 5 * SLICE


def test_only_one_of_them_runs():
    inside, both_ran = [False], []

    def work():
        for _ in range(60):
            inside[0] = True
            time.sleep(0.001)
            inside[0] = False
            breathe()

    async def watched():
        task = asyncio.ensure_future(in_turns(work))
        while not task.done():
            both_ran.append(inside[0])
            await asyncio.sleep(0)
        await task

    asyncio.run(watched())
    assert len(both_ran) >= 2 and not any(both_ran)


def test_an_error_comes_through_and_so_does_the_thread():
    here, seen = threading.get_ident(), []

    def fail():
        seen.append(threading.get_ident())
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        asyncio.run(in_turns(fail))
    assert seen != [here]


def test_a_cancelled_caller_ends_the_work():
    unwound = []

    def work():
        try:
            spin(60)
        finally:
            unwound.append(True)

    async def cancelled():
        task = asyncio.ensure_future(in_turns(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = time.perf_counter()
    asyncio.run(cancelled())
    assert unwound and time.perf_counter() - started < 5


def test_alone_it_changes_nothing():
    seen = []
    assert spin(0.005, seen) == "done" and set(seen) == {threading.get_ident()}
