"""What a renderer gives: the interface between a scene that has been drawn and its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.config.rig import ResolvedRig
    from tailgate.frames import Frame, Sample


class RenderBackend(Protocol):
    """A renderer of one open scene. Order of calls: ``open``, then (``apply``, ``capture`` once per tick) for each clip, then ``close``."""

    def open(self, stage: Usd.Stage, rig: ResolvedRig, labels: dict[str, int]) -> None:
        """Take a composed stage whose pool is authored.

        Args:
            stage: z up, metres.
            rig: sensors and their poses on ``/Tailgate/Rig``.
            labels: class name -> semantic id > 0; everything else is 0.
        """

    def apply(self, sample: Sample) -> None:
        """Take over the values of a clip after they were written to the stage; raises UserError on a hint that is refused."""

    async def capture(self, tick: int = 0) -> Frame:
        """Render all sensors at the stage's present state."""

    def channels(self) -> dict[str, list[str]]:
        """Channels per kind of sensor ("camera", "lidar")."""

    def hints(self) -> dict[str, str]:
        """Hint name -> "supported: ..." or "refused: ..."; ``Sample.hints`` may hold any of these names."""

    def close(self) -> None:
        """Release the scene; safe to call twice."""
