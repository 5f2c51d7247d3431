"""isaacsim.core helpers: app, stage, prims, labels, simulation, assets."""

from __future__ import annotations

from typing import Any

import numpy as np
from tailgate.stage.labels import set_labels

from .checks import behaves
from .functional import clear_labels
from .kit import ExtensionManager
from .labels import own_labels
from .products import prim_path
from .sim import Sim, given, sim, within_loop
from .timeline import ITimeline, Timeline
from .usd import Context

APP, STAGE, PRIM = (f"isaacsim.core.experimental.utils.{part}." for part in ("app", "stage", "prim"))
LABELS6, LABELS5 = "isaacsim.core.experimental.utils.semantics.", "isaacsim.core.utils.semantics."


# app ------------------------------------------------------------------------------------------------------------------------------------------------


@behaves(APP + "update_app")
def update_app(*, steps=1, callback=None):
    if within_loop() or sim().mode != "standalone":
        raise RuntimeError("update_app blocks and cannot run inside Kit's own loop: await update_app_async")
    for step in range(steps):
        sim().tick()
        if callback is not None and given(callback, step, steps) is False:
            break


@behaves(APP + "update_app_async")
async def update_app_async(*, steps=1, callback=None):
    for step in range(steps):
        await sim().next_tick()
        if callback is not None and given(callback, step, steps) is False:
            break


def _timeline(name: str) -> None:
    @behaves(APP + name)
    def call(*, commit=True):
        getattr(ITimeline(), name)()
        if commit:
            sim().part(Timeline).commit()


for _name in ("play", "pause", "stop"):
    _timeline(_name)


@behaves(APP + "is_playing")
def is_playing():
    return sim().part(Timeline).playing


@behaves(APP + "enable_extension")
def enable_extension(name, *, enabled=True):
    return ExtensionManager().set_extension_enabled_immediate(name, enabled)


@behaves(APP + "is_extension_enabled")
def is_extension_enabled(name):
    return ExtensionManager().is_extension_enabled(name)


@behaves(APP + "get_extension_path")
def get_extension_path(name):
    return ExtensionManager().get_extension_path(name)


# stage ----------------------------------------------------------------------------------------------------------------------------------------------


@behaves(STAGE + "get_current_stage")
def get_current_stage(*, backend=None):
    return sim().stage


@behaves(STAGE + "create_new_stage")
def create_new_stage(*, template=None):
    Context().new_stage()
    return sim().stage


@behaves(STAGE + "create_new_stage_async")
async def create_new_stage_async(*, template=None):
    await Context().new_stage_async()
    return sim().stage


@behaves(STAGE + "open_stage")
def open_stage(usd_path):
    done = Context().open_stage(usd_path)
    return done, sim().stage if done else None


@behaves(STAGE + "open_stage_async")
async def open_stage_async(usd_path):
    done, _ = await Context().open_stage_async(usd_path)
    return done, sim().stage if done else None


@behaves(STAGE + "is_stage_loading")
def is_stage_loading():
    return False


@behaves(STAGE + "define_prim")
def define_prim(path, type_name="Xform"):
    return sim().stage.DefinePrim(path, type_name)


@behaves(STAGE + "delete_prim")
def delete_prim(prim):
    return sim().stage.RemovePrim(prim_path(prim))


@behaves(STAGE + "add_reference_to_stage")
def add_reference_to_stage(usd_path, path, *, prim_type="Xform", variants=None):
    prim = sim().stage.DefinePrim(path, prim_type)
    prim.GetReferences().AddReference(str(usd_path))
    for name, choice in variants or []:
        prim.GetVariantSet(name).SetVariantSelection(choice)
    return prim


@behaves(STAGE + "set_stage_units")
def set_stage_units(*, meters_per_unit=None, kilograms_per_unit=None):
    from pxr import UsdGeom

    if meters_per_unit is not None:
        UsdGeom.SetStageMetersPerUnit(sim().stage, float(meters_per_unit))


@behaves(STAGE + "set_stage_up_axis")
def set_stage_up_axis(up_axis):
    from pxr import UsdGeom

    UsdGeom.SetStageUpAxis(sim().stage, str(up_axis).upper())


