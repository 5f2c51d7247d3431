"""Authoring of a base scene: labelled static meshes, instances of shared prototypes, contexts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tailgate.assets.looks import Look, Part
from tailgate.assets.mesh_kit import Mesh, grid_triangles, join
from tailgate.assets.write import merged, new_stage, write_material, write_mesh
from tailgate.stage.labels import set_labels


def quads(corners: np.ndarray) -> Mesh:
    """Separate quadrilaterals [N, 4, 3], counter-clockwise seen from their front."""
    corners = np.asarray(corners, float).reshape(-1, 4, 3)
    first = 4 * np.arange(len(corners))[:, None]
    return Mesh(corners.reshape(-1, 3), np.concatenate([first + [0, 1, 2], first + [0, 2, 3]], 1).reshape(-1, 3))


def sheet(x: tuple[float, float], y: tuple[float, float], z: float, step: float = 5.0) -> Mesh:
    """A level rectangle that faces up, in cells of about ``step`` metres."""
    xs, ys = (np.linspace(*r, max(2, int(np.ceil((r[1] - r[0]) / step)) + 1)) for r in (x, y))
    grid = np.stack(np.meshgrid(xs, ys, indexing="ij"), -1).reshape(-1, 2)
    return Mesh(np.column_stack([grid, np.full(len(grid), z)]), grid_triangles(len(xs), len(ys), wrap_columns=False)[:, ::-1])


class Scene:
    """A base under construction: ``/World`` with ``Looks``, one scope per semantic class, and ``Contexts``."""

    def __init__(self) -> None:
        self.stage = new_stage("/World")
        for scope in ("Looks", "Contexts"):
            self.stage.DefinePrim(f"/World/{scope}", "Scope")
        self._waiting: dict[tuple[str, str], list[Part]] = {}

    def add(self, label: str, name: str, look: Look, mesh: Mesh) -> None:
        """Collect a static mesh; all of one label and name become one Mesh prim with material ``<label>_<name>``."""
        self._waiting.setdefault((label, name), []).append(Part(name, look, mesh))

    def prototype(self, name: str, parts: Sequence[Part]) -> str:
        """Author parts once below an abstract prim; returns its path for ``place``."""
        path = f"/Prototype_{name}"
        self.stage.CreateClassPrim(path)
        for part in merged(parts):
            self._mesh(f"{path}/{part.name}", f"{name}_{part.name}", part)
        return path

    def place(self, label: str, prototype: str, name: str, pose: tuple[float, float, float, float, float]) -> None:
        """Reference a prototype at (x, y, z, yaw [deg], scale)."""
        from pxr import Gf, UsdGeom

        self._scope(label)
        prim = UsdGeom.Xform.Define(self.stage, f"/World/{label}/{name}")
        prim.GetPrim().GetReferences().AddInternalReference(prototype)
        x, y, z, yaw, scale = (float(v) for v in pose)
        c, s = scale * np.cos(np.deg2rad(yaw)), scale * np.sin(np.deg2rad(yaw))
        prim.AddTransformOp().Set(Gf.Matrix4d(c, s, 0, 0, -s, c, 0, 0, 0, 0, scale, 0, x, y, z, 1))

    def spline(self, name: str, kind: str, points: np.ndarray, width: float) -> None:
        """A context along a polyline [N, 3] in its facing direction, ``width`` metres in all."""
        from pxr import UsdGeom, Vt

        curve = UsdGeom.BasisCurves.Define(self.stage, f"/World/Contexts/{name}")
        curve.CreateTypeAttr(UsdGeom.Tokens.linear)
        curve.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(np.asarray(points, np.float32)))
        curve.CreateCurveVertexCountsAttr([len(points)])
        self._context(curve, kind, width)

    def surface(self, name: str, mesh: Mesh, width: float) -> None:
        """A context over a mesh that is never rendered."""
        self._context(write_mesh(self.stage, f"/World/Contexts/{name}", mesh), "surface", width)

    def save(self, path: Path) -> None:
        """Write the collected meshes and export the layer."""
        for (label, _), group in self._waiting.items():
            self._scope(label)
            part = Part(group[0].name, group[0].look, join(*(p.mesh for p in group)), max(p.crease_deg for p in group))
            self._mesh(f"/World/{label}/{part.name}", f"{label}_{part.name}", part)
        self._waiting.clear()
        self.stage.GetRootLayer().Export(str(path))

    def _scope(self, label: str) -> None:
        if not self.stage.GetPrimAtPath(f"/World/{label}"):
            set_labels(self.stage.DefinePrim(f"/World/{label}", "Xform"), "class", label)

    def _mesh(self, path: str, look_name: str, part: Part) -> None:
        from pxr import UsdShade

        prim = write_mesh(self.stage, path, part.mesh, part.crease_deg)
        look = f"/World/Looks/{look_name}"
        existing = self.stage.GetPrimAtPath(look)
        material = UsdShade.Material(existing) if existing else write_material(self.stage, look, part.look)
        UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)

    def _context(self, schema: object, kind: str, width: float) -> None:
        from pxr import Sdf, UsdGeom

        UsdGeom.Imageable(schema).CreatePurposeAttr(UsdGeom.Tokens.guide)
        prim = schema.GetPrim()
        prim.CreateAttribute("tailgate:context", Sdf.ValueTypeNames.Token).Set(kind)
        prim.CreateAttribute("tailgate:width", Sdf.ValueTypeNames.Float).Set(float(width))
