"""omni.replicator.core.settings: short ways to carb settings and stage metadata."""

from __future__ import annotations

from .checks import behaves
from .core_utils import set_stage_units
from .core_utils import set_stage_up_axis as up_axis_of_stage
from .settings import Settings
from .sim import sim

S = "omni.replicator.core.settings."
ANTIALIASING = {"Off": 0, "TAA": 1, "FXAA": 2, "DLSS": 3, "DLAA": 4}


@behaves(S + "carb_settings")
def carb_settings(setting, value):
    sim().part(Settings).put(setting, value)


@behaves(S + "set_render_rtx_realtime")
def set_render_rtx_realtime(antialiasing="FXAA"):
    if antialiasing not in ANTIALIASING:
        raise ValueError(f"antialiasing must be one of {', '.join(ANTIALIASING)}, got {antialiasing!r}")
    sim().part(Settings).put("/rtx/rendermode", "RaytracedLighting" if sim().flavour == "5.1" else "RealTimePathTracing")
    sim().part(Settings).put("/rtx/post/aa/op", ANTIALIASING[antialiasing])


@behaves(S + "set_render_pathtraced")
def set_render_pathtraced(samples_per_pixel=64):
    sim().part(Settings).put("/rtx/rendermode", "PathTracing")
    sim().part(Settings).put("/rtx/pathtracing/spp", int(samples_per_pixel))
    sim().part(Settings).put("/rtx/pathtracing/totalSpp", int(samples_per_pixel))


@behaves(S + "set_stage_meters_per_unit")
def set_stage_meters_per_unit(meters_per_unit):
    set_stage_units(meters_per_unit=meters_per_unit)


@behaves(S + "set_stage_up_axis")
def set_stage_up_axis(up_axis):
    up_axis_of_stage(up_axis)
