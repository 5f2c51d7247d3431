"""Samples of a preview as pictures, drawn aside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import numpy as np
from tailgate.packages import packages_named
from tailgate.report.draw import overlay
from tailgate.report.topview import top_view
from tailgate.report.words import code_words
from tailgate.runtime.preview import takes

from tailgate_ui.state import Shot

if TYPE_CHECKING:
    from tailgate.frames import Frame
    from tailgate.runtime.spec import RunOptions
    from tailgate.runtime.studio import Take

WIDTH, ABOVE = 640, 320
"""Width of a camera's picture and side of a view from above [px]."""


async def shots(options: RunOptions, count: int) -> AsyncIterator[Shot]:
    """The first samples of a budget, as they come; the stage is as before when this ends, however it ends."""
    with packages_named():
        async with aclosing(takes(options, count)) as coming:
            async for take in coming:
                yield await asyncio.to_thread(draw, take)


def draw(take: Take) -> Shot:
    """One sample: every camera with labels and boxes, every LiDAR from above."""
    verdict = "off target" if take.codes else "on target"
    conditions = ", ".join(take.sample.conditions.values())
    said = [*map(code_words, take.codes), *(f"{name} dropped" for name in take.dropped())]
    return Shot(take.sample.cell, verdict, "; ".join(said) or conditions, tuple(_pictures(take.frames[0])))


def _pictures(frame: Frame) -> list[tuple[str, np.ndarray]]:
    found = []
    for name, sensor in frame.sensors.items():
        if sensor.kind == "lidar":
            found.append((name, _rgba(top_view(frame, name, ABOVE, ABOVE))))
        elif "rgb" in sensor.channels:
            found.append((name, _rgba(overlay(frame, name, min(WIDTH, sensor.channels["rgb"].shape[1])))))
    return found


def _rgba(image: np.ndarray) -> np.ndarray:
    """RGB uint8 [H, W, 3] with an opaque alpha channel."""
    return np.ascontiguousarray(np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]))
