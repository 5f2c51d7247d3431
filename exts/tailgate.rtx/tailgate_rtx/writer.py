"""``TailgateWriter``: a gate for Replicator scripts that have their own randomization.

    import omni.replicator.core as rep
    from tailgate_rtx.writer import register_writer             # not needed where the extension tailgate.rtx is enabled

    register_writer()
    writer = rep.writers.get("TailgateWriter", init_params={"reference": "/data/real", "output_dir": "/data/run"})
    writer.attach(render_product)

Every captured frame is measured in a thread beside Kit's loop and judged with its batch; scorecards, frames and the ledger lie in ``output_dir``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tailgate.errors import UserError, unknown
from tailgate.frames import Frame, FrameId
from tailgate.reference.annotators import ANNOTATORS, frame_of, own_copy, was_rendered
from tailgate.reference.labelmap import load_label_map
from tailgate.runtime.live import SCRIPT, Gate, GateSpec
from tailgate.runtime.measured import Source
from tailgate.stage.extract import world_correction

NAME = "TailgateWriter"
WAITING = 4
"""Frames that may wait to be measured; a script that renders faster than that is held back."""


class GateThread:
    """A gate in a thread of its own, opened with its first frame; what fails there is raised by the next call.

    Args:
        spec: of the gate.
    """

    def __init__(self, spec: GateSpec):
        self.spec = spec
        self._pool = ThreadPoolExecutor(1, "tailgate-gate")
        self._gate: Gate | None = None
        self._waiting: deque[Future] = deque()

    def add(self, make: Callable[[], Frame]) -> None:
        """Hand over what makes a frame; waits where WAITING of them have not been measured yet."""
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= WAITING):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._add, make))

    def finish(self) -> None:
        """Wait for the frames handed over, judge the rest and write the page; a later frame opens the gate again."""
        try:
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.submit(self._close).result()

    def _add(self, make: Callable[[], Frame]) -> None:
        try:
            if self._gate is None:
                self._gate = Gate(self.spec)
            self._gate.add(make())
        except UserError as error:
            self.spec.tell(f"tailgate: {error}")
            raise

    def _close(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.close()


def stage_up() -> np.ndarray:
    """World of the open stage -> a world with z up, [4, 4]; lengths keep their unit."""
    import omni.usd

    T = world_correction(omni.usd.get_context().get_stage())
    T[:3, :3] /= np.cbrt(np.linalg.det(T[:3, :3]))
    return T


def gate_spec(reference: str, output_dir: str, settings: Mapping[str, Any]) -> GateSpec:
    """What the writer's keywords ask for; UserError with the nearest name for an unknown one, and for files that are not there."""
    known = {f.name for f in fields(GateSpec)} - {"reference", "out", "tick"}
    for name in settings:
        if name not in known:
            raise unknown(f"setting of {NAME}", name, known)
    if not Path(output_dir).is_absolute():
        raise UserError(f"output_dir of {NAME} must be an absolute path, got '{output_dir}'")
    spec = GateSpec(Path(reference), Path(output_dir), **{k: Path(v) if k in ("gate", "labels") and v else v for k, v in settings.items()})
    Source.find(spec.reference, spec.kind, spec.options)
    if spec.labels:
        load_label_map(spec.labels)
    return spec


def make_writer() -> type:
    """The writer class; Replicator must be there."""
    import omni.replicator.core as rep

    class TailgateWriter(rep.Writer):
        """Judges every captured frame against real recordings.

        Args:
            reference: folder of real recordings, in any layout that ``tailgate score`` reads.
            output_dir: absolute path of the folder of ledger, frames and scorecards; the same folder goes on where it stopped.
            settings: more of ``tailgate.runtime.live.GateSpec``: ``batch``, ``enforce``, ``kind``, ``labels`` and so on.
        """

        version = "0.1.0"

        def __init__(self, reference: str, output_dir: str, **settings: Any):
            self.annotators = [rep.annotators.get(name, init_params=init or None) for name, init in ANNOTATORS.items()]
            self.data_structure = "renderProduct"
            self._gate = GateThread(gate_spec(reference, output_dir, settings))

        def write(self, data: dict[str, Any]) -> None:
            products = data["renderProducts"]
            cameras = {"camera" if len(products) == 1 else name.strip("/").rsplit("/", 1)[-1]: held for name, held in products.items()}
            if not all(map(was_rendered, cameras.values())):
                self._gate.spec.tell("tailgate: a capture without data was passed over (nothing was rendered yet)")
                return
            self._gate.add(partial(frame_of, FrameId(SCRIPT, 0, 0), {name: own_copy(held) for name, held in cameras.items()}, stage_up()))

        def write_metadata(self) -> None:
            """The ledger holds what metadata.txt would."""

        def on_final_frame(self) -> None:
            self._gate.finish()

    return TailgateWriter


def register_writer() -> None:
    """Make the writer known to Replicator under its name; a second call changes nothing."""
    import omni.replicator.core as rep

    if NAME not in rep.WriterRegistry.get_writers():
        rep.WriterRegistry.register(make_writer())


def unregister_writer() -> None:
    """Take the writer back; safe to call twice."""
    import omni.replicator.core as rep

    if NAME in rep.WriterRegistry.get_writers():
        rep.WriterRegistry.unregister(NAME)
