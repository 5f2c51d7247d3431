"""Tell a label format by its content, not by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tailgate.datasets.labels.av2 import read_av2
from tailgate.datasets.labels.coco import read_coco
from tailgate.datasets.labels.csv import read_csv
from tailgate.datasets.labels.kitti import is_kitti_line, read_kitti
from tailgate.datasets.labels.nuscenes import TABLES, read_mmdet3d, read_nuscenes
from tailgate.datasets.labels.table import LabelTable
from tailgate.errors import UserError, Where, close_file

FORMATS = (
    "COCO json, KITTI label_2 or tracking txt (file or folder), nuScenes tables (folder), mmdetection3d info json, "
    "Argoverse 2 annotations (feather or npz), class,count csv"
)

KITTI_FOLDERS = ("training/label_2", "label_2", "training/label_02", "label_02")
_KITTI_NAMES = ("label_2", "label_02")
_OTHER_JSON = ("calibration.json", "summary.json")


def read_labels(path: str | Path) -> LabelTable:
    """Read the labels at ``path`` whatever their format.

    Raises:
        UserError: nothing there, no known format, or a mistake in the file (with line or key).
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise UserError(f"label file not found{close_file(path)}", path)
    try:
        return _read_file(path)
    except PermissionError:
        raise UserError("cannot be read: permission denied", path) from None


def _read_file(path: Path) -> LabelTable:
    with path.open("rb") as file:
        head = file.read(4096)
    if not head.strip():
        raise UserError("is empty", path)
    if head.startswith(b"PK\x03\x04"):
        return read_av2(path, [path])
    if head.startswith((b"ARROW1", b"FEA1")):
        return read_av2(path, [path])
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return _read_json(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"is in no known label format; known: {FORMATS}", path) from None
    first = next(line for line in text.splitlines() if line.strip())
    form = is_kitti_line(first)
    if form:
        return read_kitti(path, [path], form)
    if "," in first:
        return read_csv(path, text)
    if path.suffix == ".txt":
        raise UserError(f"a KITTI row has 15 fields (tracking: 17), got {len(first.split())}", Where(path, 1))
    raise UserError(f"is in no known label format; known: {FORMATS}", path)


def _read_json(path: Path) -> LabelTable:
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise UserError(f"is not valid JSON: {error.msg}", Where(path, error.lineno)) from None
    except UnicodeDecodeError:
        raise UserError("must be UTF-8 text, got binary data", path) from None
    if isinstance(data, dict) and isinstance(data.get("metainfo"), dict) and "data_list" in data and "categories" in data["metainfo"]:
        return read_mmdet3d(path, data)
    keys = ("annotations", "categories")
    if isinstance(data, dict) and all(isinstance(data.get(k), list) for k in keys):
        return read_coco(path, data)
    if path.name in {f"{t}.json" for t in TABLES}:
        raise UserError(f"is one nuScenes table; name its folder '{path.parent}' instead", path)
    got = f"keys {', '.join(sorted(data)[:6])}" if isinstance(data, dict) else f"a {type(data).__name__}"
    raise UserError(f"a COCO file must have the lists 'annotations' and 'categories', got {got}", path)


def _read_folder(folder: Path) -> LabelTable:
    named = next((d for d in (folder / sub for sub in KITTI_FOLDERS) if any(d.glob("*.txt"))), None)
    kitti = named or (folder if folder.name in _KITTI_NAMES or any(p.stem.isdigit() for p in folder.glob("*.txt")) else None)
    tables = [d for d in (folder, *_subfolders(folder)) if (d / "sample_annotation.json").is_file()]
    logs = next(filter(None, (_av2_files(folder, depth) for depth in ("", "*/", "*/*/"))), [])
    jsons = [] if tables else [j for j in sorted(folder.glob("*.json")) if j.name not in _OTHER_JSON]
    found = [*([kitti] if kitti else []), *tables, *(logs[:1] if logs else []), *jsons]
    if len(found) > 1:
        raise UserError(f"holds several label sets; name one of {', '.join(str(p.relative_to(folder)) for p in found[:6])}", folder)
    if kitti:
        return _read_kitti_folder(folder, kitti)
    if tables:
        return read_nuscenes(tables[0])
    if logs:
        return read_av2(folder, logs)
    if jsons:
        return _read_file(jsons[0])
    names = ", ".join(p.name for p in sorted(folder.iterdir())[:5]) or "nothing"
    raise UserError(f"holds no labels in a known format (found {names}); known: {FORMATS}", folder)


def _av2_files(folder: Path, depth: str) -> list[Path]:
    return sorted([*folder.glob(f"{depth}annotations.feather"), *folder.glob(f"{depth}*annotations.npz")])


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir())


def _read_kitti_folder(source: Path, folder: Path) -> LabelTable:
    files = sorted(folder.glob("*.txt"))
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = next((line for line in lines if line.strip()), None)
        if first is not None:
            form = is_kitti_line(first)
            if form is None:
                raise UserError(f"a KITTI row has 15 fields (tracking: 17), got {len(first.split())}", Where(file, 1))
            return read_kitti(source, files, form)
    raise UserError(f"all {len(files)} label files are empty", folder)
