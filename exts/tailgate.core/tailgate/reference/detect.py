"""Which layout a folder has, by what lies in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tailgate.errors import UserError
from tailgate.reference.basicwriter import holds_frames
from tailgate.reference.coco_depth import annotation_files
from tailgate.reference.files import index_files, need_folder, read_json
from tailgate.reference.recording import FILE as SENSOR_FILE

EXPORTS = {"basicwriter": "basicwriter", "kitti": "kitti", "semantickitti": "semantickitti", "coco": "coco_depth"}
"""Format of this project's datasets -> the kind that reads it, the one that keeps most first."""
SPLIT = "training"
"""Folder of KITTI's object benchmark that holds the frames with labels."""
LEDGER, MANIFEST = "ledger.sqlite", "manifest.parquet"


def detect(root: str | Path) -> tuple[str, Path]:
    """The kind of reader for a folder, and the folder to read: for a run, or its ``dataset``, that of the export which keeps most; of
    KITTI's object benchmark, its labelled part.

    Raises:
        UserError: no folder, signs of no kind or of several, or a run without a dataset.
    """
    root = Path(root)
    need_folder(root, "frames")
    if (root / LEDGER).is_file():
        return _export(root / "dataset", root)
    if (root / MANIFEST).is_file():
        return _export(root, root)
    if _kitti(root / SPLIT):
        return "kitti", root / SPLIT
    found = {kind: sign for kind, look in SIGNS.items() if (sign := look(root))}
    if len(found) == 1:
        return next(iter(found)), root
    if not found:
        held = sorted(p.name for p in root.iterdir())
        beginning = ", ".join(held[:5]) + (", …" if len(held) > 5 else "") if held else "nothing"
        arrays = any(Path(name).suffix in (".npz", ".npy") for name in held)
        way = f"say what the arrays are in a {SENSOR_FILE} beside them (docs/score.md), or name the kind" if arrays else "name the kind"
        raise UserError(f"must be a layout that can be read ({', '.join(sorted(SIGNS))}); it holds {beginning}: {way}", root)
    signs = "; ".join(f"{sign} ({kind})" for kind, sign in sorted(found.items()))
    raise UserError(f"could be of {len(found)} kinds: {signs}: name the kind", root)


def _export(folder: Path, root: Path) -> tuple[str, Path]:
    for name, kind in EXPORTS.items():
        if (folder / name).is_dir():
            return kind, folder / name
    raise UserError(f"is a Tailgate run whose dataset holds none of {', '.join(EXPORTS)}: write one with 'tailgate export'", root)


def _kitti(root: Path) -> str:
    sweeps = _first(root, "velodyne/*.bin", "velodyne/*/*.bin")
    return "" if _semantickitti(root) else sweeps


def _semantickitti(root: Path) -> str:
    """``labels`` or ``poses.txt`` beside the sweeps make a sequence folder; KITTI's object benchmark has ``label_2`` and ``calib``."""
    own = (root / "labels").is_dir() or (root / "poses.txt").is_file()
    return _first(root, "sequences/*/velodyne/*.bin", *(["velodyne/*.bin"] if own else []))


def _nuscenes(root: Path) -> str:
    return _first(root, "v1.0-*/sample.json") or next((p.name for p in index_files(root) if _is_info(p)), "")


def _is_info(path: Path) -> bool:
    try:
        return "data_list" in read_json(path)
    except UserError:
        return False


def _mosd(root: Path) -> str:
    labelled = _first(root, "*_depth.png") if _first(root, "*_label.png") else ""
    return labelled or _first(root, "frame-*.depth.png")


def _av2(root: Path) -> str:
    return "" if _npz(root) else _first(root, "lidar_*.npz", "*/lidar_*.npz")


def _npz(root: Path) -> str:
    return _first(root, SENSOR_FILE)


def _basicwriter(root: Path) -> str:
    return "files named as Replicator names them" if holds_frames(root) else ""


def _coco_depth(root: Path) -> str:
    return next((str(p.relative_to(root)) for p in annotation_files(root)), "")


def _clouds(root: Path) -> str:
    return "" if _npz(root) else _first(root, *(f"{depth}*.{suffix}" for suffix in ("pcd", "ply", "las", "laz") for depth in ("", "*/")))


def _first(root: Path, *patterns: str) -> str:
    """The first file that matches a pattern, relative to the folder."""
    return next((str(path.relative_to(root)) for pattern in patterns for path in sorted(root.glob(pattern))), "")


SIGNS: dict[str, Callable[[Path], str]] = {
    "kitti": _kitti,
    "semantickitti": _semantickitti,
    "nuscenes": _nuscenes,
    "mosd": _mosd,
    "av2": _av2,
    "basicwriter": _basicwriter,
    "coco_depth": _coco_depth,
    "clouds": _clouds,
    "npz": _npz,
}
"""Kind -> what in a folder speaks for it, "" for nothing."""
