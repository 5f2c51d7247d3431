"""Bird's-eye view: points, oriented boxes and range rings around a sensor, forward up and left on the left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailgate.config.rig import T_FORWARD_OPTICAL
from tailgate.frames import Frame, SensorFrame, host
from tailgate.report.draw import frame_colors, label_colors, resize
from tailgate.report.palette import FAINT, INK, VOID, color_map, font, plain, write

_OVERSAMPLE, _DOT = 2, 3
_RING = (40, 45, 55)
_STEEP = 0.95
_RING_LABEL = math.radians(58)
"""Direction in which ring distances are written, clockwise from straight ahead: beside most cameras' field of view."""


@dataclass(frozen=True)
class Window:
    """The patch of ground that is shown, levelled and turned to the sensor's heading.

    Attributes:
        width, height: of the picture [px].
        reach: metres from the sensor to the upper edge.
        behind: share of the height below the sensor, 0..0.5.
    """

    width: int
    height: int
    reach: float
    behind: float

    @property
    def scale(self) -> float:
        """Pixels per metre."""
        return self.height * (1 - self.behind) / self.reach

    def pixels(self, xy: np.ndarray) -> np.ndarray:
        """Forward and left [m], shape [..., 2], to column and row [px]."""
        return np.stack([self.width / 2 - xy[..., 1] * self.scale, self.height * (1 - self.behind) - xy[..., 0] * self.scale], axis=-1)

    def scaled(self, factor: int) -> Window:
        """The same patch at ``factor`` times the resolution."""
        return Window(self.width * factor, self.height * factor, self.reach, self.behind)


def top_view(frame: Frame, sensor: str, width: int = 640, height: int = 640, reach: float | None = None) -> np.ndarray:
    """Points of one sensor from above with the frame's 3-D boxes, RGB uint8 [height, width, 3].

    Labelled points have their class colour, the others are grey by height. A LiDAR sits in the middle; a camera, whose points come from its
    depth, at the lower edge.

    Args:
        frame: the frame.
        sensor: name of a LiDAR, or of a camera with ``distance_to_image_plane``.
        width, height: of the picture [px].
        reach: metres from the sensor to the upper edge; by default so that the visible objects fit, or nine tenths of the points; at most 80.
    """
    from PIL import Image, ImageDraw

    device = frame.sensors[sensor]
    to_view = _levelled(device)
    xyz, ids = _points(device)
    xyz = xyz @ to_view[:3, :3].T + to_view[:3, 3]
    window = Window(width, height, reach or _reach(xyz, device), 0.5 if device.kind == "lidar" else 0.06)
    fine = window.scaled(_OVERSAMPLE)
    image = _raster(xyz, ids, frame.labels, fine)
    picture = Image.fromarray(image)
    boxes = _footprints(frame, to_view @ np.linalg.inv(device.T_world_sensor[0]))
    _draw_boxes(ImageDraw.Draw(picture), frame, boxes, fine)
    picture = Image.fromarray(resize(np.asarray(picture), width, height))
    seen = np.asarray(device.view.visible) > 0
    _annotate(ImageDraw.Draw(picture), frame, [window.pixels(box[:4]) if s else None for box, s in zip(boxes, seen, strict=True)], window)
    return np.asarray(picture)


