"""How the real one misbehaves, one name each. The sections are those of the API reference this stand-in was written from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One misbehaviour.

    Attributes:
        what: what happens.
        source: where it is described.
        options: keyword -> default.
    """

    what: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)

    def with_options(self, options: dict[str, Any]) -> Fault:
        """The same with other options."""
        unknown = set(options) - set(self.options)
        if unknown:
            raise ValueError(f"unknown option {sorted(unknown)[0]!r}; this fault has {sorted(self.options) or 'none'}")
        return replace(self, options={**self.options, **options})


FAULTS = {
    "stale_frames": Fault(
        "with fewer than `subframes` subframes a capture hands out the frame before it", "6.5, rt_subframes; 10, ghosting [441]", {"subframes": 4}
    ),
    "empty_first_frame": Fault("the first `frames` captures of a render product give empty arrays", "6.2, return shape", {"frames": 1}),
    "occlusion_minus_one": Fault("occlusion ratio is -1 for objects of several meshes (of one too with `all`)", "6.2; 10 [281]", {"all": True}),
    "missing_stable_ids": Fault("every `every`-th entry of the stable id map is missing", "7, per-point label", {"every": 2}),
    "material_31": Fault("material ids of LiDAR points are 31 (invalid)", "7, per-point label [254]"),
    "late_lidar": Fault("LiDAR data come `ticks` ticks late", "7, multi-rate ticking emits asynchronously", {"ticks": 3}),
    "changing_ids": Fault("ids of instances and classes are other ones at every capture", "6.2, semantic_segmentation: ids differ between runs"),
    "no_data": Fault("the annotator (all of them with an empty name) returns nothing", "5.3, get_data; 10 [507]; 7 [110]", {"annotator": ""}),
    "reference_time_stands": Fault(
        "ReferenceTime is the timeline's, so frames rendered while it stands share one", "6.2, ReferenceTime (not established while paused)"
    ),
    "partial_scan": Fault("a LiDAR scan lacks the share `share` of its points", "7, known faults [319]", {"share": 0.4}),
    "half_timestamps": Fault("the LiDAR's timestamp array has half the length", "7, known faults [525]"),
    "zero_object_ids": Fault("object ids of LiDAR points are zero", "7, per-point label [180]"),
}
