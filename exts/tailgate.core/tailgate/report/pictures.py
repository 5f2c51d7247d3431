"""Sample frames as pictures inside the page: data URIs, small enough to send by mail."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tailgate.frames import Frame
from tailgate.report import draw
from tailgate.report.record import FrameRecord, RunRecord
from tailgate.report.sheet import first
from tailgate.report.topview import top_view

WIDTH, STRIP = 440, 84


@dataclass(frozen=True)
class Picture:
    """One embedded picture: a caption, a data URI and its size [px]; ``wide`` spans the card."""

    title: str
    uri: str
    width: int
    height: int
    wide: bool = False


@dataclass(frozen=True)
class Card:
    """One sample frame with its pictures; ``colors`` gives the legend of the classes it shows."""

    record: FrameRecord
    pictures: tuple[Picture, ...]
    colors: tuple[tuple[str, str], ...]


def choose(run: RunRecord, accepted: int = 4, refused: int = 2) -> list[FrameRecord]:
    """Accepted frames in turns over the cells, then refused ones in turns over their reasons; only frames whose files are there, in clip order."""
    held = [f for f in run.frames if f.folder]
    good = [f for f in held if f.state == "accepted" and f.verdict == "ok"]
    bad = [f for f in held if f.state in ("rejected", "failed")]
    return [*_in_turns(good, lambda f: f.cell, accepted), *_in_turns(bad, lambda f: (f.state, f.codes), refused)]


def _in_turns(frames: Iterable[FrameRecord], key, count: int) -> list[FrameRecord]:
    groups: dict[object, list[FrameRecord]] = {}
    for frame in frames:
        groups.setdefault(key(frame), []).append(frame)
    picked: list[FrameRecord] = []
    while len(picked) < count and any(groups.values()):
        picked += [group.pop(0) for group in groups.values() if group][: count - len(picked)]
    return picked


def cards(run: RunRecord) -> list[Card]:
    """Cards of the chosen frames, read from the run folder."""
    from tailgate.datasets.store import load

    chosen = choose(run)
    frames = draw.alike([load(record.folder) for record in chosen])
    return [card(record, frame) for record, frame in zip(chosen, frames, strict=True)]


def card(record: FrameRecord, frame: Frame) -> Card:
    """One sample frame of a run."""
    return Card(record, frame_pictures(frame), class_swatches([frame]))


def class_swatches(frames: Iterable[Frame]) -> tuple[tuple[str, str], ...]:
    """Classes of the objects in some frames, each with its colour as CSS."""
    colors = {name: draw.frame_colors(frame)[name] for frame in frames for name in frame.objects.class_name}
    return tuple((name, "#{:02x}{:02x}{:02x}".format(*colors[name])) for name in sorted(colors))


def frame_pictures(frame: Frame) -> tuple[Picture, ...]:
    """Pictures of one frame's first camera and first LiDAR, as far as they give the channels."""
    pictures: list[Picture] = []
    camera, lidar = first(frame, "camera"), first(frame, "lidar")
    height = round(WIDTH * 0.6)
    if camera:
        device = frame.sensors[camera]
        shape = draw.host(next(iter(device.channels.values()))).shape
        height = round(WIDTH * shape[0] / shape[1])
        if "rgb" in device.channels:
            pictures.append(_jpeg("Camera with labelled objects", draw.overlay(frame, camera, WIDTH)))
        if "distance_to_image_plane" in device.channels:
            limits = draw.Limits.of(z := device.channels["distance_to_image_plane"])
            pictures.append(_jpeg(f"Depth, bright = near ({limits.words(z)})", draw.resize(draw.depth(device, limits), WIDTH, height)))
        if "semantic_segmentation" in device.channels:
            pictures.append(_png("Labels", draw.resize(draw.semantic(device, frame.labels), WIDTH, height, smooth=False)))
    above = lidar or (camera if camera and "distance_to_image_plane" in frame.sensors[camera].channels else None)
    if above:
        pictures.append(_jpeg("From above, with 3-D boxes", top_view(frame, above, WIDTH, height)))
    if lidar:
        device = frame.sensors[lidar]
        limits = draw.Limits.of(device.channel("range"))
        title = f"LiDAR range{draw.echo_words(device)}, bright = near ({limits.words(device.channel('range'))})"
        pictures.append(_png(title, draw.lidar_range(device, 2 * WIDTH, STRIP, limits), wide=True))
    return tuple(pictures)


def _jpeg(title: str, image: np.ndarray) -> Picture:
    return _picture(title, image, "JPEG", False, quality=82, optimize=True)


def _png(title: str, image: np.ndarray, wide: bool = False) -> Picture:
    return _picture(title, image, "PNG", wide, optimize=True)


def _picture(title: str, image: np.ndarray, kind: str, wide: bool, **how) -> Picture:
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if kind == "PNG":
        picture = picture.quantize(128, dither=Image.Dither.NONE)
    picture.save(buffer, kind, **how)
    uri = f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Picture(title, uri, image.shape[1], image.shape[0], wide)
