"""Read materials: the constants and textures of a surface, and its LiDAR reflectance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.stage.composition import hushed
from tailgate.stage.images import LUMINANCE, ImageStore
from tailgate.stage.moment import moment
from tailgate.stage.shaders import FAMILIES, PREVIEW, TEXTURED, UNSAID, Family, find_shader, omni_texture, tinted
from tailgate.stage.textures import Texture, asset_path, held, read_texture
from tailgate.stage.values import components, fits, kind_of
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Sdf, Usd, UsdShade

    from tailgate.stage.walk import Notes

"""Relative luminance of linear sRGB primaries (ITU-R BT.709)."""

OWN = ("tailgate:reflectance", "tailgate:transmittance", "tailgate:grain")
"""Attributes of a material: two for LiDAR at 905 nm, and how much of the stains and grain of large rough surfaces it shows."""
LIMITS = {
    **dict.fromkeys(("roughness", "metallic", "opacity", "clearcoat", "clearcoatRoughness", "specularColor"), (0.0, 1.0)),
    "diffuseColor": (0.0, 1e4), "emissiveColor": (0.0, 1e20), "ior": (0.0, 1e3),
}  # fmt: skip
"""Values between which an input means something, or single precision holds what is made of it."""
DIELECTRIC, TINGED = 0.04, 0.02
"""Reflectance of most dielectrics seen head-on; channels of a specular colour that differ by more are a metal's."""
GONE = 1e-3
"""Surfaces that are there to less than this share are not there."""
PRESENCE, FACE, SHEET = 0, 1, 2
"""Kinds of panes: a share of a surface that is simply not there, one face of a solid, a sheet with both its faces. Others have -1."""


@dataclass(frozen=True)
class Surface:
    """Constant material parameters; those that a texture gives hold its mean.

    Attributes:
        diffuse, emissive: linear RGB.
        roughness, metallic, opacity: 0..1.
        reflectance: LiDAR reflectance at 905 nm, Lambertian, 0..1; above 1 a retroreflector's; -1 takes the luminance of the diffuse texture.
        f0: reflectance of the coat of a dielectric seen head-on.
        cutout: opacity below which a point of the surface is not there; 0 for none.
        pane: how light passes through: ``PRESENCE``, ``FACE``, ``SHEET``, or -1 where it does not.
        tint: share of light that passes head-on, without losses at the faces, linear RGB.
        infrared: the same at 905 nm.
        coat: amount, roughness and head-on reflectance of a clear coat over all this.
        grain: share of the stains and grain that rough surfaces without an image may have; none unless asked for.
    """

    diffuse: tuple[float, float, float] = (0.5, 0.5, 0.5)
    roughness: float = 0.7
    metallic: float = 0.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    opacity: float = 1.0
    reflectance: float = 0.5
    f0: float = 0.04
    cutout: float = 0.0
    pane: int = -1
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)
    infrared: float = 0.0
    coat: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grain: float = 0.0

    def row(self) -> list[float]:
        """The numbers of ``COLUMNS`` as the renderer stores them."""
        optics = [self.opacity, self.reflectance, self.f0, self.cutout, self.pane, *self.tint, self.infrared, *self.coat, self.grain]
        return [*self.diffuse, self.roughness, self.metallic, *self.emissive, *optics]


COLUMNS, GLOW, OPACITY, CUTOUT, PANE, PASSED, COAT = 21, slice(5, 8), 8, 11, 12, slice(13, 17), 17
"""Numbers per material, and the places of emission, opacity, cut-out, pane and what passes; where the coat's three begin."""


def clouded(table: np.ndarray, share: float) -> np.ndarray:
    """Materials [M, COLUMNS] whose panes keep a share of their transparency, 0: none is a pane."""
    if share >= 1:
        return table
    out, panes = table.copy(), table[:, PANE] >= 0
    out[panes, OPACITY] = 1 - share * (1 - out[panes, OPACITY])
    out[panes, PASSED] *= share
    if share <= 0:
        out[:, PANE] = -1
    return out


