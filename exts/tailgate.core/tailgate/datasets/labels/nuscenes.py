"""nuScenes tables (Caesar et al. 2020) and the info json of mmdetection3d (version 1.1)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.datasets.labels.table import LabelRow, LabelTable, Origin, table_of
from tailgate.errors import UserError, Where
from tailgate.reference.boxes import quaternion_matrix

TABLES = ("category", "instance", "sample_annotation")
_HIDDEN = {"1": 0.8, "2": 0.5, "3": 0.3, "4": 0.1}
"""Middle of the hidden share of the visibility levels 0-40, 40-60, 60-80 and 80-100 % visible."""


def read_nuscenes(folder: Path) -> LabelTable:
    """Read a folder of nuScenes tables.

    Boxes are given in the map frame; they are moved to the ego frame at the lidar's key frame of the sample. Without ``sample_data`` and ``ego_pose``
    range and heading are unknown and left out, and the table says so.

    Raises:
        UserError: a table is missing or a token points nowhere.
    """
    tables = {name: _table(folder, name) for name in TABLES}
    categories = {c["token"]: c["name"] for c in tables["category"]}
    instances = {i["token"]: i["category_token"] for i in tables["instance"]}
    poses = _ego_poses(folder)
    notes = [] if poses else ["no sample_data and ego_pose tables: range, heading and range bands are unknown"]
    rows = []
    for i, a in enumerate(tables["sample_annotation"]):
        place = Where(folder / "sample_annotation.json", key=f"[{i}]")
        if instances.get(a.get("instance_token")) not in categories:
            raise UserError(f"instance_token must lead to a category through instance.json, got {a.get('instance_token')!r}", place)
        width, length, height = a["size"]
        rows.append(
            LabelRow(
                class_name=categories[instances[a["instance_token"]]],
                frame=a["sample_token"],
                size=(length, width, height),
                occluded=_HIDDEN.get(str(a.get("visibility_token")), float("nan")),
                track=a["instance_token"],
                **_in_ego(a, poses.get(a["sample_token"])),
            )
        )
    samples = tuple(s["token"] for s in _table(folder, "sample")) if (folder / "sample.json").is_file() else ()
    return table_of(rows, Origin(folder, "nuscenes", tuple(categories.values()), samples, tuple(notes)))


def read_mmdet3d(path: Path, data: dict[str, Any]) -> LabelTable:
    """Read a parsed mmdetection3d info file whose boxes lie in the lidar frame; ``lidar2ego`` moves them to the ego frame."""
    names = {int(i): str(c) for c, i in data["metainfo"]["categories"].items()}
    rows, frames, flat, unlisted = [], [], 0, 0
    for i, entry in enumerate(data["data_list"]):
        frame = str(entry.get("token", entry.get("sample_idx", i)))
        frames.append(frame)
        T = entry.get("lidar_points", {}).get("lidar2ego")
        flat += T is None
        for k, item in enumerate(entry.get("instances", [])):
            label = item.get("bbox_label_3d", item.get("bbox_label"))
            if label == -1:
                unlisted += 1
                continue
            if label not in names:
                raise UserError(f"bbox_label_3d must be one of 0..{len(names) - 1}, got {label!r}", Where(path, key=f"data_list[{i}].instances[{k}]"))
            rows.append(LabelRow(names[label], frame, **(_from_lidar(item["bbox_3d"], np.asarray(T)) if T is not None else {})))
    notes = [f"boxes with the label -1 belong to none of the file's classes and were left out: {unlisted}"] if unlisted else []
    notes += [f"{flat} of {len(frames)} entries have no lidar2ego: their 3-D boxes are left out"] if flat else []
    return table_of(rows, Origin(path, "mmdet3d", tuple(names[i] for i in sorted(names)), tuple(frames), tuple(notes)))


def _from_lidar(box: list[float], T_ego_lidar: np.ndarray) -> dict[str, Any]:
    x, y, z, length, width, height, yaw = box
    centre = T_ego_lidar @ [x, y, z, 1.0]
    axis = T_ego_lidar[:3, :3] @ [np.cos(yaw), np.sin(yaw), 0.0]
    return dict(centre=tuple(centre[:3]), size=(length, width, height), yaw=float(np.arctan2(axis[1], axis[0])))


def _in_ego(annotation: dict[str, Any], T_ego_map: np.ndarray | None) -> dict[str, Any]:
    if T_ego_map is None:
        return {}
    centre = T_ego_map @ [*annotation["translation"], 1.0]
    axis = T_ego_map[:3, :3] @ quaternion_matrix(annotation["rotation"])[:, 0]
    return dict(centre=tuple(centre[:3]), yaw=float(np.arctan2(axis[1], axis[0])))


def _ego_poses(folder: Path) -> dict[str, np.ndarray]:
    """T_ego_map per sample token, float64 [4, 4]."""
    if not all((folder / f"{name}.json").is_file() for name in ("sample_data", "ego_pose")):
        return {}
    pose = {p["token"]: p for p in _table(folder, "ego_pose")}
    best: dict[str, dict[str, Any]] = {}
    for d in _table(folder, "sample_data"):
        if d.get("is_key_frame") and ("LIDAR" in d.get("filename", "") or d["sample_token"] not in best):
            best[d["sample_token"]] = d
    out = {}
    for sample, d in best.items():
        p = pose.get(d["ego_pose_token"])
        if p is None:
            raise UserError(f"ego_pose_token {d['ego_pose_token']!r} is not in ego_pose.json", folder / "sample_data.json")
        T = np.eye(4)
        T[:3, :3] = quaternion_matrix(p["rotation"]).T
        T[:3, 3] = -T[:3, :3] @ np.asarray(p["translation"], dtype=np.float64)
        out[sample] = T
    return out


def _table(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / f"{name}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"nuScenes tables must include {name}.json", folder) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid JSON: {error}", path) from None
    if not isinstance(data, list):
        raise UserError(f"must be a list of records, got {type(data).__name__}", path)
    return data
