"""The two anonymous layers under the session layer: ``pool`` (authored once per scenario) and ``frame`` (values overwritten per clip).

The session layer is stronger than the root layer, so opinions here win over the user's scene without touching it; the frame layer is listed
before the pool and wins over it. Everything is written through Sdf on the layers themselves: the stage's edit target never moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.errors import UserError, close_to
from tailgate.stage.composition import hushed, spelled, syntax_error
from tailgate.stage.labels import SCHEMA, attribute_name
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Sdf, Usd


def open_base(source: str | Path | Usd.Stage) -> Usd.Stage:
    """Open a base scene: a USD file, or a stage that is open already (in Kit).

    Returns:
        The stage, in the unit and with the up axis that it declares.

    Raises:
        UserError: the file does not exist or does not open, its unit is not a length, or its up axis neither Y nor Z.
    """
    from pxr import Tf, Usd, UsdGeom

    stage = source
    if isinstance(source, (str, Path)):
        if not Path(source).is_file():
            close = close_to(Path(source).name, usd_files(Path(source).parent))
            what = "this is a folder" if Path(source).is_dir() else f"this file was not found{close}"
            raise UserError(f"base scene must be a USD file, and {what}", source)
        try:
            with hushed():
                stage = Usd.Stage.Open(str(source))
        except Tf.ErrorException as error:
            raise UserError(f"base scene must be a readable USD file, and USD cannot open it{syntax_error(spelled(error))}", source) from None
    unit = UsdGeom.GetStageMetersPerUnit(stage)
    if not 0 < unit < float("inf"):
        raise UserError(f"metersPerUnit must be a number of metres above 0, got {unit:g}", stage.GetRootLayer().identifier)
    if UsdGeom.GetStageUpAxis(stage) not in (UsdGeom.Tokens.y, UsdGeom.Tokens.z):
        raise UserError(f"upAxis must be Y or Z, got {UsdGeom.GetStageUpAxis(stage)}", stage.GetRootLayer().identifier)
    return stage


def usd_files(folder: Path) -> list[str]:
    """Names of the USD files in a folder, [] for none."""
    return sorted(path.name for path in folder.glob("*.usd*") if path.suffix in (".usd", ".usda", ".usdc", ".usdz")) if folder.is_dir() else []


def beside(stage: Usd.Stage) -> Usd.Stage:
    """A second stage over the same layers, loaded alike, with a session layer of its own: what is written there the first one never sees."""
    from pxr import Sdf, Usd

    session = Sdf.Layer.CreateAnonymous("tailgate_beside")
    session.subLayerPaths.append(stage.GetSessionLayer().identifier)
    with hushed():
        made = Usd.Stage.Open(stage.GetRootLayer(), session, stage.GetPathResolverContext(), Usd.Stage.LoadNone)
        made.MuteAndUnmuteLayers(stage.GetMutedLayers(), [])
        made.SetLoadRules(stage.GetLoadRules())
    return made


def _convert(value_type: str, value: Any) -> Any:
    """Turn plain data into the Gf value of a USD type. A matrix is given for column vectors, as nested lists [4][4]."""
    from pxr import Gf

    if value_type == "matrix4d":
        a, b, c, d = value
        return Gf.Matrix4d(a[0], b[0], c[0], d[0], a[1], b[1], c[1], d[1], a[2], b[2], c[2], d[2], a[3], b[3], c[3], d[3])
    if value_type in ("color3f", "float3"):
        return Gf.Vec3f(*value)
    return {"float": float, "double": float, "int": int, "bool": bool}.get(value_type, lambda v: v)(value)


def plain(value: Any) -> Any:
    """Turn a value read from a stage into plain data: the inverse of what ``FrameLayer`` writes."""
    from pxr import Gf

    if isinstance(value, Gf.Matrix4d):
        return [list(row) for row in value.GetTranspose()]
    if isinstance(value, (Gf.Vec3f, Gf.Vec3d)):
        return value[:]
    return value


def _attribute(layer: Sdf.Layer, path: str, value_type: str, custom: bool) -> Sdf.AttributeSpec:
    """The attribute spec of a path; made where it is missing, with its prim spec (an ``over`` where the layer has none)."""
    from pxr import Sdf

    held = layer.GetAttributeAtPath(path)
    if held:
        return held
    prim_path, _, name = path.partition(".")
    prim = layer.GetPrimAtPath(prim_path) or Sdf.CreatePrimInLayer(layer, prim_path)
    return Sdf.AttributeSpec(prim, name, Sdf.ValueTypeNames.Find(value_type), declaresCustom=custom)


class PoolLayer:
    """Prims that clips choose from: asset slots, lights, the rig. Authored before it is attached to a stage."""

    def __init__(self, name: str = "pool") -> None:
        from pxr import Sdf

        self.layer = Sdf.Layer.CreateAnonymous(f"tailgate_{name}")

    def define(self, path: str, type_name: str = "Xform", reference: str | Path | None = None) -> None:
        """Define a prim, with a reference to the default prim of a USD file if given; parents without a type become Xforms."""
        from pxr import Sdf

        breathe()
        prim = Sdf.CreatePrimInLayer(self.layer, path)
        prim.specifier, prim.typeName = Sdf.SpecifierDef, type_name
        parent = prim.nameParent
        while parent and not parent.path.isEmpty and parent.path != Sdf.Path.absoluteRootPath:
            parent.specifier = Sdf.SpecifierDef
            parent.typeName = parent.typeName or "Xform"
            parent = parent.nameParent
        if reference is not None:
            prim.referenceList.Prepend(Sdf.Reference(str(reference)))

    def set(self, path: str, value_type: str, value: Any, custom: bool = False) -> None:
        """Write an attribute ``/Prim.name``; ``value`` is plain data."""
        _attribute(self.layer, path, value_type, custom).default = _convert(value_type, value)

    def single_transform(self, path: str) -> None:
        """Give a prim exactly one ``xformOp:transform``, the identity."""
        self.set(f"{path}.xformOp:transform", "matrix4d", IDENTITY)
        self.set(f"{path}.xformOpOrder", "token[]", ["xformOp:transform"])

    def schemas(self, path: str, names: Sequence[str]) -> None:
        """Apply API schemas to a defined prim, known to this OpenUSD or not."""
        from pxr import Sdf

        self.layer.GetPrimAtPath(path).SetInfo("apiSchemas", Sdf.TokenListOp.Create(prependedItems=list(names)))

    def label(self, path: str, taxonomy: str, label: str) -> None:
        """Write a semantic label as ``stage.labels.set_labels`` does, without an edit target."""
        self.schemas(path, [f"{SCHEMA}:{taxonomy}"])
        self.set(f"{path}.{attribute_name(taxonomy)}", "token[]", [label])


IDENTITY = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


class FrameLayer:
    """Values that change per clip. Every spec is made once by ``declare``; afterwards only values are written."""

    def __init__(self) -> None:
        from pxr import Sdf

        self.layer = Sdf.Layer.CreateAnonymous("tailgate_frame")
        self._specs: dict[str, tuple[Sdf.AttributeSpec, str]] = {}
        self._defaults: dict[str, Any] = {}
        self._current: dict[str, Any] = {}
        self._pending: dict[str, Any] | None = None

    def declare(self, path: str, value_type: str, default: Any, custom: bool = False) -> None:
        """Make the spec of an attribute ``/Prim.name`` and write its default (plain data). A second declaration changes nothing."""
        if path in self._specs:
            return
        breathe()
        spec = _attribute(self.layer, path, value_type, custom)
        spec.default = _convert(value_type, default)
        self._specs[path] = (spec, value_type)
        self._defaults[path] = self._current[path] = default

    @property
    def declared(self) -> Mapping[str, Any]:
        """Default of every declared attribute, by path."""
        return self._defaults

    @contextmanager
    def update(self) -> Iterator[FrameLayer]:
        """Collect ``write`` calls; on leaving, set what differs from the present values in one change block.

        An attribute that is not written goes back to its default, so the state after an update depends on that update alone, and one without
        writes resets all: nothing of the pool is shown, materials and lights are the base scene's own. If the body raises, nothing is written.
        """
        self._pending = {}
        try:
            yield self
            self._flush(self._pending)
        finally:
            self._pending = None

    def write(self, path: str, value: Any) -> None:
        """Set a declared attribute to plain data; only inside ``update``."""
        if path not in self._specs:
            raise KeyError(f"'{path}' was not declared, so it cannot be written per clip")
        self._pending[path] = value

    def _flush(self, pending: Mapping[str, Any]) -> None:
        from pxr import Sdf

        with Sdf.ChangeBlock():
            for path, default in self._defaults.items():
                value = pending.get(path, default)
                if value != self._current[path]:
                    spec, value_type = self._specs[path]
                    spec.default = _convert(value_type, value)
                    self._current[path] = value


ROOT, RESOLVE = "/Tailgate", "xformOp:transform:unitsResolve"


class SceneLayers:
    """Pool and frame layer of one scenario on one stage. Everything below ``/Tailgate`` is in metres with z up, whatever the stage is in."""

    def __init__(self, stage: Usd.Stage) -> None:
        from tailgate.stage.extract import world_correction

        self.stage = stage
        self.pool, self.frame = PoolLayer(), FrameLayer()
        self._attached = False
        T_world_stage = world_correction(stage)
        if not np.array_equal(T_world_stage, np.eye(4)):
            self.pool.define(ROOT)
            self.pool.set(f"{ROOT}.{RESOLVE}", "matrix4d", np.linalg.inv(T_world_stage).tolist())
            self.pool.set(f"{ROOT}.xformOpOrder", "token[]", [RESOLVE])

    def attach(self) -> None:
        """Insert both layers in front of the session layer's own sublayers, the frame layer first."""
        add_sublayers(self.stage, [self.frame.layer, self.pool.layer])
        self._attached = True

    def value(self, path: str) -> Any:
        """Composed value of an attribute as plain data, None where there is none."""
        attribute = self.stage.GetAttributeAtPath(path)
        return plain(attribute.Get()) if attribute else None

    def close(self) -> None:
        """Remove both layers from the session layer; safe to call twice."""
        if self._attached:
            remove_sublayers(self.stage, [self.frame.layer, self.pool.layer])
            self._attached = False


def add_sublayers(stage: Usd.Stage, layers: Sequence[Sdf.Layer]) -> None:
    """Put layers in front of the session layer's sublayers, the strongest first."""
    session = stage.GetSessionLayer()
    session.subLayerPaths[:] = [*(layer.identifier for layer in layers), *session.subLayerPaths]


def remove_sublayers(stage: Usd.Stage, layers: Sequence[Sdf.Layer]) -> None:
    """Take layers out of the session layer's sublayers."""
    session, ours = stage.GetSessionLayer(), {layer.identifier for layer in layers}
    session.subLayerPaths[:] = [p for p in session.subLayerPaths if p not in ours]


def pose_matrix(x: float, y: float, z: float, yaw_deg: float) -> list[list[float]]:
    """T_world_object of an upright object at (x, y, z) [m], turned by ``yaw_deg`` about z; nested lists [4][4] for column vectors."""
    from math import cos, radians, sin

    c, s = cos(radians(yaw_deg)), sin(radians(yaw_deg))
    return [[c, -s, 0.0, x], [s, c, 0.0, y], [0.0, 0.0, 1.0, z], [0.0, 0.0, 0.0, 1.0]]