class MaterialReader:
    """Holds the attributes that a material's constants come from, so that reading it again is cheap.

    Args:
        material: the material.
        notes: names of what cannot be honoured are added here.
        images: decoded images.
    """

    def __init__(self, material: UsdShade.Material, notes: Notes, images: ImageStore):
        self.path = material.GetPath().pathString
        self._material, self._images = material, images
        self.resolve(notes)
        self._check(notes)

    @hushed()
    def resolve(self, notes: Notes) -> None:
        """Find the attributes anew, after inputs were added."""
        breathe()
        self._attributes: dict[str, Usd.Attribute] = {}
        self._now = moment(self._material.GetPrim())
        self.textures: dict[str, Texture] = {}
        self.tint: tuple[float, float, float] | None = None
        shader, family, kind = find_shader(self._material)
        self._family: Family = family or FAMILIES["UsdPreviewSurface"]
        self._shaders = {shader.GetPath().pathString} if shader else set()
        if shader is None:
            notes.add(f"material {self.path}: {f'{kind} is not understood' if kind else 'it has no surface shader'}, shown grey")
        else:
            if self._family.name != "UsdPreviewSurface":
                notes.count(f"{self._family.name} is shown as its nearest UsdPreviewSurface", self.path)
            for name in self._family.defaults:
                self._find(shader, name, notes)
            if self._family.surface is dict:
                self._find(shader, "normal", notes)
            self._find_files(shader, notes)
            self._pass_over(shader, notes)
        self._own = [self._material.GetPrim().GetAttribute(name) for name in OWN]
        self._paths = {a.GetPath() for a in (*self._attributes.values(), *self._own) if a}
        names = sorted({t.coordinates for t in self.textures.values()})
        self.coordinates = names[0] if names else None
        if len(names) > 1:
            notes.add(f"material {self.path}: of the texture coordinates {', '.join(names)} only {names[0]} are used")

    def _find(self, shader: UsdShade.Shader, name: str, notes: Notes) -> None:
        """Resolve one input to the attribute that holds its value, or to its texture."""
        entry = shader.GetInput(name)
        sources = entry.GetValueProducingAttributes() if entry else []
        if not sources:
            return
        if not sources[0].GetName().startswith("outputs:"):
            self._attributes[name] = sources[0]
            return
        own, tint = NODES.get(name, name), display_colour(sources[0])
        if own == "diffuseColor" and tint is not None:
            self.tint = tint
        elif own in TEXTURED:
            found = read_texture(sources[0], f"material {self.path}: {name}", notes)
            if found:
                self.textures[own] = found
        else:
            notes.add(f"material {self.path}: {name} is connected to a node and is shown at its default")

    def _pass_over(self, shader: UsdShade.Shader, notes: Notes) -> None:
        """Name inputs without an equivalent that hold an image, a node or another value than the one at which they mean nothing."""
        from pxr import Sdf

        known = {*self._family.defaults, *(use.asset for use in self._family.files), *(["normal"] if self._family.surface is dict else [])}
        for entry in shader.GetInputs():
            name = entry.GetBaseName()
            linked = any(a.GetName().startswith("outputs:") for a in entry.GetValueProducingAttributes())
            got = held(shader, name, None)
            image = isinstance(got, Sdf.AssetPath) and got.path
            if name not in known and (linked or image or (got is not None and got != self._family.ignored.get(name, got))):
                notes.count(f"{self._family.name} input {name} is not honoured", self.path)

    def _find_files(self, shader: UsdShade.Shader, notes: Notes) -> None:
        """Textures given as asset inputs (MDL)."""
        raw = {name: held(shader, name, None) for name in ("texture_scale", "texture_translate", "texture_rotate")}
        values = self._values() if self._family.files else {}
        raw["tint"] = values.get("diffuse_tint", (1, 1, 1))
        raw["glow"] = tinted(values.get("emissive_color", (1, 1, 1)), values.get("emissive_intensity", 1.0))
        for use in self._family.files:
            asset = held(shader, use.asset, None)
            if asset and asset.path and all(held(shader, name, False) for name in use.needs):
                path = asset_path(shader, use.asset, f"material {self.path}: {use.asset}", notes)
                raw["constant"] = values.get(use.constant, 0.0)
                raw["influence"] = held(shader, use.influence, 1.0) if use.influence else 1.0
                self.textures[use.own] = omni_texture(path, use, raw)

    def _check(self, notes: Notes) -> None:
        """Name images that cannot be read, numbers that are none, glass that would bend light and opacity that cannot be shown."""

        for name, texture in self.textures.items():
            if self._images.get(texture.path) is None:
                words = f"and file {texture.path or 'without a name'} is not one; its fallback is shown"
                notes.add(f"material {self.path}: {name} must come from a readable image, {words}", "textures")
        for name, attribute in self._attributes.items():
            got, default = attribute.Get(self._now), self._family.defaults.get(name, (0.0, 0.0, 1.0))
            if got is not None and not fits(got, default):
                notes.add(f"material {self.path}: {name} must be {kind_of(default)}, got {got}; its default is shown")
        given = {**PREVIEW, **self._family.surface(self._values())}
        for name, (low, high) in LIMITS.items():
            if (shown := clipped(given[name], low, high)) != given[name]:
                notes.add(f"material {self.path}: {name} must be from {low:g} to {high:g}, got {given[name]}; {shown} is shown")
        if given["useSpecularWorkflow"] and "diffuseColor" in self.textures and np.ptp(given["specularColor"]) > TINGED:
            notes.count("of the specular workflow with a diffuse texture the specular colour is shown grey", self.path)
        if self.read().pane == FACE:
            notes.count("solid glass does not bend light", self.path)
        if "opacity" in self.textures and not self._values().get("opacityThreshold"):
            notes.count("textured opacity without a threshold is cut out at one half", self.path)

    def prim_paths(self) -> set[str]:
        """Paths of the prims whose attributes the constants come from."""
        return {self.path, *(a.GetPrimPath().pathString for a in self._attributes.values()), *self._shaders}

    def holds(self, path: Sdf.Path) -> bool:
        """Whether an attribute's value is one of those that ``read`` reads, so that nothing needs to be resolved after it has changed."""
        return not self._family.files and path in self._paths

    def _values(self) -> dict[str, Any]:
        """Values of the family's own inputs."""

        got = {name: components(attribute.Get(self._now)) for name, attribute in self._attributes.items()}
        return {name: got[name] if fits(got.get(name), default) else default for name, default in self._family.defaults.items()}

    def read(self) -> Surface:
        """Current constants. Reflectance falls back to the luminance of the diffuse colour."""
        breathe()
        got = {**PREVIEW, **UNSAID, **self._family.surface(self._values())}
        got |= {name: clipped(got[name], *limits) for name, limits in LIMITS.items()}
        for name, texture in self.textures.items():
            mean = texture.mean(self._images)
            got[name] = tuple(mean[:3]) if name in ("diffuseColor", "emissiveColor", "normal") else float(mean[max(texture.channel, 0)])
        diffuse = (1.0, 1.0, 1.0) if self.tint else tuple(max(float(c), 0.0) for c in got["diffuseColor"])
        f0 = head_on(float(got["ior"]))
        coat = (float(got["clearcoat"]), float(got["clearcoatRoughness"]), head_on(float(got["coat_ior"] or got["ior"])))
        if got["useSpecularWorkflow"]:
            f0, got["metallic"] = float(LUMINANCE @ np.array(got["specularColor"], float)), 0.0
            if np.ptp(got["specularColor"]) > TINGED and "diffuseColor" not in self.textures:
                f0, (diffuse, got["metallic"]) = DIELECTRIC, as_metal(np.array(diffuse), np.array(got["specularColor"]))
        given, through, grain = (a.Get(self._now) if a else None for a in self._own)
        reflectance = np.clip(LUMINANCE @ np.array(diffuse), 0.0, 1.0) if given is None else max(given, 0.0)
        presence = got["opacityMode"] == "presence" or f0 <= 0
        cutout, opacity = self._cutout(float(got["opacity"]), float(got["opacityThreshold"]), presence)
        pane = -1 if cutout or opacity >= 1 else PRESENCE if presence else SHEET if got["thin"] else FACE
        tint = tuple((1 - opacity) * c ** (0.5 if pane == FACE else 1.0) for c in got["tint"])
        return Surface(
            diffuse=diffuse,
            roughness=float(got["roughness"]),
            metallic=float(got["metallic"]),
            emissive=tuple(float(c) for c in got["emissiveColor"]),
            opacity=opacity,
            reflectance=-1.0 if given is None and "diffuseColor" in self.textures else reflectance,
            f0=f0,
            cutout=cutout,
            pane=pane,
            tint=tint,
            infrared=float(LUMINANCE @ np.array(tint)) if through is None else float(np.clip(through, 0.0, 1.0)),
            coat=coat if coat[0] > 0 else (0.0, 0.0, 0.0),
            grain=grain or 0.0,
        )

    def _cutout(self, opacity: float, threshold: float, presence: bool) -> tuple[float, float]:
        """Opacity below which points are not there (0: none) and the opacity of what is there; without ``presence`` clear glass still mirrors."""
        if "opacity" in self.textures:
            return (threshold or 0.5), 1.0
        if threshold > 0:
            return (0.0, 1.0) if opacity >= threshold else (2.0, 0.0)
        return (2.0, 0.0) if presence and opacity < GONE else (0.0, min(max(opacity, 0.0), 1.0))


