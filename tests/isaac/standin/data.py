"""What each camera annotator hands out of a frame: dtype, layout and info as Replicator documents them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .products import Products
from .sim import sim
from .things import corners

BOX_2D = np.dtype([("semanticId", "<u4"), ("x_min", "<i4"), ("y_min", "<i4"), ("x_max", "<i4"), ("y_max", "<i4"), ("occlusionRatio", "<f4")])
BOX_3D = np.dtype(
    [("semanticId", "<u4"), *((f"{a}_{e}", "<f4") for e in ("min", "max") for a in "xyz"), ("transform", "<f4", (4, 4)), ("occlusionRatio", "<f4")]
)
OCCLUSION = np.dtype([("instanceId", "<u4"), ("semanticId", "<u4"), ("occlusionRatio", "<f4")])
BACKGROUND, UNLABELLED = 0, 1


@dataclass(frozen=True)
class Given:
    """Data of one annotator and what goes with it; ``data`` may be a dict that is everything."""

    data: Any
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """An annotator's maker, the prims its product may be of, and whether it reads labels and gives an array."""

    make: Callable[[Any, Any], Given]
    prims: tuple[str, ...] = ("Camera",)
    labels: bool = False
    array: bool = True


DATA: dict[str, Kind] = {}
BOXES = (
    "bounding_box_2d_tight",
    "bounding_box_2d_loose",
    "bounding_box_2d_tight_fast",
    "bounding_box_2d_loose_fast",
    "bounding_box_3d",
    "bounding_box_3d_fast",
    "bounding_box_3d_360",
    "occlusion",
)


def _gives(*names: str, **how: Any) -> Callable[[Callable[[Any, Any], Given]], Callable[[Any, Any], Given]]:
    def take(make: Callable[[Any, Any], Given]) -> Callable[[Any, Any], Given]:
        DATA.update({name: Kind(make, **how) for name in names})
        return make

    return take


@_gives("rgb", "LdrColor")
def rgb(annotator: Any, shot: Any) -> Given:
    """Tone-mapped, uint8 (H, W, 4)."""
    return Given(shot.channels["rgb"])


@_gives("HdrColor")
def hdr(annotator: Any, shot: Any) -> Given:
    """Scene linear, float16 (H, W, 4); what is too bright for it is infinite."""
    with np.errstate(over="ignore"):
        return Given(shot.channels["HdrColor"].astype(np.float16))


@_gives("distance_to_camera", "distance_to_image_plane")
def distance(annotator: Any, shot: Any) -> Given:
    """Stage units, inf where nothing is, float32 (H, W)."""
    return Given((shot.channels[annotator._name] / shot.camera["metres"]).astype(np.float32))


@_gives("normals")
def normals(annotator: Any, shot: Any) -> Given:
    """The stage's axes, float32 (H, W, 4)."""
    return Given(_stage_axes(shot.channels["normals"], shot))


def _stage_axes(normals: np.ndarray, shot: Any) -> np.ndarray:
    """Directions [..., 4] in the axes of the stage instead of z up."""
    out = normals.copy()
    out[..., :3] = normals[..., :3] @ shot.camera["R_world_stage"].astype(np.float32)
    return out


@_gives("ReferenceTime", array=False)
def reference_time(annotator: Any, shot: Any) -> Given:
    """A frame's own time, a fraction of a second."""
    return Given({"referenceTimeNumerator": fabric_time(shot.time), "referenceTimeDenominator": 60})


def fabric_time(time: tuple[int, float]) -> int:
    """Sixtieths of a second: app ticks, or the timeline's with the fault that lets it stand still."""
    return round(time[1] * 60) if sim().fault("reference_time_stands") is not None else time[0]


# labels ---------------------------------------------------------------------------------------------------------------------------------------------


def _things(annotator: Any, shot: Any) -> Any:
    return shot.things[annotator._filter()]


def _shift(shot: Any) -> int:
    """What ids begin at beside 2: another number for every capture with the fault."""
    return 97 * shot.time[0] % 1000 if sim().fault("changing_ids") is not None else 0


