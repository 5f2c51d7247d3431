"""What each sensor sees of each object: visible and alone counts, boxes, occlusion and truncation, counted in kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.frames import Intrinsics, ObjectView
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import BLOCK, Scene
from tailgate.render.raytrace.camera_kernels import Camera, camera_direction, camera_origin
from tailgate.render.raytrace.lidar_kernels import Spin, firing_direction, firing_origin
from tailgate.render.raytrace.scene import DeviceScene, Tables
from tailgate.render.raytrace.shading import FAR
from tailgate.render.raytrace.surface import alone_entry

wp.set_module_options({"enable_backward": False})

BEYOND = 1.0
"""An object is followed this many image widths and heights beyond the image on each side."""
OUTSIDE_PIXELS = 65536
"""Above this many pixels outside the image an object's outer part is counted on a coarser grid."""


@wp.struct
class Window:
    """A grid of pixels to test one object on: first pixel, size, stride, the object's instance and its row of the result. ``inner`` is 1 for
    the part inside the image; otherwise pixels inside the image are passed over. ``first`` is the window's first thread."""

    x: wp.int32
    y: wp.int32
    width: wp.int32
    stride: wp.int32
    instance: wp.int32
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
def window_of(windows: wp.array(dtype=Window), thread: int) -> int:
    """Last window whose first thread is not after ``thread``."""
    low = int(0)  # noqa: UP018
    high = int(windows.shape[0] - 1)
    while low < high:
        middle = (low + high + 1) / 2
        if windows[middle].first <= thread:
            low = middle
        else:
            high = middle - 1
    return low


@wp.kernel
def alone_kernel(
    scene: Scene, tables: Tables, camera: Camera, windows: wp.array(dtype=Window), count: wp.array2d(dtype=wp.int32), box: wp.array2d(dtype=wp.int32)
):
    """Test each pixel of each window against its object alone; count (inside, outside the image) and bound what is hit."""
    k = wp.tid()
    window = windows[window_of(windows, k)]
    cell = k - window.first
    x = window.x + (cell % window.width) * window.stride
    y = window.y + (cell / window.width) * window.stride
    within = x >= 0 and y >= 0 and x < camera.width and y < camera.height
    if window.inner == 0 and within:
        return
    direction = camera_direction(camera, float(x), float(y))
    if alone_entry(scene, tables, window.instance, camera_origin(camera, float(y)), direction, FAR) < 0.0:
        return
    wp.atomic_add(count, window.row, 1 - window.inner, window.stride * window.stride)
    wp.atomic_min(box, window.row, 0, x)
    wp.atomic_min(box, window.row, 1, y)
    wp.atomic_max(box, window.row, 2, x)
    wp.atomic_max(box, window.row, 3, y)


@wp.kernel
def alone_rays_kernel(scene: Scene, tables: Tables, spin: Spin, around: int, windows: wp.array(dtype=Window), count: wp.array(dtype=wp.int32)):
    """Test each firing of each window (x = column, y = beam) against its object alone. ``around`` is the columns of a whole turn."""
    k = wp.tid()
    window = windows[window_of(windows, k)]
    cell = k - window.first
    column = (window.x + cell % window.width) % around
    if column >= spin.columns:
        return
    firing = (cell / window.width) * spin.columns + column
    if spin.live[firing] == 0:
        return
    t = alone_entry(scene, tables, window.instance, firing_origin(spin, firing), firing_direction(spin, firing, 0.0, 0.0), spin.range_max)
    if t >= spin.range_min:
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
    wp.launch(count_kernel, dim=mover.shape[0], inputs=[mover, width], outputs=[count, box], device=device)
    return count.numpy()[seen.mover], box.numpy()[seen.mover]


def image_boxes(seen: Seen, camera: Intrinsics, T_world_camera: np.ndarray) -> np.ndarray:
    """Pixel bounds of each object's box, widened by a pixel and cut ``BEYOND`` the image; int [N, 4], x_max < x_min where it lies behind."""
    T = np.linalg.inv(T_world_camera)
    local = seen.corners() @ T[:3, :3].T + T[:3, 3]
    near = 0.01
    bounds = np.tile([np.inf, np.inf, -np.inf, -np.inf], (len(local), 1))
    for a, b, share in _outline(camera):
        p, q = local[:, a], local[:, b]
        with np.errstate(divide="ignore", invalid="ignore"):
            cut = np.where((p[:, 2] < near) != (q[:, 2] < near), (near - p[:, 2]) / (q[:, 2] - p[:, 2]), 0.0)
        start, end = p + np.where(p[:, 2] < near, cut, 0.0)[:, None] * (q - p), p + np.where(q[:, 2] < near, cut, 1.0)[:, None] * (q - p)
        point = start + share * (end - start)
        valid = point[:, 2] >= near * 0.999
        u, v = _image_point(camera, point / np.where(valid, point[:, 2], 1.0)[:, None])
        u, v = np.where(valid, u, np.nan), np.where(valid, v, np.nan)
        bounds[:, :2] = np.fmin(bounds[:, :2], np.stack([u, v], 1))
        bounds[:, 2:] = np.fmax(bounds[:, 2:], np.stack([u, v], 1))
    low = [-BEYOND * camera.width, -BEYOND * camera.height]
    high = [(1 + BEYOND) * camera.width - 1, (1 + BEYOND) * camera.height - 1]
    out = np.empty((len(local), 4), np.int64)
    out[:, :2] = np.floor(np.clip(np.nan_to_num(bounds[:, :2] - 1, posinf=1e9), low, np.array(high) + 1))
    out[:, 2:] = np.ceil(np.clip(np.nan_to_num(bounds[:, 2:] + 1, neginf=-1e9), np.array(low) - 1, high))
    return out


EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
"""Pairs of corners that an edge of a box joins."""
BEND = 17
"""Points along an edge where the lens bends it."""


def _outline(camera: Intrinsics) -> list[tuple[int, int, float]]:
    """Points that bound the image of a box: (corner, corner, share of the way). A pinhole keeps edges straight: their ends do."""
    return [(a, b, s) for a, b in EDGES for s in np.linspace(0.0, 1.0, BEND if camera.distortion else 2)]


def _image_point(camera: Intrinsics, ray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image points of rays [n, 3] at unit depth; what the lens does not image lies far out in its direction."""
    u, v = camera.project(ray[:, 0], ray[:, 1])
    out = 1e9 * ray[:, :2] / np.maximum(np.linalg.norm(ray[:, :2], axis=1, keepdims=True), 1e-9)
    return np.where(np.isnan(u), out[:, 0], u), np.where(np.isnan(v), out[:, 1], v)


def camera_windows(boxes: np.ndarray, camera: Intrinsics, seen: Seen) -> list[tuple]:
    """One window per object for the part of its box inside the image and one for the part outside: Window's fields with the height in place
    of ``first``."""
    out = []
    for row, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        if x1 < x0 or y1 < y0:
            continue
        ix0, iy0, ix1, iy1 = max(x0, 0), max(y0, 0), min(x1, camera.width - 1), min(y1, camera.height - 1)
        inside = max(ix1 - ix0 + 1, 0) * max(iy1 - iy0 + 1, 0)
        if inside:
            out.append((ix0, iy0, ix1 - ix0 + 1, 1, int(seen.instance[row]), row, 1, iy1 - iy0 + 1))
        width, height = x1 - x0 + 1, y1 - y0 + 1
        if width * height > inside:
            stride = max(1, int(np.ceil(np.sqrt((width * height - inside) / OUTSIDE_PIXELS))))
            out.append((x0, y0, -(-width // stride), stride, int(seen.instance[row]), row, 0, -(-height // stride)))
    return out


def pack(windows: list[tuple], device: str) -> tuple[wp.array, int]:
    """Windows on the device and their total number of threads."""
    table = np.array(windows, np.int64).reshape(-1, 8)
    threads = table[:, 2] * table[:, 7]
    rows = np.zeros(len(table), Window.numpy_dtype())
    for k, name in enumerate(("x", "y", "width", "stride", "instance", "row", "inner")):
        rows[name] = table[:, k]
    rows["first"] = np.cumsum(threads) - threads
    return wp.array(rows, dtype=Window, device=device), int(threads.sum())


def look_with_camera(scene: DeviceScene, camera: Camera, intrinsics: Intrinsics, poses: np.ndarray, seen: Seen, mover: wp.array) -> ObjectView:
    """View of each object through a camera; ``poses`` [2, 4, 4] of the first and the last row, ``mover`` is the image of mover rows."""
    n, device = len(seen.mover), mover.device
    visible, tight = count_visible(mover, intrinsics.width, seen, device)
    first, last = (image_boxes(seen, intrinsics, pose) for pose in poses)
    bounds = np.concatenate([np.minimum(first, last)[:, :2], np.maximum(first, last)[:, 2:]], axis=1)
    windows, threads = pack(camera_windows(bounds, intrinsics, seen), device)
    count = wp.zeros((max(n, 1), 2), dtype=wp.int32, device=device)
    box = wp.array(np.tile(EMPTY_BOX, (max(n, 1), 1)), dtype=wp.int32, device=device)
    if threads:
        inputs = [scene.scene, scene.tables, camera, windows]
        wp.launch(alone_kernel, dim=threads, inputs=inputs, outputs=[count, box], device=device, block_dim=BLOCK)
    inside, outside = count.numpy()[:n, 0], count.numpy()[:n, 1]
    loose = box.numpy()[:n].astype(np.float32)
    loose = np.clip(loose, 0, np.array([intrinsics.width - 1, intrinsics.height - 1] * 2))
    loose[inside == 0] = -1
    tight = np.where(visible[:, None] > 0, tight, -1)
    everything = inside + outside
    truncated = np.where(everything > 0, outside / np.maximum(everything, 1), 0.0)
    return view(seen, poses[0], (visible, inside, truncated), (tight, loose))


def look_with_lidar(scene: DeviceScene, spin: Spin, beams: int, pose: np.ndarray, seen: Seen, mover: wp.array) -> ObjectView:
    """View of each object by a spinning LiDAR; ``mover`` holds the mover row of each firing."""
    n, device = len(seen.mover), mover.device
    visible, _ = count_visible(mover, spin.columns, seen, device)
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
    rows = [(int(first[k]), 0, int(width[k]), 1, int(seen.instance[k]), k, 1, beams) for k in range(n) if near[k]]
    windows, threads = pack(rows, device)
    count = wp.zeros(max(n, 1), dtype=wp.int32, device=device)
    if threads:
        inputs = [scene.scene, scene.tables, spin, around, windows]
        wp.launch(alone_rays_kernel, dim=threads, inputs=inputs, outputs=[count], device=device, block_dim=BLOCK)
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
