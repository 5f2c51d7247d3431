"""Bars of a run in the terminal."""

import io

from rich.console import Console
from tailgate.runtime.events import Events
from tailgate.runtime.progress import Progress


def test_a_long_step_has_a_bar_until_the_next_round():
    console, events = Console(file=io.StringIO(), force_terminal=True, width=120), Events()
    with Progress(console) as shown:
        events.subscribe(shown.listen)
        for done in (1, 40, 120):
            events.emit("step", text="fitting front", done=done, total=120)
        assert [(task.description, task.completed, task.total) for task in shown._bars.tasks] == [("fitting front", 120, 120)]
        events.emit("round_started", round=1, batches=1, clips=8, achieved={}, states={})
        assert [task.description for task in shown._bars.tasks] == ["round 1"]
