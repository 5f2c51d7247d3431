"""Whether frames are sound before anyone asks whether they look real: labels that fit the pixels, ids that stay, no repeats, no giveaways.

``integrity`` judges a frame and ``clip_integrity`` the ticks of a clip, by reason codes; ``set_rows`` judges a whole set, by rows of a scorecard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from tailgate.frames import Frame, Objects, SensorFrame, host
from tailgate.rng import rng
from tailgate.validate.association import associations
from tailgate.validate.duplicates import NEAR, near_counts
from tailgate.validate.scorecard import Null, Row

if TYPE_CHECKING:
    from tailgate.validate.evidence import Evidence

MAX_REPEATS = 0.05
"""Share of near-duplicate frames that a set may always have: one in twenty costs less than a tenth of its variety."""
WEAK_ASSOCIATION = 0.1
"""Cramér's V below which an association is too weak to be learned from (Cohen's small effect), however surely it is there."""
_EDGE = 1.0
"""Boxes may end this far [px] outside the last pixel, or beside the mask: formats differ on whether the last pixel belongs to a box."""
_BOOTSTRAPS = 200


def integrity(frame: Frame) -> list[str]:
    """Codes of what makes a frame unusable, sorted.

    * ``empty_image``, ``empty_scan``, ``empty_depth``: nothing was seen.
    * ``not_a_number``: a distance is NaN, or a range is infinite.
    * ``box_outside_image``: a tight box leaves the image or ends before it begins.
    * ``mask_box_mismatch``: a tight box or a number of visible pixels is not that of the mask.
    * ``unknown_instance``: an id in pixels or returns belongs to no object.
    * ``label_mismatch``: pixels or returns of an object carry another class.
    * ``duplicate_instance``: two objects have one id.

    Frames without masks or boxes pass the checks that need them.
    """
    codes = ["duplicate_instance"] if len(np.unique(frame.objects.instance)) < len(frame.objects) else []
    for sensor in frame.sensors.values():
        codes += _scan_codes(sensor, frame) if sensor.kind == "lidar" else _image_codes(sensor, frame)
    return sorted(set(codes))


def clip_integrity(frames: Sequence[Frame]) -> list[str]:
    """Codes of the ticks of one clip together: ``unstable_instance`` where an id changes its class or its asset."""
    known: dict[int, tuple[str, str]] = {}
    for frame in frames:
        o = frame.objects
        for i, name, asset in zip(o.instance.tolist(), o.class_name, o.asset, strict=True):
            if known.setdefault(i, (name, asset)) != (name, asset):
                return ["unstable_instance"]
    return []


def _scan_codes(sensor: SensorFrame, frame: Frame) -> list[str]:
    ranges = host(sensor.channel("range"))
    seen = ranges > 0
    codes = [] if seen.any() else ["empty_scan"]
    if not np.isfinite(ranges).all():
        codes.append("not_a_number")
    if "instance" in sensor.channels:
        owner = _owners(host(sensor.channels["instance"])[seen], frame.objects)
        codes += _label_codes(owner, host(sensor.channels["semantic"])[seen] if "semantic" in sensor.channels else None, frame)
    return codes


def _image_codes(sensor: SensorFrame, frame: Frame) -> list[str]:
    named = ("rgb", "valid", "distance_to_image_plane", "distance_to_camera", "instance_segmentation", "semantic_segmentation")
    channels = {name: host(sensor.channels[name]) for name in named if name in sensor.channels}
    codes = []
    if "rgb" in channels and _of_one_colour(channels["rgb"][..., :3]):
        codes.append("empty_image")
    if "valid" in channels and not channels["valid"].any():
        codes.append("empty_depth")
    if any(np.isnan(channels[c]).any() for c in ("distance_to_image_plane", "distance_to_camera") if c in channels):
        codes.append("not_a_number")
    if sensor.intrinsics and not _boxes_inside(sensor):
        codes.append("box_outside_image")
    if "instance_segmentation" in channels:
        owner = _owners(channels["instance_segmentation"], frame.objects)
        codes += _label_codes(owner, channels.get("semantic_segmentation"), frame)
        if not _boxes_match(sensor, owner, len(frame.objects)):
            codes.append("mask_box_mismatch")
    return codes


def _of_one_colour(rgb: np.ndarray) -> bool:
    """Whether all pixels hold one value; most images tell by a few rows."""
    return np.ptp(rgb[::64]) == 0 and np.ptp(rgb) == 0


def _owners(ids: np.ndarray, objects: Objects) -> np.ndarray:
    """Row of each instance id's object, counted from 1, in the shape of the ids, int32; 0 where there is no id, -1 where the id has no object."""
    owner = np.zeros(ids.shape, dtype=np.int32)
    marked = ids > 0
    order = np.argsort(objects.instance, kind="stable")
    held = np.append(np.asarray(objects.instance, dtype=np.int64)[order], -1)
    wanted = ids[marked].astype(np.int64)
    place = np.searchsorted(held[:-1], wanted)
    owner[marked] = np.where(held[place] == wanted, np.append(order + 1, -1)[place], -1)
    return owner


def _label_codes(owner: np.ndarray, semantic: np.ndarray | None, frame: Frame) -> list[str]:
    """Codes of the owners of pixels or returns and the semantic ids at the same places."""
    codes = ["unknown_instance"] if (owner < 0).any() else []
    if semantic is not None:
        owned = owner > 0
        expected = np.array([frame.labels.get(name, -1) for name in frame.objects.class_name], dtype=np.int64)
        if (expected[owner[owned] - 1] != semantic[owned]).any():
            codes.append("label_mismatch")
    return codes


