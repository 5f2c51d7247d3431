"""What a renderer gives: the interface between a scene that has been drawn and its frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from tailgate.errors import TailgateError, UserError, unknown

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.config.rig import ResolvedRig
    from tailgate.frames import Frame, Sample


class StageDisturbed(TailgateError):
    """Somebody changed the stage between ``apply`` and ``capture``: the frame is not the sample's and must be taken again."""

    exit_code = 1


class RenderBackend(Protocol):
    """A renderer of one open scene.

    Order of calls: ``load``, ``open``, then (``apply``, ``capture`` once per tick) for each clip, then ``close``.

    Attributes:
        name: what ``--backend`` calls it.
        shares_loop: whether it lives in an application's own process and event loop (Kit). It then holds one scene at a time, and work that is
            not its own goes to other threads.
    """

    name: ClassVar[str]
    shares_loop: ClassVar[bool]

    def __init__(self, device: str) -> None: ...

    @classmethod
    def check(cls, device: str) -> None:
        """Raise UserError where this renderer cannot run here, or not on this device ("cpu", "cuda:0")."""

    @classmethod
    def check_rig(cls, rig: ResolvedRig) -> None:
        """Raise UserError, with the sensor's name, for what this renderer cannot do of what a sensor asks for."""

    @classmethod
    def open_stage_digest(cls) -> str:
        """What identifies the stage that the user has open; raises UserError where there is none."""

    async def load(self, base: Path | None) -> Usd.Stage:
        """Open a base scene; None is the stage that the user has open."""

    def open(self, stage: Usd.Stage, rig: ResolvedRig, labels: dict[str, int]) -> None:
        """Take a composed stage whose pool is authored.

        Args:
            stage: z up, metres.
            rig: sensors and their poses on ``/Tailgate/Rig``.
            labels: class name -> semantic id > 0; everything else is 0.
        """

    def apply(self, sample: Sample) -> None:
        """Take over the values of a clip at one tick (``Sample.at``) after they were written to the stage; raises UserError on a hint that is
        refused."""

    async def capture(self, tick: int = 0) -> Frame:
        """Render all sensors at the stage's present state, times counted from the tick; raises StageDisturbed where it is not the sample's."""

    def channels(self) -> dict[str, list[str]]:
        """Channels per kind of sensor ("camera", "lidar")."""

    def hints(self) -> dict[str, str]:
        """Hint name -> "supported: ..." or "refused: ..."; ``Sample.hints`` may hold any of these names."""

    def close(self) -> None:
        """Release the scene; safe to call twice."""


def check_hints(sample: Sample, known: Mapping[str, str], backend: str) -> None:
    """Raise UserError for a hint that a renderer refuses or does not know; ``known`` as ``RenderBackend.hints`` gives them."""
    for name in sample.hints:
        if name not in known:
            raise unknown("hint", name, known)
        if known[name].startswith("refused"):
            raise UserError(f"hint '{name}' is {known[name]} by the {backend} backend")
