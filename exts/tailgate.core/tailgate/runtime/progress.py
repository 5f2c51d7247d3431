"""Progress in the terminal: a bar with rate and ETA, and a line per batch of what was accepted, rejected and off target."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tailgate.runtime.events import Event
from tailgate.terminal import say


class Progress:
    """Listens to runtime events; with no console it is silent."""

    def __init__(self, console: Console | None):
        self.console = console
        self._targets: dict[str, int] = {}
        self._states: dict[str, Counter[str]] = {}
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        self._bars = Bars(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, disable=console is None or not console.is_terminal)
        self._task = None
        self._steps: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()

    def listen(self, event: Event) -> None:
        """Show one event."""
        if self.console is not None:
            getattr(self, f"_on_{event.kind}", lambda data: None)(event.data)

    def _on_started(self, data: dict) -> None:
        self._targets = data["cells"]
        say(self.console, "[bold]{}[/bold] → {}", data["name"], data["out"])

    def _on_note(self, data: dict) -> None:
        say(self.console, "[yellow]note:[/yellow] {}", data["text"])

    def _on_busy(self, data: dict) -> None:
        say(self.console, "[dim]{} …[/dim]", data["text"])

    def _on_step(self, data: dict) -> None:
        if data["text"] not in self._steps:
            self._steps[data["text"]] = self._bars.add_task(data["text"], total=data["total"], rate="")
        self._bars.update(self._steps[data["text"]], completed=data["done"])

    def _on_round_started(self, data: dict) -> None:
        for task in (*self._steps.values(), *([self._task] if self._task is not None else [])):
            self._bars.remove_task(task)
        self._steps.clear()
        self._task = self._bars.add_task(f"round {data['round']}", total=data["clips"], rate="")

    def _on_clip(self, data: dict) -> None:
        self._bars.advance(self._task)
        task = next(t for t in self._bars.tasks if t.id == self._task)
        rate = f"{task.completed / task.elapsed * 3600:,.0f} clips/h" if task.elapsed and task.elapsed > 1 else ""
        self._bars.update(self._task, rate=rate)

    def _on_batch(self, data: dict) -> None:
        for clip in data["clips"]:
            self._states.setdefault(clip["cell"], Counter())[clip["state"]] += 1
        states = ", ".join(f"{n} {_plain(state)}" for state, n in sorted(Counter(c["state"] for c in data["clips"]).items()))
        codes = f" ({', '.join(data['codes'])})" if data["codes"] else ""
        say(self.console, "round {} batch {}: {}[dim]{}[/dim]: {}", data["round"], data["batch"], data["verdict"], codes, states)
        for name, target in self._targets.items():
            lost = ", ".join(f"{n} {_plain(s)}" for s, n in sorted(self._states.get(name, {}).items()) if s != "accepted")
            lost = f"; clips lost: {lost}" if lost else ""
            say(self.console, "    [dim]{}: {} of {}{}[/dim]", name, data["achieved"].get(name, 0), target, lost)

    def _on_round_closed(self, data: dict) -> None:
        for part, values in data["summary"].items():
            if values:
                shown = ", ".join(f"{name} {value:.4g}" for name, value in sorted(values.items()) if isinstance(value, float))
                say(self.console, "round {} {}: {}", data["round"], part.replace("_", " "), shown)
        for change in data["changes"][:12]:
            say(self.console, "    [cyan]feedback:[/cyan] {}", change["words"])


def _plain(state: str) -> str:
    return state.replace("_", " ")
