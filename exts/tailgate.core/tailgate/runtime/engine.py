"""Where clips are made: in this process, or in worker processes whose futures the loop awaits."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Awaitable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from tailgate.errors import TailgateError, UserError
from tailgate.packages import found
from tailgate.runtime.backends import backend_class
from tailgate.runtime.spec import RunSpec

Job = dict[str, Any]
Result = dict[str, Any]


class WorkerDied(TailgateError):
    """A worker process ended by itself; what was recorded is safe and the same command resumes."""

    exit_code = 1


class Engine(Protocol):
    """Runs clip jobs; only JSON-able values go in and out.

    Attributes:
        ahead: jobs to have submitted at a time, so that none waits for another job while a batch is judged.
    """

    ahead: int

    def submit(self, job: Job) -> Awaitable[Result]:
        """Start a job."""

    def close(self) -> None:
        """Stop and release everything; idempotent."""


class InlineEngine:
    """Runs every job in this process, one after the other."""

    ahead = 2

    def __init__(self, spec: RunSpec):
        from tailgate.runtime.worker import Worker

        self._worker, self._turn = Worker(spec), asyncio.Lock()

    async def submit(self, job: Job) -> Result:
        """Run a job when those before it are done."""
        async with self._turn:
            return await self._worker.run(job)

    def close(self) -> None:
        """Close the worker's backend."""
        self._worker.close()


class LocalEngine:
    """Worker processes on this machine, started by ``spawn``; each opens the scenarios once and keeps them."""

    def __init__(self, spec: RunSpec, workers: int):
        self.ahead = 8 * workers
        self._pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(spec.to_json(), os.getpid())
        )

    async def submit(self, job: Job) -> Result:
        """Run a job in some worker."""
        try:
            result = await asyncio.wrap_future(self._pool.submit(_run_job, job))
        except BrokenProcessPool:
            raise WorkerDied("a worker process ended unexpectedly (out of memory, or killed); run the same command again to resume") from None
        if "user_error" in result:
            raise UserError(result["user_error"])
        return result

    def close(self) -> None:
        """Cancel what has not started and wait for what runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def make_engine(name: str, spec: RunSpec, workers: int) -> InlineEngine | LocalEngine:
    """Build an engine by name; ``local`` with one worker still uses a process of its own. A renderer that shares a loop has only ``inline``."""
    inline = name == "inline" or backend_class(spec.backend).shares_loop
    return InlineEngine(spec) if inline else LocalEngine(spec, workers)


_worker: Any = None


def _start_worker(spec: dict[str, Any], parent: int) -> None:
    """Runs once in a new process: interrupts belong to the parent, and a worker must not outlive it."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    _one_thread()
    from tailgate.runtime.worker import Worker

    _worker = Worker(RunSpec.from_json(spec))


def _run_job(job: Job) -> Result:
    try:
        return asyncio.run(_worker.run(job))
    except UserError as error:
        return {"user_error": str(error)}


def _one_thread() -> None:
    """Numeric libraries take one thread in a worker: between calls others would wait in a busy loop, on the core of another worker."""
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    loaded = found("threadpoolctl")
    if loaded:
        loaded.threadpool_limits(1)


def _die_with(parent: int) -> None:
    """End this process when its parent is gone (a killed parent sends no signal to its children)."""
    import threading
    import time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
