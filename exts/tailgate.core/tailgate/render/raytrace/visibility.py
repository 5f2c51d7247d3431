"""What each sensor sees of each object: visible and alone counts, boxes, occlusion and truncation, counted in kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.frames import Intrinsics, ObjectView
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene, launch, strips
from tailgate.render.raytrace.camera_kernels import Camera, along_axis, camera_direction, camera_origin
from tailgate.render.raytrace.lidar_kernels import Spin, firing_origin, ray_direction
from tailgate.render.raytrace.scene import DeviceScene, Tables
from tailgate.render.raytrace.shading import FAR
from tailgate.render.raytrace.surface import alone_entry

wp.set_module_options({"enable_backward": False})

BEYOND = 4.0
"""An object is followed this many times the longer side of the image beyond the image on each side; what lies further out is not counted."""
OUTSIDE_PIXELS = 65536
"""Above this many pixels outside the image an object's outer part is counted on a coarser grid."""


@wp.struct
class Window:
    """A grid of pixels to test one object on: first pixel, size, stride, the object's instance, mover and row of the result. ``inner`` is 1 for
    the part inside the image; otherwise pixels inside the image are passed over. ``first`` is the window's first cell of all windows' cells."""

    x: wp.int32
    y: wp.int32
    width: wp.int32
    stride: wp.int32
    instance: wp.int32
    mover: wp.int32
    row: wp.int32
    inner: wp.int32
    first: wp.int32


@wp.kernel
def count_kernel(mover: wp.array(dtype=wp.int32), width: int, count: wp.array(dtype=wp.int32), box: wp.array2d(dtype=wp.int32)):
    """Count the pixels of each mover and bound them (x_min, y_min, x_max, y_max)."""
    k = wp.tid()
    m = mover[k]
    if m >= 0:
        wp.atomic_add(count, m, 1)
        wp.atomic_min(box, m, 0, k % width)
        wp.atomic_min(box, m, 1, k / width)
        wp.atomic_max(box, m, 2, k % width)
        wp.atomic_max(box, m, 3, k / width)


@wp.func
def window_of(windows: wp.array(dtype=Window), cell: int) -> int:
    """Last window whose first cell is not after ``cell``."""
    low = int(0)  # noqa: UP018
    high = int(windows.shape[0] - 1)
    while low < high:
        middle = (low + high + 1) / 2
        if windows[middle].first <= cell:
            low = middle
        else:
            high = middle - 1
    return low


@wp.kernel
def alone_kernel(
    scene: Scene, tables: Tables, camera: Camera, mover: wp.array(dtype=wp.int32), windows: wp.array(dtype=Window), cells: int, strip: int,
    count: wp.array2d(dtype=wp.int32), box: wp.array2d(dtype=wp.int32),
):  # fmt: skip
    """Test each pixel of each window against its object alone, if ``mover`` does not show it there; count (inside, outside the image) and bound what
    is hit. The black around a fisheye's circle is outside and bounds nothing. A thread works through ``strip`` pixels."""
    at = window_of(windows, wp.tid() * strip)
    for k in range(wp.tid() * strip, wp.min((wp.tid() + 1) * strip, cells)):
        while at + 1 < windows.shape[0] and windows[wp.min(at + 1, windows.shape[0] - 1)].first <= k:
            at += 1
        window = windows[at]
        x = window.x + (k - window.first) % window.width * window.stride
        y = window.y + (k - window.first) / window.width * window.stride
        inside = x >= 0 and y >= 0 and x < camera.width and y < camera.height
        if window.inner == 1 or not inside:
            met = bool(False)  # noqa: UP018
            if inside:
                met = mover[y * camera.width + x] == window.mover
            shown = bool(inside)
            if not met:
                direction = camera_direction(camera, float(x), float(y))
                shown = inside and along_axis(camera, direction, float(y)) >= camera.fisheye.edge
                met = alone_entry(scene, tables, window.instance, camera_origin(camera, float(y)), direction, FAR, 0) >= 0.0
            if met:
                wp.atomic_add(count, window.row, wp.where(shown, 0, 1), window.stride * window.stride)
            if met and (shown or not inside):
                wp.atomic_min(box, window.row, 0, x)
                wp.atomic_min(box, window.row, 1, y)
                wp.atomic_max(box, window.row, 2, x)
                wp.atomic_max(box, window.row, 3, y)


@wp.kernel
def count_firings_kernel(mover: wp.array2d(dtype=wp.int32), count: wp.array(dtype=wp.int32)):
    """Count the firings of which any ray meets a mover."""
    k = wp.tid()
    for i in range(mover.shape[1]):
        new = mover[k, i] >= 0
        for j in range(i):
            new = new and mover[k, j] != mover[k, i]
        if new:
            wp.atomic_add(count, mover[k, i], 1)


