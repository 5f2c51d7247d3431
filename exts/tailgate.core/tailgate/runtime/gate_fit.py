"""``calibrate gate``: measure a reference as it is and under every negative control, and set the limits of the batch gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tailgate import __version__
from tailgate.calibrate.class_gate import class_records
from tailgate.calibrate.gate import Blocks, applicable, modality_gates
from tailgate.config.gate import Calibrated, GateFile
from tailgate.errors import UserError
from tailgate.reference.reader import Reader
from tailgate.rng import rng
from tailgate.runtime.measured import MeasuredSet, Measuring, Source, Tick, fingerprint, measure_set
from tailgate.validate.calibration import MIN_PLACES
from tailgate.validate.evidence import Cut, Evidence, frame_blocks
from tailgate.validate.wrong import CONTROLS


@dataclass(frozen=True)
class GateRequest:
    """What to calibrate on, and how.

    Attributes:
        reference: folder of recordings.
        kind: its layout; guessed from what lies in the folder where not given.
        options: of its reader.
        seed: of controls, draws and splits.
        workers: processes that measure.
        tick: hears how far the work is.
    """

    reference: Path
    kind: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    workers: int = 1
    tick: Tick = lambda words, done, total: None


@dataclass(frozen=True)
class WrongMeasuring(Measuring):
    """Measures each frame under every control: its evidence holds as many blocks per control as the frame has, one control after the other.

    Attributes:
        controls: names and strengths.
        seed: of the controls.
    """

    controls: tuple[tuple[str, float], ...] = ()
    seed: int = 0

    def frame(self, reader: Reader, name: str, group: str) -> None:
        """Measure one frame and write its evidence."""
        frame, blocks = self.source.read(reader, name), []
        for control, strength in self.controls:
            generator = rng(self.seed, "", 0, 0, 0, "validate.wrong", f"{control} {name}")
            blocks += frame_blocks(CONTROLS[control].apply(frame, strength, generator))
        Evidence(blocks).save(self.file(name))


def fit_gate(request: GateRequest) -> GateFile:
    """Calibrate the gate on every frame of a folder.

    Raises:
        UserError: a folder or file that does not read, or a reference too small for any limit.
    """
    source = Source.find(request.reference, request.kind, request.options)
    opened = source.open()
    with TemporaryDirectory(prefix="tailgate-gate-") as plain, TemporaryDirectory(prefix="tailgate-gate-") as changed:
        real = measure_set(Measuring(source, Cut(), Path(plain)), opened, request.workers, request.tick)
        controls = tuple(applicable(real.blocks))
        job = WrongMeasuring(source, Cut(), Path(changed), controls=controls, seed=request.seed)
        wrong = measure_set(job, opened, request.workers, lambda words, *done: request.tick(f"{words} under {len(controls)} controls", *done))
        classes = class_records(real.crops, request.seed, request.tick)
        batch = modality_gates(real.blocks, _by_control(wrong, controls), request.seed, request.tick)
    if not batch:
        words = f"at least {MIN_PLACES} places are needed, with enough values of a statistic in half of them"
        raise UserError(f"holds too little real data to set any limit: {words}", source.root)
    reference = Calibrated(kind=source.kind, fingerprint=fingerprint(source), frames=[e.name for e in real.entries])
    return GateFile(tailgate=__version__, seed=request.seed, reference=reference, batch=batch, classes=classes)


def _by_control(wrong: MeasuredSet, controls: Sequence[tuple[str, float]]) -> dict[tuple[str, float], Blocks]:
    """Blocks under each control, in the order of the real ones."""
    found: dict[tuple[str, float], Blocks] = {control: {group: [] for group in wrong.groups} for control in controls}
    for group, frames in wrong.groups.items():
        for evidence in frames:
            n = len(evidence.blocks) // len(controls)
            for k, control in enumerate(controls):
                found[control][group] += evidence.blocks[k * n : (k + 1) * n]
    return found
