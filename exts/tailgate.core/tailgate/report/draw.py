"""Pictures of one frame: arrays in, RGB uint8 [H, W, 3] out. Nothing here changes a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tailgate.frames import Frame, SensorFrame, host
from tailgate.report.palette import FAINT, INK, LOST, PANEL, VOID, Color, class_colors, color_map, fit, font, plain, write

GOLDEN = 0.6180339887498949
"""Golden section: its multiples, modulo 1, are spread evenly however many there are."""


def frame_colors(frame: Frame) -> dict[str, Color]:
    """Colour of every class that a frame may show."""
    return class_colors([*(name for name, i in frame.labels.items() if i), *frame.objects.class_name])


def alike(frames: Sequence[Frame]) -> list[Frame]:
    """The same frames, each knowing the class names of all (a name it lacks has id -1), so that a class has one colour in all their pictures."""
    names = dict.fromkeys((n for f in frames for n in sorted({*(k for k, i in f.labels.items() if i), *f.objects.class_name})), -1)
    return [replace(frame, labels={**names, **frame.labels}) for frame in frames]


@dataclass(frozen=True)
class Limits:
    """Ends of a distance scale [m]; distances are shown on a logarithmic scale between them."""

    near: float
    far: float

    @classmethod
    def of(cls, *distances: np.ndarray) -> Limits:
        """Limits that hold 98 % of the positive finite distances."""
        values = np.concatenate([d[np.isfinite(d) & (d > 0)].ravel() for d in map(host, distances)])
        if values.size == 0:
            return cls(1.0, 100.0)
        near, far = (float(q) for q in np.quantile(values, [0.01, 0.99]))
        return cls(max(near, 1e-3), max(far, near * 1.05, 2e-3))

    def share(self, distance: np.ndarray) -> np.ndarray:
        """1 at the near end, 0 at the far end, NaN where there is no distance."""
        valid = np.isfinite(distance) & (distance > 0)
        scaled = np.log(np.where(valid, distance, 1.0) / self.near) / np.log(self.far / self.near)
        return np.where(valid, 1 - np.clip(scaled, 0, 1), np.nan)

    def words(self, *distances: np.ndarray) -> str:
        """The scale for a title; ``none`` where no distance is shown."""
        return str(self) if any((np.isfinite(d) & (d > 0)).any() for d in map(host, distances)) else "none"

    def __str__(self) -> str:
        return f"{self.near:.3g}-{self.far:.3g} m"


def resize(image: np.ndarray, width: int, height: int, smooth: bool = True) -> np.ndarray:
    """Scale an image to ``width`` x ``height`` [px]; ``smooth`` false keeps hard edges (labels, single beams)."""
    import cv2

    shrinks = width < image.shape[1]
    how = (cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR) if smooth else cv2.INTER_NEAREST
    return cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=how)


def rgb(camera: SensorFrame) -> np.ndarray:
    """The colour image without its alpha channel."""
    return np.ascontiguousarray(host(camera.channel("rgb"))[..., :3])


def depth(camera: SensorFrame, limits: Limits | None = None, channel: str = "distance_to_image_plane") -> np.ndarray:
    """Depth, near bright and far dark, without a value almost black."""
    distance = host(camera.channel(channel))
    return color_map((limits or Limits.of(distance)).share(distance))


def semantic(camera: SensorFrame, labels: Mapping[str, int]) -> np.ndarray:
    """Semantic labels in the class palette; background dark, instances apart by a thin dark line where the channel is there."""
    ids = host(camera.channel("semantic_segmentation"))
    out = label_colors(ids, labels)
    if "instance_segmentation" in camera.channels:
        out[edges(host(camera.channels["instance_segmentation"]))] = VOID
    return out


def label_colors(ids: np.ndarray, labels: Mapping[str, int]) -> np.ndarray:
    """Colour of each semantic id, uint8 [..., 3]; 0 is background, ids without a name are grey."""
    named = {name: i for name, i in labels.items() if i}
    top = max([int(ids.max(initial=0)), *named.values()])
    if top > 65535:
        known, inverse = np.unique(ids, return_inverse=True)
        remap = {int(v): i + 1 for i, v in enumerate(known) if v}
        names = {name: remap.get(i, -1) for name, i in named.items()}
        return label_colors(np.array([remap.get(int(v), 0) for v in known])[inverse].reshape(ids.shape), names)
    table = np.full((top + 1, 3), FAINT, dtype=np.uint8)
    table[0] = PANEL
    for name, color in class_colors(named).items():
        if named[name] > 0:
            table[named[name]] = color
    return table[ids]


def edges(ids: np.ndarray) -> np.ndarray:
    """Pixels whose right or lower neighbour belongs to another instance, bool [H, W]."""
    out = np.zeros(ids.shape, dtype=bool)
    out[:, :-1] |= ids[:, :-1] != ids[:, 1:]
    out[:-1] |= ids[:-1] != ids[1:]
    return out


def overlay(frame: Frame, sensor: str, width: int | None = None) -> np.ndarray:
    """The colour image with a tint per instance, tight 2-D boxes and class names, far objects first.

    Args:
        frame: a frame with camera ``sensor``.
        sensor: its name.
        width: width of the picture [px], the image's own by default; boxes and text are drawn after scaling, so that they stay sharp.
    """
    from PIL import Image, ImageDraw

    camera = frame.sensors[sensor]
    base = rgb(camera)
    scale = (width or base.shape[1]) / base.shape[1]
    size = (round(base.shape[1] * scale), round(base.shape[0] * scale))
    colors = frame_colors(frame)
    image = resize(_tinted(frame, camera, base, colors), *size)
    picture = Image.fromarray(image)
    draw, tags = ImageDraw.Draw(picture), []
    for row in np.argsort(-np.nan_to_num(camera.view.range), kind="stable"):
        box = (np.asarray(camera.view.bbox_tight[row], dtype=float) + [0, 0, 1, 1]) * scale
        if camera.view.bbox_tight[row][0] < 0:
            continue
        name = frame.objects.class_name[row]
        draw.rectangle([*box[:2], *np.maximum(box[2:] - 1, box[:2])], outline=colors[name], width=max(1, round(size[0] / 320)))
        text = f"{name} {camera.view.range[row]:.0f} m" if size[0] >= 480 else name
        _tag(draw, box, (text, colors[name]), size, tags)
    return np.asarray(picture)


def _tinted(frame: Frame, camera: SensorFrame, base: np.ndarray, colors: Mapping[str, Color]) -> np.ndarray:
    if "instance_segmentation" not in camera.channels or not len(frame.objects):
        return base
    ids = host(camera.channels["instance_segmentation"])
    out = base.astype(np.float32)
    for instance, name in zip(frame.objects.instance, frame.objects.class_name, strict=True):
        mask = ids == np.uint32(instance)
        out[mask] = 0.7 * out[mask] + 0.3 * np.asarray(colors[name], dtype=np.float32)
    return np.round(out).astype(np.uint8)


def _tag(draw: Any, box: np.ndarray, tag: tuple[str, Color], size: tuple[int, int], taken: list[tuple]) -> None:
    """A class name on its colour, above the box, inside its upper edge, below or higher up: where it covers none of ``taken``, the names before."""
    text, color = tag
    height = max(10, min(15, size[0] // 36))
    length = font(height).getlength(plain(text)) + 6
    left = float(np.clip(box[0], 0, max(0, size[0] - length)))
    step = height + 4
    places = [y for y in (box[1] - step, box[1], box[3], box[1] - 2 * step, box[1] + step, box[1] - 3 * step) if 0 <= y <= size[1] - step]
    places = places or [float(np.clip(box[1], 0, max(0, size[1] - step)))]
    free = (y for y in places if not any(left < t[2] and t[0] < left + length and y < t[3] and t[1] < y + step for t in taken))
    top = next(free, places[0])
    taken.append((left, top, left + length, top + step))
    draw.rectangle([left, top, left + length, top + height + 3], fill=color)
    write(draw, (left + 3, top + height / 2 + 1.5), text, height, VOID, anchor="lm")


def echo_words(lidar: SensorFrame) -> str:
    """Which echo panoramas show, where there are several."""
    return ", strongest echo" if host(lidar.channel("range")).shape[2] > 1 else ""


def scan_order(lidar: SensorFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows from the highest beam to the lowest and columns from the left (+180 deg) over straight ahead to the right, of a LiDAR mounted upside down
    as well."""
    upright = -1.0 if lidar.T_world_sensor[0][2, 2] < 0 else 1.0
    azimuth, elevation = (upright * np.deg2rad(host(lidar.channel(c)).astype(np.float64)) for c in ("azimuth", "elevation"))
    across = np.arctan2(np.sin(azimuth).mean(axis=0), np.cos(azimuth).mean(axis=0))
    return np.argsort(-elevation.mean(axis=1), kind="stable"), np.argsort(-across, kind="stable")


