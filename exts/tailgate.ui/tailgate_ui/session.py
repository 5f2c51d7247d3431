"""What the buttons do: checks, previews, runs and marks as tasks on Kit's loop. Holds the ``State``; all logic is the runtime's."""

from __future__ import annotations

import time
import traceback
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailgate.errors import TailgateError

from tailgate_ui import kit
from tailgate_ui.choices import Choices
from tailgate_ui.state import Budget, Preview, Run, Shot, Stage, State, fold, going, held
from tailgate_ui.tasks import Tasks

if TYPE_CHECKING:
    from tailgate.runtime.control import Control
    from tailgate.runtime.events import Event


class Session:
    """The extension's one session, which outlives the window: closing the window stops nothing."""

    def __init__(self) -> None:
        self.state = State(Choices.load())
        self.tasks = Tasks(self._failed)
        self._control: Control | None = None
        self._stage: tuple[str, str] | None = None

    def close(self) -> None:
        """Cancel all work; what a run recorded is safe, and a preview puts the stage back."""
        self.tasks.close()

    # choices ----------------------------------------------------------------------------------------------------------------------------------------

    def choose(self, **changes: str) -> None:
        """Take over fields of the window, keep them and check the budget anew."""
        choices = replace(self.state.choices, **changes)
        if choices != self.state.choices:
            choices.save()
            self._set(choices=choices)
            self.check_budget()

    def refuse(self, said: str) -> None:
        """Say why something that was chosen cannot be taken."""
        self._set(budget=Budget(error=said))
        kit.notify(said, warning=True)

    def check_budget(self) -> None:
        """Read the budget with all it names."""
        if self.state.choices.budget:
            self._set(budget=replace(self.state.budget, checking=True))
            self.tasks.start("budget", self._check_budget)

    async def _check_budget(self) -> None:
        examine = await kit.imported("tailgate_ui.examine")
        self._set(budget=await examine.budget(self.state.choices))

    # the stage --------------------------------------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Follow what the user selects and opens; called a few times a second while the window is shown."""
        stage, selected = kit.stage_name(), kit.selected()
        if selected != self.state.stage.selected:
            self._set(stage=replace(self.state.stage, selected=selected))
        if stage != self._stage and not self.state.busy:
            self._stage = stage
            self._set(stage=Stage(selected=selected))
            self.check_stage()
        if self.state.run.phase == "pausing" and self._control is not None and self._control.resting:
            self._phase("paused", "paused; Resume goes on")

    def check_stage(self) -> None:
        """Look for what a run would miss on the open stage."""
        if self._stage is not None and not self.state.busy:
            self._set(stage=replace(self.state.stage, checking=True))
            self.tasks.start("stage", self._check_stage)

    async def _check_stage(self) -> None:
        examine = await kit.imported("tailgate_ui.examine")
        stage = kit.open_stage()
        report = await examine.stage(stage) if stage is not None else None
        self._set(stage=replace(self.state.stage, checking=False, report=report))

    # marks ------------------------------------------------------------------------------------------------------------------------------------------

    def mark(self, kind: str, paths: tuple[str, ...] = (), **more: Any) -> None:
        """Use prims, those selected by default; ``kind``: a kind of context, or "label". Undo takes it back."""
        from tailgate_ui import marks

        if self._may_mark():
            try:
                self._said(marks.mark(kind, paths or kit.selected(), **more))
                self.check_stage()
            except TailgateError as error:
                self._said(str(error), wrong=True)

    def cut(self, name: str) -> None:
        """Write the selected prim to a file beside the budget, as a model of the class ``name``."""
        if self._may_mark():
            self.tasks.start("cut", self._cut, name)

    async def _cut(self, name: str) -> None:
        from tailgate_ui import marks

        self._said(await marks.cut(name, kit.selected(), self.state.choices))

    def _may_mark(self) -> bool:
        if self.state.busy:
            self._said("the stage can be marked when the run or preview has ended", wrong=True)
        return not self.state.busy

    def _said(self, words: str, wrong: bool = False) -> None:
        self._set(stage=replace(self.state.stage, said=words, wrong=wrong))
        if wrong:
            kit.notify(words, warning=True)

    # preview ----------------------------------------------------------------------------------------------------------------------------------------

    def preview(self, count: int | None = None) -> None:
        """Show the first samples a budget would make."""
        if not self.state.busy:
            wanted = count or self.state.preview.wanted
            self._set(preview=Preview(True, wanted))
            self.tasks.start("preview", self._preview, wanted)

    async def _preview(self, count: int) -> None:
        pictures = await kit.imported("tailgate_ui.pictures")
        shots: list[Shot] = []
        try:
            options = self.state.choices.options()
            async with kit.as_before(not options.base), aclosing(pictures.shots(options, count)) as coming:
                async for shot in coming:
                    shots.append(shot)
                    self._set(preview=replace(self.state.preview, shots=tuple(shots)))
        finally:
            said = f"{len(shots)} of {count} samples; the stage is as it was before"
            self._set(preview=replace(self.state.preview, going=False, said=said))

    # the run ----------------------------------------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Start the budget, or go on with it: the same run folder resumes."""
        if self.state.run.phase in ("paused", "pausing"):
            self.resume()
        elif not self.state.busy:
            self._set(run=Run("starting", "reading the budget"))
            self.tasks.start("run", self._run)

    def pause(self) -> None:
        """Hold the run after the clips that have begun."""
        if self.state.run.phase == "running" and self._control is not None:
            self._control.pause()
            self._phase("pausing", "pausing: the clips that have begun are finished first")

    def resume(self) -> None:
        """Go on after a pause."""
        if self.state.run.phase in ("paused", "pausing") and self._control is not None:
            self._control.resume()
            self._set(run=replace(going(self.state.run, time.monotonic()), phase="running", said=""))

    def stop(self) -> None:
        """End the run or the preview; what was recorded stays."""
        if self.state.preview.going:
            self.tasks.cancel("preview")
        if self.state.run.active:
            self._phase("stopping", "stopping: the piece at hand is finished first")
            self.tasks.cancel("run")

    async def _run(self) -> None:
        try:
            runtime = await kit.imported("tailgate.runtime.run")
            control = (await kit.imported("tailgate.runtime.control")).Control()
            self._control, options = control, self.state.choices.options()
            async with kit.as_before(not options.base):
                summary = await runtime.generate(options, self._heard, runtime.Crew(control=control))
            self._set(run=ended(self.state.run, summary))
            kit.notify(self.state.run.said)
        finally:
            if self.state.run.active:
                self._phase("stopped", "stopped; what was recorded is safe, and Run goes on from there")
            self._control = None

    def _heard(self, event: Event) -> None:
        self._set(run=fold(self.state.run, event, time.monotonic()))

    def _phase(self, phase: str, said: str) -> None:
        run = self.state.run if phase == "pausing" else held(self.state.run, time.monotonic())
        self._set(run=replace(run, phase=phase, said=said))

    # results ----------------------------------------------------------------------------------------------------------------------------------------

    def open_output(self) -> None:
        """Open the run folder."""
        self.tasks.start("show", kit.show, Path(self.state.run.out or self.state.choices.run_folder))

    def open_report(self) -> None:
        """Open the report of a finished run."""
        self.tasks.start("show", kit.show, Path(self.state.run.report))

    # ------------------------------------------------------------------------------------------------------------------------------------------------

    def _set(self, **parts: Any) -> None:
        self.state = replace(self.state, **parts)

    def _failed(self, name: str, error: BaseException) -> None:
        """Say in one sentence what went wrong: where it belongs, and as a notification."""
        if not isinstance(error, TailgateError):
            kit.log_fault("".join(traceback.format_exception(error)))
        said = str(error) if isinstance(error, TailgateError) else f"{type(error).__name__}: {error} (a fault of Tailgate; the log has more)"
        if name == "budget":
            self._set(budget=Budget(error=said))
        elif name in ("stage", "cut"):
            self._set(stage=replace(self.state.stage, checking=False, said=said, wrong=True))
        elif name == "preview":
            self._set(preview=replace(self.state.preview, going=False, said=said, wrong=True))
        elif name == "run":
            self._set(run=replace(self.state.run, phase="failed", said=said))
        kit.notify(said, warning=True)


def ended(run: Run, summary: Any) -> Run:
    """The run with what its summary says."""
    met = "every cell is met" if summary.met else f"a limit came first: {summary.reason}"
    refused = f"; refused by the class gate: {', '.join(summary.refused)}" if summary.refused else ""
    faults = "".join(f"; fault of the set: {words}" for words in summary.faults)
    notes = tuple(dict.fromkeys([*run.notes, *summary.notes]))
    return replace(run, phase="done", said=f"done, {met}{refused}{faults}", busy="", since=None, notes=notes, report=summary.report)