def display_colour(source: Usd.Attribute) -> tuple[float, float, float] | None:
    """What a node that reads the display colour gives where a shape has none; None for other nodes."""
    from pxr import UsdShade

    node = UsdShade.Shader(source.GetPrim())
    if not str(node.GetShaderId()).startswith("UsdPrimvarReader") or str(held(node, "varname", "")) != "displayColor":
        return None
    return tuple(float(c) for c in held(node, "fallback", (0, 0, 0)))


def head_on(ior: float) -> float:
    """Reflectance of a dielectric's face seen head-on."""
    return ((ior - 1) / (ior + 1)) ** 2


def clipped(value: Any, low: float, high: float) -> Any:
    """A number, or each of several, brought within limits; the value itself where it lies within them."""
    if isinstance(value, (int, float)):
        return value if low <= value <= high else min(max(value, low), high)
    return value if all(low <= v <= high for v in value) else tuple(min(max(float(v), low), high) for v in value)


def as_metal(diffuse: np.ndarray, specular: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Base colour [3] and metallic share of what has a diffuse and a coloured specular reflectance [3].

    The metallic share solves for the brightness that both workflows give (Khronos, KHR_materials_pbrSpecularGlossiness, its conversion).
    """
    d, s = (float(np.sqrt(np.array([0.299, 0.587, 0.114]) @ np.square(c))) for c in (diffuse, specular))
    if s <= DIELECTRIC:
        return tuple(map(float, diffuse)), 0.0
    strong = 1.0 - float(specular.max())
    b, c = d * strong / (1 - DIELECTRIC) + s - 2 * DIELECTRIC, DIELECTRIC - s
    metallic = float(np.clip((-b + np.sqrt(b * b - 4 * DIELECTRIC * c)) / (2 * DIELECTRIC), 0.0, 1.0))
    of_diffuse = diffuse * (strong / (1 - DIELECTRIC) / max(1 - metallic, 1e-6))
    of_specular = (specular - DIELECTRIC * (1 - metallic)) / max(metallic, 1e-6)
    base = np.clip(of_diffuse + (of_specular - of_diffuse) * metallic**2, 0.0, 1.0)
    return tuple(map(float, base)), metallic


NODES = {"base_color": "diffuseColor", "specular_roughness": "roughness", "metalness": "metallic", "base_metalness": "metallic",
         "emission_color": "emissiveColor", "geometry_opacity": "opacity"}  # fmt: skip
"""MaterialX inputs that may be connected to an image, by their equivalent."""


def surface_shader(material: UsdShade.Material) -> UsdShade.Shader | None:
    """The UsdPreviewSurface shader of a material, or None."""
    shader, family, _ = find_shader(material)
    return shader if family is FAMILIES["UsdPreviewSurface"] else None