def scan(lidar: SensorFrame, channel: str) -> np.ndarray:
    """A channel of the first listed return, the strongest, as a panorama [beams, columns], high beams on top and straight ahead in the middle; no
    return = 0, for where the strongest is lost the next does not step in."""
    values, hit = host(lidar.channel(channel))[..., 0], host(lidar.channel("range"))[..., 0] > 0
    return np.where(hit, values, 0)[np.ix_(*scan_order(lidar))]


def lidar_range(lidar: SensorFrame, width: int = 1024, height: int = 192, limits: Limits | None = None) -> np.ndarray:
    """Range panorama stretched to ``width`` x ``height`` [px]; no return almost black."""
    distance = scan(lidar, "range")
    return panorama(color_map((limits or Limits.of(distance)).share(distance)), width, height)


def brightest(lidar: SensorFrame) -> float:
    """99th percentile of the returns' intensity, above 0."""
    distance, intensity = scan(lidar, "range"), scan(lidar, "intensity").astype(np.float64)
    return max(float(np.quantile(intensity[distance > 0], 0.99)), 1e-6) if (distance > 0).any() else 1.0


def lidar_intensity(lidar: SensorFrame, width: int = 1024, height: int = 192, top: float | None = None) -> np.ndarray:
    """Intensity panorama on a square-root scale from 0 to ``top``, by default ``brightest``; no return almost black."""
    distance, intensity, top = scan(lidar, "range"), scan(lidar, "intensity").astype(np.float64), top or brightest(lidar)
    share = np.where(distance > 0, np.sqrt(np.clip(intensity / top, 0, 1)), -np.inf)
    return panorama(color_map(share, "magma"), width, height)