@behaves(STAGE + "generate_next_free_path")
def generate_next_free_path(path=None, *, prepend_default_prim=True):
    stage = sim().stage
    root = str(stage.GetDefaultPrim().GetPath()) if prepend_default_prim and stage.GetDefaultPrim() else ""
    out = stem = f"{root}/{(path or 'Prim').lstrip('/')}"
    n = 0
    while stage.GetPrimAtPath(out):
        n += 1
        out = f"{stem}_{n:02d}"
    return out


@behaves(PRIM + "get_prim_at_path")
def get_prim_at_path(path):
    return sim().stage.GetPrimAtPath(prim_path(path))


@behaves(PRIM + "get_prim_path")
def get_prim_path(prim):
    return prim_path(prim)


@behaves(PRIM + "create_prim_attribute")
def create_prim_attribute(prim, *, name, type_name, exist_ok=True):
    held = sim().stage.GetPrimAtPath(prim_path(prim))
    if held.HasAttribute(name) and not exist_ok:
        raise RuntimeError(f"{held.GetPath()} has the attribute {name} already")
    held.CreateAttribute(name, type_name)


# labels ---------------------------------------------------------------------------------------------------------------------------------------------


@behaves(LABELS6 + "add_labels")
def add_labels(prim, *, labels, taxonomy="class"):
    held = sim().stage.GetPrimAtPath(prim_path(prim))
    names = [labels] if isinstance(labels, str) else list(labels)
    set_labels(held, taxonomy, list(dict.fromkeys([*own_labels(held).get(taxonomy, []), *names])))


@behaves(LABELS6 + "get_labels")
def get_labels(prim, *, include_descendants=False):
    held = sim().stage.GetPrimAtPath(prim_path(prim))
    if include_descendants:
        from pxr import Usd

        return {str(p.GetPath()): own_labels(p) for p in Usd.PrimRange(held) if own_labels(p)}
    return own_labels(held)


@behaves(LABELS6 + "remove_labels")
def remove_labels(prim, *, labels, taxonomy=None, include_descendants=False):
    for held in _range(prim, include_descendants):
        gone = {labels} if isinstance(labels, str) else set(labels)
        for name, names in own_labels(held).items():
            if taxonomy in (None, name):
                set_labels(held, name, [n for n in names if n not in gone])


@behaves(LABELS6 + "remove_all_labels")
def remove_all_labels(prim, *, remove_taxonomies=False, include_descendants=False):
    for held in _range(prim, include_descendants):
        clear_labels(held)


@behaves(LABELS5 + "add_labels")
def add_labels_5(prim, labels, instance_name="class", overwrite=True):
    if isinstance(labels, str):
        raise TypeError("labels must be a list of text")
    own = [] if overwrite else own_labels(prim).get(instance_name, [])
    set_labels(prim, instance_name, [*own, *labels])


@behaves(LABELS5 + "get_labels")
def get_labels_5(prim):
    return own_labels(prim)


@behaves(LABELS5 + "remove_labels")
def remove_labels_5(prim, instance_name=None, include_descendants=False):
    for held in _range(prim, include_descendants):
        clear_labels(held, instance_name)


def _range(prim: Any, descendants: bool) -> list[Any]:
    from pxr import Usd

    held = sim().stage.GetPrimAtPath(prim_path(prim))
    return list(Usd.PrimRange(held)) if descendants else [held]


# simulation and assets ------------------------------------------------------------------------------------------------------------------------------


class Callbacks:
    """Physics callbacks; those that stay are leftovers."""

    def __init__(self, owner: Sim):
        self.held: dict[int, Any] = {}
        self._next = 0
        owner.physics(self._step)

    def add(self, function: Any) -> int:
        """Number of the callback."""
        self._next += 1
        self.held[self._next] = function
        return self._next

    def _step(self, dt: float) -> None:
        for function in list(self.held.values()):
            given(function, dt)

    def leftovers(self) -> list[str]:
        """Callbacks."""
        return [f"physics callback {function}" for function in self.held.values()]


