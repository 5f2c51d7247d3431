"""A worker process watched from outside: started again when it asks for it or dies, ended when it hangs, its exit code kept.

For renderers whose process grows with every frame, may hang in a driver, and ends with a code of its own (Kit). Since the same command resumes a run,
a worker may end at any moment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tailgate.atomic import write_atomically
from tailgate.errors import UserError

FILE_VARIABLE = "TAILGATE_WORKER"
"""Environment variable that names the file through which a worker tells how it is."""
RECYCLE = 75
"""Exit code of a worker that wants to be started again (EX_TEMPFAIL of sysexits.h), and of a supervisor that was asked to stop."""
POLL_S = 0.2


@dataclass(frozen=True)
class Rules:
    """When to give up.

    Attributes:
        start_s: seconds until a worker's first word: starting Kit and compiling shaders takes minutes.
        silent_s: seconds without a word after that; then it hangs.
        restarts: deaths and hangs in a row without a single finished clip.
        end_s: seconds that a worker has to end when asked to.
    """

    start_s: float = 1800.0
    silent_s: float = 900.0
    restarts: int = 3
    end_s: float = 60.0


class Told:
    """The worker's side: says that it lives, how far it is and how it ended. Without a supervisor nothing is written."""

    def __init__(self) -> None:
        self._file = Path(os.environ[FILE_VARIABLE]) if os.environ.get(FILE_VARIABLE) else None
        self._clips = 0

    def beat(self, clips: int = 0) -> None:
        """Say that work goes on, and that this many more clips are finished."""
        self._clips += clips
        self._write(None)

    def ends(self, code: int) -> None:
        """Say which exit code counts, whatever the process really ends with."""
        self._write(code)

    def _write(self, code: int | None) -> None:
        if self._file:
            write_atomically(self._file, json.dumps({"clips": self._clips, "code": code}))


class Supervisor:
    """Runs a worker command until it is done.

    Args:
        command: starts a worker that uses ``Told``.
        file: what they talk through; removed at the end.
        rules: when to give up.
        tell: hears one sentence for each thing that happens.
    """

    def __init__(self, command: Sequence[str], file: Path, rules: Rules = Rules(), tell: Callable[[str], None] = print):
        self.command, self.file, self.rules, self.tell = list(command), file, rules, tell
        self._stop = False

    def run(self) -> int:
        """Exit code: the worker's own, 1 where it cannot be kept alive, RECYCLE where this process was asked to stop (SIGTERM, SIGINT)."""
        handlers = {number: signal.signal(number, self._asked) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            return self._keep_alive()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            self.file.unlink(missing_ok=True)

    def _keep_alive(self) -> int:
        fruitless = 0
        while not self._stop:
            clips, code, why = self._one_life()
            if code is not None and code != RECYCLE:
                return code
            if self._stop:
                break
            if code == RECYCLE:
                self.tell(f"worker recycled after {clips} clips")
                fruitless = 0 if clips else fruitless + 1
            else:
                fruitless = 0 if clips else fruitless + 1
                self.tell(f"worker {why} after {clips} clips; starting another, which resumes")
            if fruitless > self.rules.restarts:
                self.tell(f"{fruitless} workers in a row finished no clip: giving up; the same command tries again")
                return 1
        self.tell("stopped; the same command resumes")
        return RECYCLE

    def _one_life(self) -> tuple[int, int | None, str]:
        """Start a worker and wait for its end: clips it finished, the code it named (None where it died or hung), and what happened to it."""
        self.file.unlink(missing_ok=True)
        environment = {**os.environ, FILE_VARIABLE: str(self.file)}
        try:
            process = subprocess.Popen(self.command, env=environment, start_new_session=True)
        except OSError as error:
            raise UserError(f"cannot start '{self.command[0]}': {error.strerror.lower()}") from None
        why, started = "", time.monotonic()
        while process.poll() is None:
            time.sleep(POLL_S)
            if self._stop:
                self._end(process, signal.SIGTERM)
            elif self._code() is not None:
                self._wait(process)
            elif self._silent(started):
                why = "hung"
                self._end(process, signal.SIGKILL)
        clips, code = self._state()
        return clips, code, why or f"died with code {process.returncode}"

    def _silent(self, started: float) -> bool:
        try:
            return time.time() - self.file.stat().st_mtime > self.rules.silent_s
        except OSError:
            return time.monotonic() - started > self.rules.start_s

    def _wait(self, process: subprocess.Popen) -> None:
        """A worker that named its code has nothing left to do; Kit may hang while it shuts down."""
        try:
            process.wait(self.rules.end_s)
        except subprocess.TimeoutExpired:
            self._end(process, signal.SIGKILL)

    def _end(self, process: subprocess.Popen, number: signal.Signals) -> None:
        """Signal the worker and what it started; killed where it does not end in time."""
        for each in (number, signal.SIGKILL):
            try:
                os.killpg(process.pid, each)
                process.wait(self.rules.end_s)
                return
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                process.wait()
                return

    def _state(self) -> tuple[int, int | None]:
        try:
            held = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return 0, None
        return int(held["clips"]), held["code"]

    def _code(self) -> int | None:
        return self._state()[1]

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._stop = True
