"""omni.timeline: play, pause, time. Changes are queued until the next tick unless they are committed."""

from __future__ import annotations

from collections.abc import Callable

from .checks import behaves
from .sim import Sim, sim

STEP = 1.0 / 60.0
"""Time of a tick while the timeline plays [s]."""


class Timeline:
    """State of the one timeline.

    Attributes:
        elapsed: time that sensors have lived through, which passes while it plays [s].
        starts: how often it was stopped, after which sensors begin anew.
    """

    def __init__(self, owner: Sim):
        self.playing, self.time, self.end, self.looping = False, 0.0, float("inf"), True
        self.rate = 60.0
        self.elapsed, self.starts = 0.0, 0
        self.queue: list[Callable[[], None]] = []

    def commit(self) -> None:
        """Carry out what was queued."""
        queue, self.queue = self.queue, []
        for change in queue:
            change()

    def advance(self, clock: float | None) -> float | None:
        """Move on by one tick and return the step taken [s], None where time stands still.

        Args:
            clock: None: the usual step while playing; otherwise the step that the orchestrator asks for.
        """
        self.commit()
        if clock is not None:
            step = clock if clock > 0 else None
        else:
            step = STEP if self.playing else None
        if step is not None:
            self.time += step
            self.elapsed += step if self.playing else 0.0
            if self.time > self.end:
                self.time = self.time % self.end if self.looping else self.end
        return step

    def put(self, name: str, value: object) -> None:
        """Queue a change."""
        self.queue.append(lambda: setattr(self, name, value))


class ITimeline:
    """The timeline interface."""

    def play(self):
        sim().part(Timeline).put("playing", True)

    def pause(self):
        sim().part(Timeline).put("playing", False)

    def stop(self):
        held = sim().part(Timeline)
        held.put("playing", False)
        held.put("time", 0.0)
        held.put("starts", held.starts + 1)

    def commit(self):
        sim().part(Timeline).commit()

    def is_playing(self):
        return sim().part(Timeline).playing

    def get_current_time(self):
        return sim().part(Timeline).time

    def set_current_time(self, time):
        sim().part(Timeline).put("time", float(time))

    def set_time_codes_per_second(self, rate):
        sim().part(Timeline).put("rate", float(rate))

    def set_end_time(self, time):
        sim().part(Timeline).put("end", float(time))

    def set_looping(self, on):
        sim().part(Timeline).put("looping", bool(on))


@behaves("omni.timeline.get_timeline_interface")
def get_timeline_interface():
    return ITimeline()
