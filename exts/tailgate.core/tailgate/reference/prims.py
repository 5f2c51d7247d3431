"""The labelled prims of one Replicator frame, gathered from masks and boxes of all its cameras by prim path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tailgate.errors import UserError
from tailgate.frames import Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.reference.labelmap import lookup
from tailgate.reference.replicator import Boxes, box_poses, class_of, instance_id, read_boxes, read_mask

DEPTHS = ("distance_to_image_plane", "distance_to_camera")
MODEL = "replicator"

Files = dict[str, dict[str, Path]]
"""Files of one camera in one frame: annotator -> part ("" the annotator's own file) -> path."""


@dataclass
class Prim:
    """What the files of one frame say of one labelled prim; what they leave open is NaN or missing.

    Attributes:
        class_name: its class.
        T_world_box, size: box, in the unit of the files.
        code: camera -> its code in that camera's instance mask.
        tight, loose: camera -> x_min, y_min, x_max, y_max [px].
        occluded: camera -> share.
    """

    class_name: str
    T_world_box: np.ndarray = field(default_factory=lambda: np.full((4, 4), np.nan))
    size: np.ndarray = field(default_factory=lambda: np.full(3, np.nan))
    code: dict[str, int] = field(default_factory=dict)
    tight: dict[str, np.ndarray] = field(default_factory=dict)
    loose: dict[str, np.ndarray] = field(default_factory=dict)
    occluded: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Shot:
    """One camera's images of a frame.

    Attributes:
        channels: "rgb" and distances [m], each where it is known.
        codes, classes: codes of the semantic mask, uint32 [H, W], or None, and the class of each labelled code.
        intrinsics, T_world_camera: [px]; pose of the optical frame [m], [4, 4].
    """

    channels: dict[str, np.ndarray]
    codes: np.ndarray | None
    classes: dict[int, str]
    intrinsics: Intrinsics
    T_world_camera: np.ndarray


@dataclass
class Prims:
    """All labelled prims of a frame, and the cameras' instance masks.

    Attributes:
        found: prim path -> prim.
        masks: camera -> codes, uint32 [H, W].
    """

    found: dict[str, Prim] = field(default_factory=dict)
    masks: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, camera: str, files: Files) -> None:
        """Take in the masks and boxes of one camera."""
        if "" in files.get("instance_segmentation", {}):
            self._add_mask(camera, files["instance_segmentation"])
        for name in ("2d_tight", "2d_loose", "3d"):
            parts = files.get(f"bounding_box_{name}", {})
            if "" in parts:
                self.add_boxes(camera, name, read_boxes(parts))

    def instances(self) -> dict[str, int]:
        """Instance id of each prim path: the one that the path carries, as in this project's export, else its place in the sorted list from 1."""
        paths = sorted(self.found)
        own = [instance_id(p) for p in paths]
        ids = own if None not in own and len(set(own)) == len(own) else range(1, len(paths) + 1)
        return dict(zip(paths, (int(i) for i in ids), strict=True))

    def objects(self, unit: float, T_up: np.ndarray) -> Objects:
        """The prims as objects, sorted by path; ``unit`` [m per unit of the files], ``T_up`` turns the stage's up axis to z, [4, 4]."""
        ids, prims = self.instances(), [self.found[p] for p in sorted(self.found)]
        T = np.array([in_metres(p.T_world_box, unit) for p in prims]).reshape(-1, 4, 4)
        size = np.array([p.size for p in prims]).reshape(-1, 3) * unit
        names, assets = [p.class_name for p in prims], [path.rsplit("/", 1)[-1] for path in sorted(self.found)]
        return Objects(np.array(list(ids.values()), np.int32), names, T_up @ T, size, assets)

    def instance_image(self, camera: str) -> np.ndarray | None:
        """Instance ids, uint32 [H, W]; None without a mask."""
        ids = self.instances()
        known = {prim.code[camera]: ids[path] for path, prim in self.found.items() if camera in prim.code}
        return lookup(self.masks[camera], known) if camera in self.masks else None

    def view(self, camera: str, channels: dict[str, np.ndarray], objects: Objects, T_world_camera: np.ndarray) -> ObjectView:
        """What one camera sees of each object: pixels from the mask, else the tight box's; what no file tells is NaN."""
        prims = [self.found[p] for p in sorted(self.found)]
        count, mask = len(prims), channels.get("instance_segmentation")
        tight, loose = (np.array([getattr(p, k).get(camera, [-1] * 4) for p in prims], np.float32).reshape(-1, 4) for k in ("tight", "loose"))
        if mask is not None:
            tight, visible = _extents(mask, objects.instance, tight)
        else:
            visible = np.where(tight[:, 0] >= 0, (tight[:, 2] - tight[:, 0] + 1) * (tight[:, 3] - tight[:, 1] + 1), 0).astype(np.int32)
        occluded = np.array([p.occluded.get(camera, np.nan) for p in prims], np.float32)
        share = np.where(occluded < 1, 1 - occluded, 1)
        alone = np.rint(visible / np.where(np.isfinite(share), share, 1)).astype(np.int32)
        distance = np.linalg.norm(objects.T_world_box[:, :3, 3] - T_world_camera[:3, 3], axis=1).astype(np.float32)
        loose = np.where(loose[:, :1] >= 0, loose, tight)
        return ObjectView(tight, loose, visible, alone, occluded, np.full(count, np.nan, np.float32), distance)

    def sensor(self, camera: str, shot: Shot, objects: Objects, labels: Mapping[str, int]) -> SensorFrame:
        """One camera: its channels with semantic ids, instance ids, both distances and ``valid``, and what it sees of each object."""
        channels = dict(shot.channels)
        if shot.codes is not None:
            channels["semantic_segmentation"] = lookup(shot.codes, {code: labels[c] for code, c in shot.classes.items()})
        instance = self.instance_image(camera)
        if instance is not None:
            channels["instance_segmentation"] = instance
        _complete_depth(channels, shot.intrinsics)
        view = self.view(camera, channels, objects, shot.T_world_camera)
        return SensorFrame("camera", channels, np.stack([shot.T_world_camera] * 2), 0, 0, view, shot.intrinsics, MODEL)

    def _add_mask(self, camera: str, parts: dict[str, Path]) -> None:
        if "mapping" not in parts or "semantics_mapping" not in parts:
            raise UserError("the mapping files of this segmentation are missing", parts[""])
        codes, paths = read_mask(parts[""], parts["mapping"])
        self.add_mask(camera, codes, paths, read_mask(parts[""], parts["semantics_mapping"])[1])

    def add_mask(self, camera: str, codes: np.ndarray, paths: Mapping[int, object], semantics: Mapping[int, object]) -> None:
        """Take in an instance mask: codes, uint32 [H, W], and the prim path and the semantics of each."""
        self.masks[camera] = codes
        for code, path in paths.items():
            name = class_of(semantics.get(code, ""))
            if name:
                self.found.setdefault(str(path), Prim(name)).code[camera] = code

    def add_boxes(self, camera: str, kind: str, boxes: Boxes) -> None:
        """Take in "2d_tight", "2d_loose" or "3d" boxes.

        3-D boxes without paths become objects of their own; 2-D boxes without paths belong to nobody and are left out.
        """
        if not boxes.path and kind != "3d":
            return
        poses = zip(*box_poses(boxes.table), strict=True) if kind == "3d" else None
        for i, row in enumerate(boxes.table):
            prim = self.found.setdefault(boxes.path[i] if boxes.path else f"#{i:05d}", Prim(boxes.class_name[i]))
            if poses:
                prim.T_world_box, prim.size = next(poses)
            else:
                corners = np.array([row[c] for c in ("x_min", "y_min", "x_max", "y_max")], np.float32)
                (prim.tight if kind == "2d_tight" else prim.loose)[camera] = corners
            if 0 <= row["occlusionRatio"] <= 1:
                prim.occluded[camera] = float(row["occlusionRatio"])


