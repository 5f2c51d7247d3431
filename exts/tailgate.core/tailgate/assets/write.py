"""Parts to USD: meshes with corner normals, preview-surface materials with LiDAR reflectance, files named by content."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.assets.looks import Look, Part
from tailgate.assets.mesh_kit import Mesh, corner_normals, with_area
from tailgate.atomic import replacing
from tailgate.errors import UserError

if TYPE_CHECKING:
    from pxr import Sdf, Usd, UsdGeom, UsdShade


def cache_folder(cache: Path | str | None = None) -> Path:
    """The asset cache: ``cache``, else ``$TAILGATE_CACHE``, else ``~/.cache/tailgate``."""
    return Path(cache or os.environ.get("TAILGATE_CACHE") or Path.home() / ".cache" / "tailgate").expanduser()


def address(**content: Any) -> str:
    """SHA-256 of the canonical JSON of what determines a file: ``content`` and the generator's own digest."""
    content["generator"] = generator_digest()
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@functools.cache
def generator_digest() -> str:
    """SHA-256 of the sources of this package: the version of whatever it generates, so that no cache outlives the code that filled it."""
    digest, folder = hashlib.sha256(), Path(__file__).parent
    for source in sorted(folder.rglob("*.py"), key=lambda p: p.relative_to(folder).as_posix()):
        digest.update(source.relative_to(folder).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def cached(cache: Path | str | None, name: str, author: Callable[[Path], None]) -> Path:
    """Return ``<cache>/<name>``; where it is missing, ``author(temporary path)`` writes it."""
    folder = cache_folder(cache)
    target = folder / name
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            author(temporary)
    except OSError as error:
        raise UserError(f"asset cache must be a writable folder, got {error.strerror or error}", folder) from error
    return target


def new_stage(root: str) -> Usd.Stage:
    """An empty stage in memory: z up, 1 m units, default prim ``root`` (an Xform)."""
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateInMemory(".usdc")
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, root).GetPrim())
    return stage


def write_material(stage: Usd.Stage, path: str, look: Look) -> UsdShade.Material:
    """Author a UsdPreviewSurface material with ``tailgate:reflectance`` and ``tailgate:grain``, and ``tailgate:transmittance`` of glass."""
    from pxr import Gf, Sdf, UsdShade

    material = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, f"{path}/Surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    for name, kind, value in (
        ("diffuseColor", Sdf.ValueTypeNames.Color3f, Gf.Vec3f(*map(float, look.color))),
        ("roughness", Sdf.ValueTypeNames.Float, float(look.roughness)),
        ("metallic", Sdf.ValueTypeNames.Float, float(look.metallic)),
        ("emissiveColor", Sdf.ValueTypeNames.Color3f, Gf.Vec3f(*map(float, look.emissive))),
        ("opacity", Sdf.ValueTypeNames.Float, float(look.opacity)),
        *((("clearcoat", Sdf.ValueTypeNames.Float, float(look.clearcoat)),) if look.clearcoat else ()),
    ):
        shader.CreateInput(name, kind).Set(value)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    for name, value in (("reflectance", look.reflectance), ("transmittance", look.transmittance), ("grain", 1.0)):
        if value is not None:
            material.GetPrim().CreateAttribute(f"tailgate:{name}", Sdf.ValueTypeNames.Float).Set(float(np.float32(value)))
    return material


def write_mesh(stage: Usd.Stage, path: str | Sdf.Path, mesh: Mesh, crease_deg: float = 40.0, double_sided: bool = False) -> UsdGeom.Mesh:
    """Author a triangle mesh with faceVarying normals (smooth below ``crease_deg``, sharp above), points rounded to 10 µm."""
    from pxr import UsdGeom, Vt

    mesh = with_area(Mesh(np.round(mesh.points, 5), mesh.triangles))
    prim = UsdGeom.Mesh.Define(stage, path)
    points = mesh.points.astype(np.float32)
    prim.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    prim.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.triangles), 3, np.int32)))
    prim.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.triangles.astype(np.int32).ravel()))
    prim.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    prim.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    if double_sided:
        prim.CreateDoubleSidedAttr(True)
    normals = np.round(corner_normals(mesh, crease_deg).reshape(-1, 3), 4).astype(np.float32)
    prim.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals))
    prim.SetNormalsInterpolation(UsdGeom.Tokens.faceVarying)
    return prim


def write_parts(stage: Usd.Stage, root: str, parts: Sequence[Part], looks: str) -> None:
    """Author each part as ``<root>/<name>`` bound to ``<looks>/<name>``; an existing material is shared."""
    from pxr import UsdShade

    for part in parts:
        prim = write_mesh(stage, f"{root}/{part.name}", part.mesh, part.crease_deg)
        existing = stage.GetPrimAtPath(f"{looks}/{part.name}")
        material = UsdShade.Material(existing) if existing else write_material(stage, f"{looks}/{part.name}", part.look)
        UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)


def merged(parts: Sequence[Part]) -> list[Part]:
    """Parts of one name become one part; the first one's look holds."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.name, []).append(part)
    together = []
    for name, group in groups.items():
        points = np.concatenate([p.mesh.points for p in group])
        starts = np.cumsum([0] + [len(p.mesh.points) for p in group[:-1]])
        triangles = np.concatenate([p.mesh.triangles + s for p, s in zip(group, starts, strict=True)])
        together.append(Part(name, group[0].look, Mesh(points, triangles), group[0].crease_deg))
    return together


def grounded(parts: Sequence[Part]) -> list[Part]:
    """Shift all parts so that the lowest point touches z = 0."""
    lowest = min(p.mesh.points[:, 2].min() for p in parts)
    return [Part(p.name, p.look, p.mesh.moved(z=-lowest), p.crease_deg) for p in parts]


def write_asset(path: Path, parts: Sequence[Part], record: Mapping[str, Any]) -> None:
    """Write an asset file: ``/Asset`` with one Mesh per part and ``/Asset/Looks/<part>``; ``record`` goes into the layer's custom data."""
    stage = new_stage("/Asset")
    stage.DefinePrim("/Asset/Looks", "Scope")
    write_parts(stage, "/Asset", merged(parts), "/Asset/Looks")
    stage.GetRootLayer().customLayerData = {"tailgate": json.dumps(record, sort_keys=True)}
    stage.GetRootLayer().Export(str(path))


def prim_name(text: str) -> str:
    """A valid prim name made of ``text``."""
    return re.sub(r"\W", "_", text) if not text[:1].isdigit() else "_" + re.sub(r"\W", "_", text)