def _levelled(device: SensorFrame) -> np.ndarray:
    """T_view_sensor: origin at the sensor, z up as in the world, x along the sensor's heading on the ground, float64 [4, 4].

    A camera that looks straight down heads where its image's upper edge points. One that looks straight up has no known pose (recordings without
    one carry the identity): its own axes serve.
    """
    T = np.asarray(device.T_world_sensor[0], dtype=np.float64)
    forward = T[:3, 2] if device.kind == "camera" else T[:3, 0]
    if device.kind == "camera" and forward[2] > _STEEP:
        return T_FORWARD_OPTICAL
    if device.kind == "camera" and forward[2] < -_STEEP:
        forward = -T[:3, 1]
    yaw = math.atan2(forward[1], forward[0])
    turn = np.array([[math.cos(yaw), math.sin(yaw), 0], [-math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    out = np.eye(4)
    out[:3, :3] = turn @ T[:3, :3]
    return out


def _points(device: SensorFrame) -> tuple[np.ndarray, np.ndarray]:
    """Points in the sensor frame [n, 3] [m] and their semantic ids [n] (0 where unknown)."""
    if device.kind == "lidar":
        listed = device.points()
        return listed["xyz"].astype(np.float64), listed.get("semantic", np.zeros(len(listed["xyz"]), np.uint32))
    k = device.intrinsics
    wide = k.distortion is not None and k.distortion.fisheye
    depth = host(device.channel("distance_to_camera" if wide else "distance_to_image_plane")).astype(np.float64)
    step = max(1, int(math.sqrt(depth.size / 120_000)))
    v, u = np.mgrid[0 : depth.shape[0] : step, 0 : depth.shape[1] : step]
    depth, rays = depth[::step, ::step, None], k.rays(u, v)
    keep = (np.isfinite(depth) & (depth > 0))[..., 0]
    rays, depth = rays[keep], depth[keep]
    xyz = rays * depth if wide else rays / rays[:, 2:] * depth
    ids = device.channels.get("semantic_segmentation")
    return xyz, host(ids)[::step, ::step][keep] if ids is not None else np.zeros(len(xyz), np.uint32)


def _reach(xyz: np.ndarray, device: SensorFrame) -> float:
    far = float(np.quantile(np.hypot(xyz[:, 0], xyz[:, 1]), 0.9)) if len(xyz) else 20.0
    seen = np.asarray(device.view.range, dtype=float)[np.asarray(device.view.visible) > 0]
    if seen.size:
        far = min(far, 1.15 * float(seen.max()))
    step = next(s for least, s in ((6, 5), (2, 1), (0, 0.25)) if far > least or not least)
    return float(min(80, max(0.5, step * math.ceil(far / step))))


def _raster(xyz: np.ndarray, ids: np.ndarray, labels: Mapping[str, int], window: Window) -> np.ndarray:
    """Grid, rings and points; higher points over lower ones, labelled over unlabelled."""
    import cv2

    image = np.full((window.height, window.width, 3), VOID, dtype=np.uint8)
    centre = tuple(int(round(float(c))) for c in window.pixels(np.zeros(2)))
    for radius in _rings(window):
        cv2.circle(image, centre, int(round(radius * window.scale)), _RING, _OVERSAMPLE, cv2.LINE_AA)
    if not len(xyz):
        return image
    order = np.lexsort((xyz[:, 2], ids > 0))
    xyz, ids = xyz[order], ids[order]
    low, high = (float(q) for q in np.quantile(xyz[:, 2], [0.02, 0.98]))
    grey = color_map(0.42 + 0.5 * (xyz[:, 2:3] - low) / max(high - low, 0.5), "bone")[:, 0]
    colors = np.where((ids > 0)[:, None], label_colors(ids, labels), grey)
    cell = np.round(window.pixels(xyz[:, :2])).astype(int)
    for du in range(_DOT):
        for dv in range(_DOT):
            u, v = cell[:, 0] + du, cell[:, 1] + dv
            keep = (u >= 0) & (u < window.width) & (v >= 0) & (v < window.height)
            image[v[keep], u[keep]] = colors[keep]
    return image


def _rings(window: Window) -> list[float]:
    """Three to six round radii that fit the window [m]."""
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if window.reach / s <= 5)
    return [step * i for i in range(1, int(math.hypot(window.reach, window.width / window.scale / 2) / step) + 1)]


def _footprints(frame: Frame, T_view_world: np.ndarray) -> np.ndarray:
    """Corners of each box on the ground, front left first, then clockwise, and the middle of its front edge: [N, 5, 2] [m]."""
    if not len(frame.objects):
        return np.zeros((0, 5, 2))
    unit = np.array([[0.5, 0.5], [0.5, -0.5], [-0.5, -0.5], [-0.5, 0.5], [0.5, 0]])
    local = unit[None] * np.asarray(frame.objects.size, dtype=float)[:, None, :2]
    T = T_view_world @ np.asarray(frame.objects.T_world_box, dtype=float)
    return np.einsum("nij,nkj->nki", T[:, :2, :2], local) + T[:, None, :2, 3]


def _draw_boxes(draw: Any, frame: Frame, boxes: np.ndarray, window: Window) -> None:
    colors = frame_colors(frame)
    for name, box in zip(frame.objects.class_name, boxes, strict=True):
        corners = [tuple(p) for p in window.pixels(box)]
        draw.line([*corners[:4], corners[0]], fill=colors[name], width=2 * _OVERSAMPLE, joint="curve")
        middle = tuple(np.mean(np.array(corners[:4]), axis=0))
        draw.line([middle, corners[4]], fill=colors[name], width=2 * _OVERSAMPLE)


def _annotate(draw: Any, frame: Frame, boxes: list[np.ndarray | None], window: Window) -> None:
    """Ring distances, the sensor as a triangle, and names of the seen boxes (those that are not None) where they fit in."""
    u, v = (float(c) for c in window.pixels(np.zeros(2)))
    draw.polygon([(u, v - 8), (u - 5, v + 5), (u + 5, v + 5)], fill=INK)
    taken = []
    for radius in _rings(window):
        x, y = u + math.sin(_RING_LABEL) * radius * window.scale, v - math.cos(_RING_LABEL) * radius * window.scale
        if x < window.width - 34 and y > 10:
            write(draw, (x + 3, y), f"{radius:g} m", 11, FAINT, anchor="lm")
            taken.append((x, y - 6, x + 34, y + 6))
    _name_boxes(draw, frame, boxes, window, taken)


def _name_boxes(draw: Any, frame: Frame, boxes: list[np.ndarray | None], window: Window, taken: list[tuple]) -> None:
    """Class names on dark plates right, left, above or below their boxes, where they cover nothing in ``taken``, no box and no other name; else left
    out."""
    size = 12
    colors = frame_colors(frame)
    taken = [*taken, *((*corners.min(axis=0), *corners.max(axis=0)) for corners in boxes if corners is not None)]
    for name, corners in zip(frame.objects.class_name, boxes, strict=True):
        if corners is None:
            continue
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        length, x, y = font(size).getlength(plain(name)), (left + right) / 2, (top + bottom) / 2
        places = [(right + 6, y), (left - 6 - length, y), (x - length / 2, top - 11), (x - length / 2, bottom + 11)]
        for px, py in [*places, *((px, y + dy) for dy in (-14, 14, -28, 28) for px in (right + 6, left - 6 - length))]:
            area = (px - 2, py - size / 2 - 1, px + length + 2, py + size / 2 + 1)
            inside = area[0] >= 2 and area[1] >= 2 and area[2] <= window.width - 2 and area[3] <= window.height - 2
            if inside and not any(area[0] < t[2] and t[0] < area[2] and area[1] < t[3] and t[1] < area[3] for t in taken):
                taken.append(area)
                draw.rectangle(area, fill=VOID)
                write(draw, (px, py), name, size, colors[name], anchor="lm")
                break