def panorama(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Stretch an image [beams, columns, 3] to ``width`` x ``height`` [px]. Of columns that share a pixel one shows, now an early, now a late one, so
    that noise, losses and patterns among columns are seen as often as they are there; the nearest or the brightest of them would hide that."""
    pixel = np.arange(min(width, image.shape[1]))
    turn = (pixel * GOLDEN) % 1.0 if image.shape[1] > width else 0.0
    return resize(image[:, ((pixel + turn) * image.shape[1] / len(pixel)).astype(int)], width, height, smooth=False)


def signed_change(before: np.ndarray, after: np.ndarray, scale: float) -> np.ndarray:
    """What an effect did to a distance: orange = farther, blue = nearer, saturated at ``scale`` [m]; lost returns LOST, gained ones almost white."""
    before, after = host(before).astype(np.float64), host(after).astype(np.float64)
    had, has = (np.isfinite(d) & (d > 0) for d in (before, after))
    both = had & has
    share = np.where(both, 0.5 + 0.5 * (np.where(both, after, 0) - np.where(both, before, 0)) / max(scale, 1e-9), np.nan)
    out = color_map(share, "coolwarm")
    out[~had & has], out[had & ~has] = INK, LOST
    return out


def legend(names: Mapping[str, int] | list[str], width: int = 640, background: Color = PANEL) -> np.ndarray:
    """Class colours with their names, in as many lines as ``width`` [px] needs."""
    from PIL import Image, ImageDraw

    colors = class_colors(names)
    size, pad, line = 14, 12, 24
    places, x, y = [], pad, 0
    for name in sorted(colors):
        length = font(size).getlength(fit(name, size, width - 3 * pad)) + 40
        if x > pad and x + length > width:
            x, y = pad, y + line
        places.append((x, y, name))
        x += length
    picture = Image.new("RGB", (width, y + line + 8), background)
    draw = ImageDraw.Draw(picture)
    for x, y, name in places:
        draw.rounded_rectangle([x, y + 9, x + 14, y + 23], 3, fill=colors[name])
        write(draw, (x + 20, y + 16), fit(name, size, width - 3 * pad), size, INK, anchor="lm")
    return np.asarray(picture)