def _boxes_inside(sensor: SensorFrame) -> bool:
    """Whether every tight box that is given lies in the image, least corner first."""
    boxes = np.asarray(sensor.view.bbox_tight, dtype=np.float64).reshape(-1, 4)
    boxes = boxes[~(boxes == -1).all(axis=1)]
    size = np.array([sensor.intrinsics.width, sensor.intrinsics.height]) - 1
    low, high = boxes[:, :2], boxes[:, 2:]
    return bool(((low <= high) & (low >= -_EDGE) & (high <= size + _EDGE)).all())


def _boxes_match(sensor: SensorFrame, owner: np.ndarray, count: int) -> bool:
    """Whether visible pixels and tight boxes are those of the mask; views without counts (real frames without masks) pass."""
    view = sensor.view
    if not (view.visible > 0).any():
        return True
    pixels = np.bincount(np.maximum(owner, 0).ravel(), minlength=count + 1)[1:]
    if (pixels != view.visible).any():
        return False
    (left, right), (top, bottom) = _spans(owner.T, count), _spans(owner, count)
    found = np.stack([left, top, right, bottom], axis=-1)
    return bool((np.abs(found - np.asarray(view.bbox_tight, dtype=np.float64))[pixels > 0] <= _EDGE).all())


def _spans(owner: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last row [count] of each owner 1 … count in an image [H, W]; of one that has no pixel they mean nothing."""
    held = np.zeros((len(owner), count + 1), dtype=bool)
    held[np.arange(len(owner))[:, None], np.maximum(owner, 0)] = True
    return held.argmax(axis=0)[1:], len(owner) - 1 - held[::-1].argmax(axis=0)[1:]


def set_rows(
    evidence: Mapping[str, Evidence],
    attributes: Sequence[Mapping[str, str]],
    groups: Sequence[str] | None = None,
    real: Mapping[str, Evidence] | None = None,
    pinned: Set[tuple[str, str]] = frozenset(),
) -> list[Row]:
    """Rows of what only a whole set can show: ``near_duplicates``, and ``class_attribute_association`` per class and condition.

    Args:
        evidence: frame name -> its evidence.
        attributes: conditions of each frame in the same order: light, weather, context, material and the like; those that not all frames have are
            left out.
        groups: clip of each frame, in the same order; frames of one clip share their conditions and are no repeats of each other. None: every frame
            by itself.
        real: evidence of real frames, no two of one recording's neighbours: what repeats there may repeat here. None: MAX_REPEATS alone decides.
        pinned: (class, condition) that the budget's cells tie together on purpose.
    """
    owners = list(evidence) if groups is None else [str(g) for g in groups]
    return [_repeats(evidence, owners, real), *_giveaways(evidence, attributes, owners, pinned)]


def _repeats(evidence: Mapping[str, Evidence], owners: Sequence[str], real: Mapping[str, Evidence] | None) -> Row:
    """Share of frames with a near-duplicate in another clip. Its limit is what as many frames as varied as the real ones would have."""
    n = len(evidence)
    if n < 2:
        return Row("near_duplicates", None, n=n, gates=True, note="one frame cannot repeat another")
    value = float(np.mean(near_counts([e.signature for e in evidence.values()], owners) > 0))
    null = None
    if real is not None and len(real) > 1:
        rate = near_counts([e.signature for e in real.values()], list(real)) / (len(real) - 1)
        share = 1.0 - (1.0 - rate) ** (n - 1)
        draw = rng(0, "integrity", 0, 0, 0, "near_duplicates")
        null = Null.of(share[draw.integers(len(share), size=(_BOOTSTRAPS, len(share)))].mean(axis=1))
    limit = max(MAX_REPEATS, null.q95) if null else MAX_REPEATS
    note = f"share of frames within {NEAR} of 256 bits of a frame of another clip"
    return Row("near_duplicates", value, n=n, limit=limit, null=null, gates=True, verdict="failed" if value > limit else "ok", note=note)


def _giveaways(
    evidence: Mapping[str, Evidence], attributes: Sequence[Mapping[str, str]], owners: Sequence[str], pinned: Set[tuple[str, str]]
) -> list[Row]:
    """Cramér's V of every class shown with every condition, over clips, pinned pairs left out."""
    units = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
    unit = [units[o] for o in owners]
    seen = [{c.class_name for c in e.crops} for e in evidence.values()]
    labels = {c: np.zeros(len(units), dtype=bool) for c in sorted(set().union(*seen))}
    for i, classes in zip(unit, seen, strict=True):
        for name in classes:
            labels[name][i] = True
    common = sorted(set.intersection(*(set(a) for a in attributes))) if attributes else []
    first = {i: frame for frame, i in reversed(list(enumerate(unit)))}
    conditions = {key: [str(attributes[first[i]][key]) for i in range(len(units))] for key in common}
    return [
        Row(
            "class_attribute_association",
            found.v,
            class_name=found.label,
            stratum=found.condition,
            n=len(units),
            limit=max(found.limit, WEAK_ASSOCIATION),
            null=found.null,
            gates=True,
            verdict="no power" if found.limit >= 1.0 else "failed" if found.v > max(found.limit, WEAK_ASSOCIATION) else "ok",
            note="Cramér's V over clips; the limit allows for all pairs tested",
        )
        for found in associations(labels, conditions, pinned)
    ]
