"""Read ``UsdPreviewSurface`` materials and their LiDAR reflectance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd, UsdShade

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Relative luminance of linear sRGB primaries (ITU-R BT.709)."""

REFLECTANCE = "tailgate:reflectance"
DEFAULTS = {"diffuseColor": (0.18, 0.18, 0.18), "roughness": 0.5, "metallic": 0.0, "emissiveColor": (0.0, 0.0, 0.0), "opacity": 1.0}
"""Fallbacks of the UsdPreviewSurface specification."""


@dataclass(frozen=True)
class Surface:
    """Constant material parameters.

    Attributes:
        diffuse, emissive: linear RGB.
        roughness, metallic, opacity: 0..1.
        reflectance: LiDAR reflectance at 905 nm, Lambertian, 0..1.
    """

    diffuse: tuple[float, float, float] = (0.5, 0.5, 0.5)
    roughness: float = 0.7
    metallic: float = 0.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    opacity: float = 1.0
    reflectance: float = 0.5

    def row(self) -> list[float]:
        """The ten numbers of ``COLUMNS`` as the renderer stores them."""
        return [*self.diffuse, self.roughness, self.metallic, *self.emissive, self.opacity, self.reflectance]


COLUMNS = 10


class MaterialReader:
    """Holds the attributes that a material's constants come from, so that reading it again is cheap.

    Args:
        material: the material.
        skipped: names of what cannot be honoured are added here.
    """

    coordinates: str | None = None

    def __init__(self, material: UsdShade.Material, skipped: set[str]):
        self.path = material.GetPath().pathString
        self._material = material
        self.resolve(skipped)
        if self.read().opacity < 1.0:
            skipped.add(f"material {self.path}: opacity below 1 is shown opaque and dark")

    def resolve(self, skipped: set[str]) -> None:
        """Find the attributes anew, after inputs were added."""
        self._attributes: dict[str, Usd.Attribute] = {}
        self._fixed: dict[str, object] = {}
        shader = surface_shader(self._material)
        self._shaders = {shader.GetPath().pathString} if shader else set()
        if shader is None:
            skipped.add(f"material {self.path}: no UsdPreviewSurface, shown grey")
        for name in DEFAULTS if shader else ():
            self._find(shader, name, skipped)
        self._reflectance = self._material.GetPrim().GetAttribute(REFLECTANCE)

    def _find(self, shader: UsdShade.Shader, name: str, skipped: set[str]) -> None:
        """Resolve one input to the attribute that holds its value, or to the mean of its texture."""
        entry = shader.GetInput(name)
        sources = entry.GetValueProducingAttributes() if entry else []
        if not sources:
            return
        if sources[0].GetName().startswith("outputs:"):
            skipped.add(f"material {self.path}: {name} is connected to a texture or node, its mean colour is shown")
            self._fixed[name] = texture_mean(sources[0].GetPrim(), name)
        else:
            self._attributes[name] = sources[0]

    def prim_paths(self) -> set[str]:
        """Paths of the prims whose attributes the constants come from."""
        return {self.path, *(a.GetPrimPath().pathString for a in self._attributes.values()), *self._shaders}

    def read(self) -> Surface:
        """Current constants. Reflectance falls back to the luminance of the diffuse colour."""
        from pxr import Usd

        got = dict(self._fixed)
        for name, attribute in self._attributes.items():
            got[name] = attribute.Get(Usd.TimeCode.EarliestTime())
        held = {name: got[name] if got.get(name) is not None else default for name, default in DEFAULTS.items()}
        diffuse = tuple(float(c) for c in held["diffuseColor"])
        reflectance = self._reflectance.Get() if self._reflectance else None
        return Surface(
            diffuse=diffuse,
            roughness=float(held["roughness"]),
            metallic=float(held["metallic"]),
            emissive=tuple(float(c) for c in held["emissiveColor"]),
            opacity=float(held["opacity"]),
            reflectance=float(np.clip(np.dot(LUMINANCE, diffuse) if reflectance is None else reflectance, 0.0, 1.0)),
        )


def surface_shader(material: UsdShade.Material) -> UsdShade.Shader | None:
    """The UsdPreviewSurface shader of a material, or None."""
    source = material.ComputeSurfaceSource("")
    shader = source[0] if isinstance(source, tuple) else source
    if shader and shader.GetIdAttr().Get() == "UsdPreviewSurface":
        return shader
    return None


def texture_mean(shader: Usd.Prim, name: str) -> object:
    """Mean value of a connected ``UsdUVTexture`` (sRGB decoded to linear for colours), or None if it cannot be read."""
    entry = shader.GetAttribute("inputs:file")
    asset = entry.Get() if entry else None
    path = (asset.resolvedPath or asset.path) if asset else ""
    colour = isinstance(DEFAULTS[name], tuple)
    try:
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((64, 64)), np.float64) / 255
    except (OSError, ValueError, ImportError):
        return None
    if not colour:
        return float(pixels.mean())
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    return tuple(linear.reshape(-1, 3).mean(0))
