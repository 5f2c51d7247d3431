"""Names and paths reach the terminal as they are, whatever rich would read in them."""

import io

from rich.console import Console
from tailgate.runtime.events import Events
from tailgate.runtime.progress import Progress
from tailgate.terminal import say

AWKWARD = "cart[heavy] [/data/x] [red] :car:"


def shown(width=300):
    return Console(file=io.StringIO(), width=width)


def test_values_are_shown_as_they_are_and_words_may_be_styled():
    console = shown()
    say(console, "[bold]{}[/bold]: {} of {:.1f}", AWKWARD, 3, 4.0)
    assert console.file.getvalue() == f"{AWKWARD}: 3 of 4.0\n"


def test_progress_of_a_run_shows_any_name():
    console, events = shown(), Events()
    with Progress(console) as progress:
        events.subscribe(progress.listen)
        events.emit("started", name=AWKWARD, out="/runs/[/a]", cells={AWKWARD: 2})
        events.emit("note", text=AWKWARD)
        events.emit("batch", round=0, batch=0, verdict="accepted", codes=["[x]"], clips=[{"cell": AWKWARD, "state": "failed"}], achieved={})
    lines = console.file.getvalue().splitlines()
    assert lines[0] == f"{AWKWARD} → /runs/[/a]" and lines[1] == f"note: {AWKWARD}"
    assert lines[2] == "round 0 batch 0: accepted ([x]): 1 failed" and lines[3] == f"    {AWKWARD}: 0 of 2; clips lost: 1 failed"