@behaves("isaacsim.core.simulation_manager.SimulationManager")
class SimulationManager:
    """Physics as far as it is pretended here: callbacks at each playing tick."""

    @classmethod
    def get_simulation_time(cls):
        return sim().part(Timeline).time

    @classmethod
    def get_physics_dt(cls, physics_scene=None):
        return 1.0 / 60.0

    @classmethod
    def assets_loading(cls):
        return False

    @classmethod
    def register_callback(cls, callback, event, order=0, name=None, **kwargs):
        return sim().part(Callbacks).add(callback)

    @classmethod
    def deregister_callback(cls, *args, **kwargs):
        (uid,) = (*args, *kwargs.values())
        if sim().part(Callbacks).held.pop(uid, None) is None:
            raise ValueError(f"no physics callback has the id {uid}")


@behaves("isaacsim.storage.native.get_assets_root_path")
def get_assets_root_path(*, skip_check=False):
    from .settings import setting

    root = setting("/persistent/isaac/asset_root/default")
    if skip_check and root:
        return root
    raise RuntimeError("the asset root cannot be reached")


@behaves("isaacsim.storage.native.get_assets_root_path_async")
async def get_assets_root_path_async(*, skip_check=False):
    return get_assets_root_path(skip_check=skip_check)


@behaves("isaacsim.storage.native.is_file")
def is_file(path):
    from pathlib import Path

    return Path(path).is_file()


def array(values: Any, width: int, count: int) -> np.ndarray:
    """Values of an experimental wrapper, one row per prim."""
    held = np.asarray(values.numpy() if hasattr(values, "numpy") else values, float).reshape(-1, width)
    return np.broadcast_to(held, (count, width)) if len(held) == 1 else held


@behaves("isaacsim.core.experimental.prims.XformPrim")
class XformPrim:
    """Poses of several prims; quaternions are (w, x, y, z)."""

    def __init__(self, paths, *, resolve_paths=True, reset_xform_op_properties=False, **pose):
        self._prims = [sim().stage.GetPrimAtPath(p) for p in ([paths] if isinstance(paths, str) else paths)]
        if not all(self._prims):
            raise ValueError(f"{paths} must be prims of the stage")
        if pose.get("positions") is not None or pose.get("translations") is not None or pose.get("orientations") is not None:
            self.set_local_poses(pose.get("translations", pose.get("positions")), pose.get("orientations"))
        if pose.get("scales") is not None:
            self.set_local_scales(pose["scales"])

    def _chosen(self, indices: Any) -> list[Any]:
        return self._prims if indices is None else [self._prims[int(i)] for i in np.ravel(indices)]

    def set_local_poses(self, translations=None, orientations=None, *, indices=None):
        from .xforms import place

        held = self._chosen(indices)
        where = [None] * len(held) if translations is None else array(translations, 3, len(held))
        turn = [None] * len(held) if orientations is None else array(orientations, 4, len(held))
        for prim, t, q in zip(held, where, turn, strict=True):
            place(prim, t, q)

    def set_local_scales(self, scales=None, *, indices=None):
        from .xforms import place

        held = self._chosen(indices)
        for prim, s in zip(held, array(scales, 3, len(held)), strict=True):
            place(prim, scale=s)

    def set_visibilities(self, visibilities, *, indices=None):
        from .functional import visibility

        for prim, on in zip(self._chosen(indices), np.ravel(visibilities), strict=True):
            visibility([prim], bool(on))

    def get_world_poses(self, *, indices=None):
        from pxr import Gf, Usd, UsdGeom

        cache = UsdGeom.XformCache(Usd.TimeCode.EarliestTime())
        where, turn = [], []
        for prim in self._chosen(indices):
            T = cache.GetLocalToWorldTransform(prim)
            quat = Gf.Matrix4d(T).RemoveScaleShear().ExtractRotationQuat()
            where.append(list(T.ExtractTranslation()))
            turn.append([quat.GetReal(), *quat.GetImaginary()])
        from tailgate.geometry.quiet import wp

        return wp.array(np.array(where), dtype=wp.float32, device="cpu"), wp.array(np.array(turn), dtype=wp.float32, device="cpu")