@wp.kernel
def alone_rays_kernel(
    scene: Scene, tables: Tables, spin: Spin, around: int, mover: wp.array2d(dtype=wp.int32), windows: wp.array(dtype=Window), cells: int, strip: int,
    count: wp.array(dtype=wp.int32),
):  # fmt: skip
    """Test the rays of each firing of each window (x = column, y = beam) against its object alone, if ``mover`` does not show it there, through its
    panes as the light goes. ``around`` is the columns of a whole turn."""
    at = window_of(windows, wp.tid() * strip)
    for k in range(wp.tid() * strip, wp.min((wp.tid() + 1) * strip, cells)):
        while at + 1 < windows.shape[0] and windows[wp.min(at + 1, windows.shape[0] - 1)].first <= k:
            at += 1
        window = windows[at]
        column = (window.x + (k - window.first) % window.width) % around
        firing = (k - window.first) / window.width * spin.columns + column
        if column < spin.columns and spin.live[firing] == 1:
            met = bool(False)  # noqa: UP018
            for i in range(mover.shape[1]):
                met = met or mover[firing, i] == window.mover
            for i in range(mover.shape[1]):
                if not met:
                    direction = ray_direction(spin, firing, i, mover.shape[1])
                    t = alone_entry(scene, tables, window.instance, firing_origin(spin, firing), direction, spin.range_max, 1)
                    met = t >= spin.range_min
            if met:
                wp.atomic_add(count, window.row, 1)


@dataclass(frozen=True)
class Seen:
    """The objects to look for.

    Attributes:
        mover: mover row of each object, int [N].
        instance: tracer instance of each object, int [N].
        T_world_box, size: as in ``tailgate.frames.Objects``.
        movers: number of movers in the scene.
    """

    mover: np.ndarray
    instance: np.ndarray
    T_world_box: np.ndarray
    size: np.ndarray
    movers: int

    def corners(self) -> np.ndarray:
        """Corners of the boxes in the world, [N, 8, 3]."""
        signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        local = signs[None] * self.size[:, None]
        return local @ np.transpose(self.T_world_box[:, :3, :3], (0, 2, 1)) + self.T_world_box[:, None, :3, 3]


EMPTY_BOX = np.array([2**30, 2**30, -1 - 2**30, -1 - 2**30], np.int32)