def _complete_depth(channels: dict[str, np.ndarray], k: Intrinsics) -> None:
    """Add the missing one of the two distances, and ``valid``."""
    u, v = np.meshgrid((np.arange(k.width) - k.cx) / k.fx, (np.arange(k.height) - k.cy) / k.fy)
    stretch = np.sqrt(1 + u**2 + v**2)
    plane, ray = DEPTHS
    if ray in channels and plane not in channels:
        channels[plane] = (channels[ray] / stretch).astype(np.float32)
    if plane in channels:
        channels.setdefault(ray, (channels[plane] * stretch).astype(np.float32))
        channels["valid"] = np.isfinite(channels[plane]).astype(np.uint8)


def depth_in_metres(depth: np.ndarray, unit: float) -> np.ndarray:
    """Depth [m], float32 [H, W], of Replicator's in stage units; inf where nothing was hit."""
    return np.where(np.isfinite(depth) & (depth > 0), depth * np.float64(unit), np.inf).astype(np.float32)


def in_metres(T: np.ndarray, unit: float) -> np.ndarray:
    """A pose [4, 4] with its translation times ``unit``."""
    out = T.copy()
    out[:3, 3] *= unit
    return out


def _extents(mask: np.ndarray, instance: np.ndarray, tight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tight boxes, those of the mask where no file gave one, and pixels of each instance."""
    tight, visible = tight.copy(), np.zeros(len(instance), np.int32)
    for i, one in enumerate(instance):
        y, x = np.nonzero(mask == one)
        visible[i] = len(x)
        if len(x) and tight[i, 0] < 0:
            tight[i] = x.min(), y.min(), x.max(), y.max()
    return tight, visible