def _semantic_ids(annotator: Any, shot: Any) -> list[int]:
    """Id of each thing's class: fixed by ``mapping``, else counted up from 2 in order of first sight by this annotator."""
    import json

    fixed = {}
    for key, value in json.loads(annotator._init.get("mapping") or "{}").items():
        taxonomy, _, label = key.partition(":")
        fixed[_key({taxonomy: label})] = int(value)
    ids = {} if _shift(shot) else annotator._ids
    out = []
    for labels in _things(annotator, shot).labels:
        key = _key(labels)
        if key not in ids:
            ids[key] = fixed.get(key, 2 + _shift(shot) + sum(1 for k in ids if k not in fixed))
        out.append(ids[key])
    return out


def _key(labels: dict[str, str]) -> str:
    return ";".join(f"{t}:{v}" for t, v in sorted(labels.items()))


def _instance_ids(shot: Any, paths: list[str]) -> list[int]:
    """Ids of prims, counted up from 2 in order of first sight by the renderer."""
    held = {} if _shift(shot) else sim().part(Products).instance_ids
    return [held.setdefault(path, 2 + _shift(shot) + len(held)) for path in paths]


def _image(things: Any, ids: list[int]) -> np.ndarray:
    """Ids per pixel, uint32 (H, W)."""
    table = np.array([*ids, BACKGROUND, UNLABELLED], np.uint32)
    return table[np.where(things.row >= 0, things.row, len(ids) + 2 + things.row)]


SPECIAL = {BACKGROUND: "BACKGROUND", UNLABELLED: "UNLABELLED"}


def _present(image: np.ndarray) -> set[int]:
    return set(np.unique(image).tolist()) | set(SPECIAL)


def _colour(value: int) -> tuple[int, int, int, int]:
    """A colour per id; alpha 0 for the background."""
    mixed = (value * 2654435761) & 0xFFFFFFFF
    return (0, 0, 0, 0) if value == BACKGROUND else (mixed & 255, (mixed >> 8) & 255, (mixed >> 16) & 255, 255)


def _painted(image: np.ndarray) -> np.ndarray:
    """Colours of an id image, uint8 (H, W, 4)."""
    ids, back = np.unique(image, return_inverse=True)
    return np.array([_colour(int(i)) for i in ids], np.uint8)[back.reshape(image.shape)]


@_gives("semantic_segmentation", labels=True)
def semantic(annotator: Any, shot: Any) -> Given:
    """Ids of classes; string keys."""
    things = _things(annotator, shot)
    ids = _semantic_ids(annotator, shot)
    image = _image(things, ids)
    names: dict[int, dict[str, str]] = {i: {"class": text} for i, text in SPECIAL.items()}
    names |= dict(zip(ids, things.labels, strict=True))
    kept = {i: names[i] for i in sorted(_present(image))}
    if annotator._init.get("colorize"):
        return Given(_painted(image), {"idToLabels": {str(_colour(i)): v for i, v in kept.items()}})
    return Given(image, {"idToLabels": {str(i): v for i, v in kept.items()}})


@_gives("instance_segmentation", "instance_segmentation_fast", labels=True)
def instance(annotator: Any, shot: Any) -> Given:
    """Ids of labelled prims; string keys in the plain form, int in the fast one."""
    things = _things(annotator, shot)
    ids = _instance_ids(shot, things.paths)
    image = _image(things, ids)
    paths: dict[int, Any] = {**SPECIAL, **dict(zip(ids, things.paths, strict=True))}
    labels: dict[int, Any] = {i: {"class": t} for i, t in SPECIAL.items()} | dict(zip(ids, things.labels, strict=True))
    fast = annotator._name.endswith("_fast")
    key: Callable[[int], Any] = int if fast else str
    if annotator._init.get("colorize"):
        key = _colour if fast else lambda i: str(_colour(i))
        packed = np.ascontiguousarray(_painted(image)).view(np.uint32)[..., 0]
    kept = sorted(_present(image))
    info = {"idToLabels": {key(i): paths[i] for i in kept}, "idToSemantics": {key(i): labels[i] for i in kept}}
    return Given(packed if annotator._init.get("colorize") else image, info)


# boxes ----------------------------------------------------------------------------------------------------------------------------------------------


def _occlusion(things: Any, shot: Any) -> np.ndarray:
    """Hidden share of each thing, float [n]: the renderer's for movers, by tracing it alone for other prims; 0 where it is not in the picture."""
    rows = {path: n for n, path in enumerate(shot.movers)}
    shown = np.bincount(things.row[things.row >= 0], minlength=len(things.paths))
    out = np.zeros(len(things.paths), np.float32)
    for n, path in enumerate(things.paths):
        if path in rows:
            out[n] = shot.view.occluded[rows[path]]
        elif shot.alone.get(path, (0,))[0]:
            out[n] = np.clip(1.0 - shown[n] / shot.alone[path][0], 0.0, 1.0)
    fault = sim().fault("occlusion_minus_one")
    if fault is not None:
        out[[n for n, count in enumerate(things.meshes) if fault["all"] or count > 1]] = -1.0
    return out


