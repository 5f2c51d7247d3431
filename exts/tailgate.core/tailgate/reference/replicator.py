"""What the single files of Replicator's annotators say, in this project's terms (omni.replicator.core 1.12, BasicWriter 0.0.2).

Lengths in the files are stage units; ``metersPerSceneUnit`` of the camera turns them into metres. Matrices are for row vectors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, Where
from tailgate.frames import Intrinsics
from tailgate.reference.files import read_array, read_image, read_json
from tailgate.stage.cameras import T_USD_OPTICAL
from tailgate.stage.extract import OBJECTS

NOTHING = ("BACKGROUND", "UNLABELLED", "INVALID")
"""What the mapping files call pixels without a label."""
BOX_FIELDS = ("semanticId", "x_min", "y_min", "x_max", "y_max", "occlusionRatio")
BOX_3D_FIELDS = (*BOX_FIELDS, "z_min", "z_max", "transform")
_INTEGER = re.compile(r"(?<![A-Za-z\d])\d+")
_OWN_PATH = re.compile(rf"^{OBJECTS}/.*_(\d{{5,}})$")


@dataclass(frozen=True)
class Camera:
    """``camera_params`` of one frame.

    Attributes:
        intrinsics: [px].
        T_world_camera: pose of the optical frame, translation in stage units, float64 [4, 4].
        unit: metres per stage unit.
        T_world_last: pose when the last row was taken, where the file tells (this project's export); else the first.
        times: of the first and last row [ns], 0 where the file tells none.
    """

    intrinsics: Intrinsics
    T_world_camera: np.ndarray
    unit: float
    T_world_last: np.ndarray
    times: tuple[int, int]


@dataclass(frozen=True)
class Boxes:
    """The rows of one ``bounding_box_*`` file.

    Attributes:
        path: prim path of each row, [N]; empty where the file of paths is missing.
        class_name: [N].
        table: structured array [N].
    """

    path: list[str]
    class_name: list[str]
    table: np.ndarray


def read_camera(path: Path) -> Camera:
    """Read ``camera_params_*.json``; raises as ``camera_of``."""
    return camera_of(read_json(path), path)


def camera_of(tree: Mapping[str, object], path: Path) -> Camera:
    """What ``camera_params`` say; ``path`` is what complaints name.

    The focal lengths come from the projection, which follows the resolution; without it both are width x focal length / horizontal aperture
    (the vertical aperture in the file is the USD attribute and need not fit the image).

    Raises:
        UserError: a missing or damaged value, or a camera that is not a pinhole.
    """
    model = str(tree.get("cameraModel", "pinhole"))
    if "pinhole" not in model.lower():
        raise UserError(
            f"must be a pinhole camera, got '{model}': depth and boxes of other lenses cannot be compared", Where(path, key="cameraModel")
        )
    width, height = (int(v) for v in _numbers(tree, "renderProductResolution", 2, path))
    view = _numbers(tree, "cameraViewTransform", 16, path).reshape(4, 4).T
    if "cameraProjection" in tree:
        P = _numbers(tree, "cameraProjection", 16, path).reshape(4, 4).T
        fx, fy = P[0, 0] * width / 2, P[1, 1] * height / 2
        cx, cy = (1 - P[0, 2]) * width / 2 - 0.5, (1 + P[1, 2]) * height / 2 - 0.5
    else:
        fx = fy = width * float(_numbers(tree, "cameraFocalLength", 1, path)[0]) / float(_numbers(tree, "cameraAperture", 2, path)[0])
        cx, cy = (width - 1) / 2, (height - 1) / 2
    if min(width, height, fx, fy) <= 0 or abs(np.linalg.det(view)) < 1e-9:
        raise UserError("must hold a camera with positive focal lengths and an invertible view", path)
    unit = float(_numbers(tree, "metersPerSceneUnit", 1, path)[0]) if "metersPerSceneUnit" in tree else 1.0
    intrinsics = Intrinsics(width, height, float(fx), float(fy), float(cx), float(cy))
    last = _numbers(tree, "cameraViewTransformEnd", 16, path).reshape(4, 4).T if "cameraViewTransformEnd" in tree else view
    start, stop = (int(_numbers(tree, key, 1, path)[0]) if key in tree else 0 for key in ("t_start_ns", "t_end_ns"))
    return Camera(intrinsics, np.linalg.inv(view) @ T_USD_OPTICAL, unit, np.linalg.inv(last) @ T_USD_OPTICAL, (start, stop))


def read_mask(image: Path, mapping: Path) -> tuple[np.ndarray, dict[int, object]]:
    """Codes of a segmentation image, uint32 [H, W], and what each code stands for.

    A coloured mask is RGBA and its mapping is keyed by the text of that tuple; a raw one holds ids. Code: the id, or the four bytes of the colour.

    Raises:
        UserError: another kind of image, or a key that is neither an id nor a colour.
    """
    codes = mask_codes(read_image(image), image)
    names = {_code(key, mapping): value for key, value in read_json(mapping).items()}
    unlisted = set(np.unique(codes).tolist()) - {0, *names}
    if unlisted:
        raise UserError(f"must list every value of {image.name}; {len(unlisted)} of them are missing", mapping)
    return codes, names


def mask_codes(pixels: np.ndarray, image: Path) -> np.ndarray:
    """Codes of a segmentation, uint32 [H, W]: ids, or the four bytes of colours; UserError for another kind of image."""
    if pixels.ndim == 3 and pixels.shape[2] == 4 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels).view("<u4")[..., 0]
    if pixels.ndim == 2 and pixels.dtype != np.float32:
        return pixels.astype(np.uint32)
    raise UserError(f"a segmentation must be RGBA or one channel of whole numbers, got {pixels.shape} {pixels.dtype}", image)


def _code(key: str, file: Path) -> int:
    numbers = [int(n) for n in _INTEGER.findall(key)]
    if len(numbers) == 1:
        return numbers[0]
    if len(numbers) == 4 and max(numbers) < 256:
        return int.from_bytes(bytes(numbers), "little")
    raise UserError(f"a key must be an id or the text of an RGBA tuple, got '{key}'", Where(file, key=key))


def class_of(label: object) -> str:
    """The class a mapping file gives ("" for background): the ``class`` of its semantics; several, as inherited ones, stay joined by commas."""
    if isinstance(label, dict):
        label = label.get("class", next(iter(label.values()), ""))
    name = str(label).strip()
    return "" if name in NOTHING else name


def surface_of(label: object) -> str:
    """As ``class_of``, with geometry that has no label as "unlabelled": it is there to be measured, unlike background."""
    return class_of(label) or ("unlabelled" if "UNLABELLED" in str(label) else "")


def read_boxes(files: dict[str, Path]) -> Boxes:
    """Rows of ``bounding_box_*.npy``; ``files`` by part: "" the table, "labels", "prim_paths".

    Raises:
        UserError: a missing label file, an id without a label, or tables of different length.
    """
    table = read_array(files[""])
    wanted = BOX_3D_FIELDS if "bounding_box_3d" in files[""].name else BOX_FIELDS
    lacking = [name for name in wanted if name not in (table.dtype.names or ())]
    if lacking:
        raise UserError(f"must be a structured array with '{lacking[0]}'", files[""])
    if "labels" not in files:
        raise UserError("the file of labels of these boxes is missing", files[""])
    labels = {_code(k, files["labels"]): class_of(v) for k, v in read_json(files["labels"]).items()}
    unknown = sorted({int(i) for i in table["semanticId"]} - set(labels))
    if unknown:
        raise UserError(f"must give the class of semantic id {unknown[0]}", files["labels"])
    paths = [str(p) for p in read_json(files["prim_paths"], list)] if "prim_paths" in files else []
    if paths and len(paths) != len(table):
        raise UserError(f"must hold one path per box, got {len(paths)} for {len(table)} boxes", files["prim_paths"])
    return Boxes(paths, [labels[int(i)] for i in table["semanticId"]], table)


def box_poses(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """T_world_box [N, 4, 4] and size [N, 3], stage units, of ``bounding_box_3d`` rows: a scale in the transform goes into the size."""
    low, high = (np.stack([table[f"{a}_{end}"] for a in "xyz"], axis=1).astype(np.float64) for end in ("min", "max"))
    M = table["transform"].astype(np.float64).reshape(-1, 4, 4).transpose(0, 2, 1)
    T = np.tile(np.eye(4), (len(table), 1, 1))
    T[:, :3, 3] = np.einsum("nij,nj->ni", M[:, :3, :3], (low + high) / 2) + M[:, :3, 3]
    scale = np.linalg.norm(M[:, :3, :3], axis=1)
    T[:, :3, :3] = M[:, :3, :3] / np.maximum(scale[:, None, :], 1e-12)
    T[np.linalg.det(T[:, :3, :3]) < 0, :3, 1] *= -1
    return T, (high - low) * scale


def instance_id(prim_path: str) -> int | None:
    """The instance id that a prim path of this project's own export carries; None for other paths."""
    found = _OWN_PATH.match(prim_path)
    return int(found.group(1)) if found else None


def _numbers(tree: Mapping[str, object], key: str, count: int, path: Path) -> np.ndarray:
    try:
        values = np.array(tree.get(key), dtype=np.float64).ravel()
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.size != count or not np.isfinite(values).all():
        raise UserError(f"must hold {count} finite number{'s' if count > 1 else ''}, got {str(tree.get(key))[:60]}", Where(path, key=key))
    return values
