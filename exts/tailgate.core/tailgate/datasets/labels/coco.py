"""COCO ``instances`` json (Lin et al. 2014, data format of cocodataset.org)."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.datasets.labels.table import LabelRow, LabelTable, Origin, table_of
from tailgate.errors import UserError, Where


def read_coco(path: Path, data: dict[str, Any]) -> LabelTable:
    """Read a parsed COCO json.

    Two categories of one name count as one class. Boxes become corners [px]. The key ``tailgate`` of an annotation, as our own writer leaves it,
    gives the 3-D box.

    Raises:
        UserError: an annotation names a category or an image that the file does not list, or lacks a key.
    """
    categories = {_need(c, "id", path, f"categories[{i}]"): str(_need(c, "name", path, f"categories[{i}]")) for i, c in enumerate(data["categories"])}
    images = {_need(m, "id", path, f"images[{i}]"): str(m.get("file_name", m["id"])) for i, m in enumerate(data.get("images", []))}
    notes = [f"{n} categories are called '{name}' and count as one class" for name, n in Counter(categories.values()).items() if n > 1]
    rows = []
    for i, a in enumerate(data["annotations"]):
        key = f"annotations[{i}]"
        category, image = _need(a, "category_id", path, key), _need(a, "image_id", path, key)
        if category not in categories:
            raise UserError(f"category_id must be one of the {len(categories)} listed categories, got {category!r}", Where(path, key=key))
        if images and image not in images:
            raise UserError(f"image_id must be one of the {len(images)} listed images, got {image!r}", Where(path, key=key))
        rows.append(LabelRow(categories[category], images.get(image, str(image)), _corners(a.get("bbox"), path, key), **_extra(a.get("tailgate"))))
    return table_of(rows, Origin(path, "coco", tuple(categories.values()), tuple(images.values()), tuple(notes)))


def _need(entry: Any, name: str, path: Path, key: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise UserError(f"'{name}' is required", Where(path, key=key))
    return entry[name]


def _corners(bbox: Any, path: Path, key: str) -> tuple[float, ...]:
    if bbox is None:
        return (np.nan,) * 4
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(isinstance(v, int | float) and math.isfinite(v) for v in bbox):
        raise UserError(f"bbox must be four numbers x, y, width, height, all finite, got {bbox!r}", Where(path, key=key))
    x, y, w, h = bbox
    return (x, y, x + w, y + h)


def _extra(extra: Any) -> dict[str, Any]:
    if not isinstance(extra, dict):
        return {}
    return dict(
        centre=tuple(extra["centre"]), size=tuple(extra["size"]), yaw=extra["yaw"], occluded=extra["occluded"],
        truncated=extra["truncated"], track=str(extra["instance"]),
    )