def _tight(things: Any, shot: Any) -> np.ndarray:
    """Bounds of the visible pixels of each thing, int64 [n, 4]; x_max < x_min where none is."""
    out = np.tile([1, 1, 0, 0], (len(things.paths), 1)).astype(np.int64)
    y, x = np.nonzero(things.row >= 0)
    of = things.row[y, x]
    for column, values, best in ((0, x, np.minimum), (1, y, np.minimum), (2, x, np.maximum), (3, y, np.maximum)):
        bound = np.full(len(things.paths), 10**6 if column < 2 else -1, np.int64)
        best.at(bound, of, values)
        out[np.unique(of), column] = bound[np.unique(of)]
    return out


def _loose(things: Any, shot: Any) -> np.ndarray:
    """Bounds of the whole things inside the image, int64 [n, 4]: the renderer's for movers, by tracing it alone for other prims."""
    rows = {path: n for n, path in enumerate(shot.movers)}
    out = np.tile([1, 1, 0, 0], (len(things.paths), 1)).astype(np.int64)
    for n, path in enumerate(things.paths):
        if path in rows and shot.view.bbox_loose[rows[path]][0] >= 0:
            out[n] = np.rint(shot.view.bbox_loose[rows[path]])
        elif path in shot.alone:
            out[n] = shot.alone[path][1]
    return out


def _projected(points: np.ndarray, shot: Any) -> tuple[np.ndarray, np.ndarray]:
    """Image points [..., 2] and depths [...] of world points in the renderer's z-up metres."""
    T = np.linalg.inv(shot.T_world_camera)
    local = points @ T[:3, :3].T + T[:3, 3]
    z = np.where(local[..., 2] == 0, 1e-9, local[..., 2])
    m = shot.model
    return np.stack([m.fx * local[..., 0] / z + m.cx, m.fy * local[..., 1] / z + m.cy], -1), local[..., 2]


def _box_info(annotator: Any, shot: Any, rows: list[int], ids: list[int], things: Any) -> dict[str, Any]:
    key: Callable[[int], Any] = int if annotator._name.endswith("_fast") else str
    instances = _instance_ids(shot, things.paths)
    return {
        "idToLabels": {key(ids[n]): things.labels[n] for n in rows},
        "bboxIds": np.array([instances[n] for n in rows], np.uint32),
        "primPaths": [things.paths[n] for n in rows],
    }


@_gives("bounding_box_2d_tight", "bounding_box_2d_loose", "bounding_box_2d_tight_fast", "bounding_box_2d_loose_fast", labels=True)
def boxes_2d(annotator: Any, shot: Any) -> Given:
    """Boxes of the visible pixels (tight) or of the whole prim (loose) [px, inclusive]; tight: what is fully hidden is missing."""
    things = _things(annotator, shot)
    ids = _semantic_ids(annotator, shot)
    bounds = (_tight if "tight" in annotator._name else _loose)(things, shot)
    hidden = _occlusion(things, shot)
    rows = [n for n in range(len(things.paths)) if bounds[n, 2] >= bounds[n, 0]]
    out = np.zeros(len(rows), BOX_2D)
    for name, column in zip(("x_min", "y_min", "x_max", "y_max"), range(4), strict=True):
        out[name] = bounds[rows, column]
    out["semanticId"] = [ids[n] for n in rows]
    out["occlusionRatio"] = hidden[rows]
    return Given(out, _box_info(annotator, shot, rows, ids, things))