def count_visible(mover: wp.array, width: int, seen: Seen, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels per object in an image of mover rows and their bounds, int32 [N] and [N, 4]."""
    count = wp.zeros(max(seen.movers, 1), dtype=wp.int32, device=device)
    box = wp.array(np.tile(EMPTY_BOX, (max(seen.movers, 1), 1)), dtype=wp.int32, device=device)
    launch(count_kernel, mover.shape[0], [mover, width], [count, box], device)
    return count.numpy()[seen.mover], box.numpy()[seen.mover]


def image_boxes(seen: Seen, camera: Intrinsics, T_world_camera: np.ndarray) -> np.ndarray:
    """Pixel bounds of each object's box, widened by a pixel and cut ``BEYOND`` the image; int [N, 4], x_max < x_min where it lies behind."""
    T = np.linalg.inv(T_world_camera)
    local = seen.corners() @ T[:3, :3].T + T[:3, 3]
    if camera.distortion and camera.distortion.fisheye:
        return _pixel_bounds(*_fisheye_bounds(local, camera), camera)
    near = 0.01
    p, q = local[:, EDGES[:, 0]], local[:, EDGES[:, 1]]
    behind_p, behind_q = p[..., 2] < near, q[..., 2] < near
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = np.where(behind_p != behind_q, (near - p[..., 2]) / (q[..., 2] - p[..., 2]), 0.0)
    start, end = p + np.where(behind_p, cut, 0.0)[..., None] * (q - p), p + np.where(behind_q, cut, 1.0)[..., None] * (q - p)
    share = np.linspace(0.0, 1.0, BEND if camera.distortion else 2)[:, None]
    point = (start[:, :, None] + share * (end - start)[:, :, None]).reshape(len(local), len(EDGES) * len(share), 3)
    valid = point[..., 2] >= near * 0.999
    uv = _image_point(camera, point / np.where(valid, point[..., 2], 1.0)[..., None])
    return _pixel_bounds(np.where(valid[..., None], uv, np.inf).min(1), np.where(valid[..., None], uv, -np.inf).max(1), camera)


def _fisheye_bounds(corners: np.ndarray, camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Bounds [N, 2] [px] of boxes by their corners [N, 8, 3] in the camera's frame; without end for one that is all around or right behind."""
    share = np.linspace(0.0, 1.0, 2 * BEND)[:, None]
    start, end = corners[:, EDGES[:, 0], None], corners[:, EDGES[:, 1], None]
    uv = camera.image_points(start + share * (end - start), beyond=True).reshape(len(corners), len(EDGES) * len(share), 2)
    centre = corners.mean(1)
    distance, radius = np.linalg.norm(centre, axis=1), np.linalg.norm(corners - centre[:, None], axis=2).max(1)
    behind = np.arctan2(np.hypot(centre[:, 0], centre[:, 1]), centre[:, 2]) + np.arcsin(np.clip(radius / np.maximum(distance, 1e-9), 0, 1)) >= np.pi
    around = (behind | (distance <= radius))[:, None]
    return np.where(around, -np.inf, uv.min(1)), np.where(around, np.inf, uv.max(1))


def _pixel_bounds(first: np.ndarray, last: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """Bounds widened by a pixel and cut ``BEYOND`` the image, int [N, 4]."""
    margin = BEYOND * max(camera.width, camera.height)
    low, high = np.array([-margin, -margin]), np.array([camera.width + margin - 1, camera.height + margin - 1])
    return np.concatenate([np.floor(np.clip(first - 1, low, high + 1)), np.ceil(np.clip(last + 1, low - 1, high))], 1).astype(np.int64)


EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1])
"""Pairs of corners that an edge of a box joins, [12, 2]."""
MOMENTS = 5
"""Poses during a readout at which an object's place in the image is looked up; what is passed by comes and goes between the first and the last."""
BEND = 17
"""Points along an edge where the lens bends it; a pinhole keeps it straight and its ends do."""


def _image_point(camera: Intrinsics, ray: np.ndarray) -> np.ndarray:
    """Image points [..., 2] of rays [..., 3] at unit depth; what the lens does not image lies far out in its direction."""
    uv = np.stack(camera.project(ray[..., 0], ray[..., 1]), -1)
    out = 1e9 * ray[..., :2] / np.maximum(np.linalg.norm(ray[..., :2], axis=-1, keepdims=True), 1e-9)
    return np.where(np.isnan(uv), out, uv)


def camera_windows(boxes: np.ndarray, camera: Intrinsics, seen: Seen) -> np.ndarray:
    """One window per object for the part of its box inside the image and one for the part outside, int64 [W, 9]: Window's fields with the height
    in place of ``first``."""
    row = np.flatnonzero((boxes[:, 2:] >= boxes[:, :2]).all(1))
    first, size = boxes[row, :2], boxes[row, 2:] - boxes[row, :2] + 1
    inner = np.maximum(first, 0)
    inner_size = np.maximum(np.minimum(boxes[row, 2:], [camera.width - 1, camera.height - 1]) - inner + 1, 0)
    inside, instance = inner_size.prod(1), seen.instance[row]
    outside, mover = size.prod(1) - inside, seen.mover[row]
    stride = np.maximum(np.ceil(np.sqrt(outside / OUTSIDE_PIXELS)).astype(np.int64), 1)
    coarse = -(-size // stride[:, None])
    one = np.ones_like(row)
    within = np.stack([*inner.T, inner_size[:, 0], one, instance, mover, row, one, inner_size[:, 1]], 1)
    around = np.stack([*first.T, coarse[:, 0], stride, instance, mover, row, 0 * one, coarse[:, 1]], 1)
    return np.concatenate([within[inside > 0], around[outside > 0]])


def pack(windows: np.ndarray, device: str) -> tuple[wp.array, int]:
    """Windows [W, 9] of ``camera_windows`` on the device and their total number of cells."""
    cells = windows[:, 2] * windows[:, 8]
    rows = np.zeros(len(windows), Window.numpy_dtype())
    for k, name in enumerate(("x", "y", "width", "stride", "instance", "mover", "row", "inner")):
        rows[name] = windows[:, k]
    rows["first"] = np.cumsum(cells) - cells
    return wp.array(rows, dtype=Window, device=device), int(cells.sum())


def look_with_camera(scene: DeviceScene, camera: Camera, intrinsics: Intrinsics, poses: np.ndarray, seen: Seen, mover: wp.array) -> ObjectView:
    """View of each object through a camera; ``poses`` [2, 4, 4] of the first and the last row, ``mover`` is the image of mover rows."""
    n, device = len(seen.mover), mover.device
    visible, tight = count_visible(mover, intrinsics.width, seen, device)
    bounds = image_boxes(seen, intrinsics, poses[0])
    if not np.array_equal(*poses):
        passing = [image_boxes(seen, intrinsics, pose) for pose in np.linspace(*poses, MOMENTS)[1:]]
        every = np.stack([bounds, *passing, np.where(visible[:, None] > 0, tight, EMPTY_BOX)])
        bounds = np.concatenate([every[..., :2].min(0), every[..., 2:].max(0)], axis=1)
    windows, cells = pack(camera_windows(bounds, intrinsics, seen), device)
    count = wp.zeros((max(n, 1), 2), dtype=wp.int32, device=device)
    box = wp.array(np.tile(EMPTY_BOX, (max(n, 1), 1)), dtype=wp.int32, device=device)
    if cells:
        dim, strip = strips(cells, device)
        inputs = [scene.scene, scene.tables, camera, mover, windows, cells, strip]
        launch(alone_kernel, dim, inputs, [count, box], device)
    inside, outside = count.numpy()[:n, 0], count.numpy()[:n, 1]
    loose = box.numpy()[:n].astype(np.float32)
    loose = np.clip(loose, 0, np.array([intrinsics.width - 1, intrinsics.height - 1] * 2))
    loose[inside == 0] = -1
    tight = np.where(visible[:, None] > 0, tight, -1)
    everything = inside + outside
    truncated = np.where(everything > 0, outside / np.maximum(everything, 1), 0.0)
    return view(seen, poses[0], (visible, inside, truncated), (tight, loose))


def look_with_lidar(scene: DeviceScene, spin: Spin, beams: int, pose: np.ndarray, seen: Seen, mover: wp.array) -> ObjectView:
    """View of each object by a spinning LiDAR, in firings that have light from it; ``mover`` holds the mover row of each ray of each firing, -1 for
    none, [firings, rays]. Alone counts the same rays."""
    n, device = len(seen.mover), mover.device
    visible = wp.zeros(max(seen.movers, 1), dtype=wp.int32, device=device)
    launch(count_firings_kernel, mover.shape[0], [mover], [visible], device)
    visible = visible.numpy()[seen.mover]
    around = int(round(2 * np.pi / abs(spin.step)))
    centre = (seen.T_world_box[:, :3, 3] - pose[:3, 3]) @ pose[:3, :3]
    radius = np.linalg.norm(seen.size, axis=1) / 2
    flat = np.linalg.norm(centre[:, :2], axis=1)
    moved = float(np.linalg.norm(np.array(spin.moved)))
    reach = np.where(flat > radius + moved, np.arcsin(np.clip((radius + moved) / np.maximum(flat, 1e-9), 0, 1)), np.pi) + spin.slack + spin.turn_angle
    azimuth = np.arctan2(centre[:, 1], centre[:, 0])
    middle = (azimuth - spin.start) / spin.step
    half = np.minimum(np.ceil(reach / abs(spin.step)) + 1, around // 2)
    first = np.mod(np.round(middle - half), around).astype(np.int64)
    width = np.minimum(2 * half.astype(np.int64) + 1, around)
    near = np.linalg.norm(centre, axis=1) - radius - moved < spin.range_max
    one = np.ones_like(first)
    rows = np.stack([first, 0 * one, width, one, seen.instance, seen.mover, np.arange(n), one, beams * one], 1)
    windows, cells = pack(rows[near], device)
    count = wp.zeros(max(n, 1), dtype=wp.int32, device=device)
    if cells:
        dim, strip = strips(cells, device)
        inputs = [scene.scene, scene.tables, spin, around, mover, windows, cells, strip]
        launch(alone_rays_kernel, dim, inputs, [count], device)
    nothing = np.full((n, 4), -1.0)
    return view(seen, pose, (visible, count.numpy()[:n], np.zeros(n)), (nothing, nothing))


def view(seen: Seen, pose: np.ndarray, counts: tuple, boxes: tuple) -> ObjectView:
    """Assemble the table from (visible, alone, truncated) and (tight, loose); occluded is 1 where nothing of the object could be seen."""
    (visible, alone, truncated), (tight, loose) = counts, boxes
    occluded = np.where(alone > 0, 1.0 - visible / np.maximum(alone, 1), 1.0)
    return ObjectView(
        bbox_tight=tight.astype(np.float32),
        bbox_loose=loose.astype(np.float32),
        visible=visible.astype(np.int32),
        alone=alone.astype(np.int32),
        occluded=np.clip(occluded, 0, 1).astype(np.float32),
        truncated=truncated.astype(np.float32),
        range=np.linalg.norm(seen.T_world_box[:, :3, 3] - pose[:3, 3], axis=1).astype(np.float32),
    )