@_gives("bounding_box_3d", "bounding_box_3d_fast", "bounding_box_3d_360", labels=True)
def boxes_3d(annotator: Any, shot: Any) -> Given:
    """Boxes in the prims' own frames with local to world for row vectors; occlusion is nan outside the field of view."""
    things = _things(annotator, shot)
    ids = _semantic_ids(annotator, shot)
    uv, depth = _projected(corners(things.lower, things.upper, things.to_world) * shot.camera["metres"], shot)
    ahead = depth > 0
    low = np.where(ahead[..., None], uv, np.inf).min(1)
    high = np.where(ahead[..., None], uv, -np.inf).max(1)
    inside = ahead.any(1) & (high >= 0).all(1) & (low <= [shot.model.width - 1, shot.model.height - 1]).all(1)
    rows = [n for n in range(len(things.paths)) if inside[n] or annotator._name.endswith("360")]
    out = np.zeros(len(rows), BOX_3D)
    for axis, letter in enumerate("xyz"):
        out[f"{letter}_min"], out[f"{letter}_max"] = things.lower[rows, axis], things.upper[rows, axis]
    out["semanticId"] = [ids[n] for n in rows]
    out["transform"] = things.to_world[rows]
    out["occlusionRatio"] = np.where(inside, _occlusion(things, shot), np.nan)[rows]
    return Given(out, _box_info(annotator, shot, rows, ids, things))


@_gives("occlusion", labels=True)
def occlusion(annotator: Any, shot: Any) -> Given:
    """Hidden share of every labelled prim in the picture."""
    things = _things(annotator, shot)
    out = np.zeros(things.seen, OCCLUSION)
    out["instanceId"] = _instance_ids(shot, things.paths)[: things.seen]
    out["semanticId"] = _semantic_ids(annotator, shot)[: things.seen]
    out["occlusionRatio"] = _occlusion(things, shot)[: things.seen]
    return Given(out)


# the camera and its cloud ---------------------------------------------------------------------------------------------------------------------------


@_gives("camera_params", array=False)
def camera_params(annotator: Any, shot: Any) -> Given:
    """The camera; matrices are for row vectors, depth is reversed (near 1, far 0), lengths in stage units."""
    held, model = shot.camera, shot.model
    near, far = (float(v) for v in held["ClippingRange"])
    a, b = near / (far - near), far * near / (far - near)
    sx, sy = 2 * model.fx / model.width, 2 * model.fx / model.height
    projection = np.array([[sx, 0, 0, 0], [0, sy, 0, 0], [0, 0, a, -1], [0, 0, b, 0]])
    projection[2, 0] = -(2 * (model.cx + 0.5) / model.width - 1)
    projection[2, 1] = 2 * (model.cy + 0.5) / model.height - 1
    return Given(
        {
            "cameraFocalLength": np.float32(held["FocalLength"]),
            "cameraAperture": np.array([held["HorizontalAperture"], held["VerticalAperture"]], np.float32),
            "cameraApertureOffset": np.array([held["HorizontalApertureOffset"], held["VerticalApertureOffset"]], np.float32),
            "cameraFocusDistance": np.float32(held["FocusDistance"]),
            "cameraFStop": np.float32(held["FStop"]),
            "cameraNearFar": np.array([near, far], np.float32),
            "cameraModel": "pinhole",
            "renderProductResolution": np.array([model.width, model.height], np.int32),
            "cameraViewTransform": np.linalg.inv(held["T"]).ravel(),
            "cameraProjection": projection.ravel(),
            "metersPerSceneUnit": float(held["metres"]),
        }
    )


@_gives("pointcloud", labels=True)
def pointcloud(annotator: Any, shot: Any) -> Given:
    """World points of the labelled pixels (all of them with ``includeUnlabelled``), float32 (N, 3), in an order of its own at every frame."""
    things, m = _things(annotator, shot), shot.model
    depth = shot.channels["distance_to_image_plane"]
    y, x = np.nonzero(np.isfinite(depth) & (things.row >= (-1 if annotator._init.get("includeUnlabelled") else 0)))
    order = np.random.default_rng(shot.time[0]).permutation(len(x))
    y, x = y[order], x[order]
    z = depth[y, x].astype(np.float64)
    ray = m.intrinsics.unproject(x.astype(np.float64), y.astype(np.float64))
    local = np.stack([ray[0] * z, ray[1] * z, z], 1)
    world = (local @ shot.T_world_camera[:3, :3].T + shot.T_world_camera[:3, 3]) / shot.camera["metres"]
    semantic_image = _image(things, _semantic_ids(annotator, shot))
    instance_image = _image(things, _instance_ids(shot, things.paths))
    info = {
        "pointNormals": _stage_axes(shot.channels["normals"][y, x], shot),
        "pointRgb": shot.channels["rgb"][y, x],
        "pointSemantic": semantic_image[y, x],
        "pointInstance": instance_image[y, x],
    }
    return Given(world.astype(np.float32), info)
