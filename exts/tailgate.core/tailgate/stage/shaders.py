"""Shader families and their nearest UsdPreviewSurface equivalent: which inputs they have and what surface they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.stage.textures import Texture, transform2d

if TYPE_CHECKING:
    from pxr import UsdShade

PREVIEW = {
    "diffuseColor": (0.18, 0.18, 0.18), "roughness": 0.5, "metallic": 0.0, "emissiveColor": (0.0, 0.0, 0.0), "opacity": 1.0,
    "opacityMode": "transparent", "opacityThreshold": 0.0, "ior": 1.5, "useSpecularWorkflow": 0, "specularColor": (0.0, 0.0, 0.0),
    "clearcoat": 0.0, "clearcoatRoughness": 0.01,
}  # fmt: skip
"""Inputs that are honoured and their fallbacks in the UsdPreviewSurface specification."""
UNSAID = {"tint": (1.0, 1.0, 1.0), "thin": True, "coat_ior": None}
"""What UsdPreviewSurface cannot say and other families do: the colour of light that passed once, whether a surface stands for a whole sheet or is one
face of a solid, and the index of the clear coat where it is not the surface's."""
UNSEEN = {"displacement": 0.0, "occlusion": 1.0}
"""Inputs of UsdPreviewSurface that are not honoured, and where they mean nothing."""
TEXTURED = ("diffuseColor", "roughness", "metallic", "emissiveColor", "opacity", "normal")
"""Inputs that may come from a texture, in the order of the renderer's table."""


@dataclass(frozen=True)
class FileUse:
    """One use of an image that a shader names itself.

    Attributes:
        asset: input with the file.
        own: the ``TEXTURED`` input that it gives.
        channel: 0 to 3, or -1 for RGB.
        needs: inputs that must be there and not be false or 0.
        influence, constant: inputs with the share of the image, and with the value that has the rest; "" for all of it.
    """

    asset: str
    own: str
    channel: int = -1
    needs: tuple[str, ...] = ()
    influence: str = ""
    constant: str = ""


@dataclass(frozen=True)
class Family:
    """A kind of surface shader.

    Attributes:
        name: for messages.
        defaults: its inputs that matter and their fallbacks.
        surface: from the values of these inputs to those of ``PREVIEW`` and ``UNSAID``.
        files: images that it names itself; a later one takes the place of an earlier one of the same input.
        ignored: inputs without an equivalent and the value at which they mean nothing.
    """

    name: str
    defaults: dict[str, Any]
    surface: Callable[[dict], dict]
    files: tuple[FileUse, ...] = ()
    ignored: dict[str, Any] = field(default_factory=dict)


def tinted(colour: Any, *factors: Any) -> tuple[float, ...]:
    """A colour times scalars and colours."""
    return tuple(float(c) for c in np.prod([np.broadcast_to(np.asarray(f, float), 3) for f in (colour, *factors)], axis=0))


def omni_pbr(v: dict) -> dict:
    """OmniPBR (MDL): emission in nits is taken over as radiance."""
    return {
        "diffuseColor": tinted(v["diffuse_color_constant"], v["diffuse_tint"], 1.0 + v["albedo_add"], v["albedo_brightness"]),
        "roughness": v["reflection_roughness_constant"],
        "metallic": v["metallic_constant"],
        "emissiveColor": tinted(v["emissive_color"], v["emissive_intensity"] if v["enable_emission"] else 0.0),
        "opacity": v["opacity_constant"] if v["enable_opacity"] else 1.0,
        "opacityMode": "presence",
        "opacityThreshold": v["opacity_threshold"],
        "clearcoat": v["clearcoat_weight"] if v["enable_clearcoat"] else 0.0,
        "clearcoatRoughness": v["clearcoat_reflection_roughness"],
        "coat_ior": v["clearcoat_ior"],
    }


def coat(weight: float, roughness: float, ior: float) -> dict:
    """A clear coat over a surface."""
    return {"clearcoat": weight, "clearcoatRoughness": roughness, "coat_ior": ior}


def clear(presence: float, weight: float, colour: Any, thin: bool) -> dict:
    """Opacity of a surface that is there to a share ``presence`` and transmits a share ``weight`` of light in a colour."""
    if weight <= 0:
        return {"opacity": presence, "opacityMode": "presence"}
    return {"opacity": presence * (1.0 - weight), "tint": tinted(colour), "thin": thin}


def omni_surface(v: dict) -> dict:
    """OmniSurface (MDL)."""
    return {
        "diffuseColor": tinted(v["diffuse_reflection_color"], v["diffuse_reflection_weight"]),
        "roughness": v["specular_reflection_roughness"],
        "metallic": v["metalness"],
        "emissiveColor": tinted(v["emission_color"], v["emission_weight"], v["emission_intensity"]),
        "ior": v["specular_reflection_ior"],
        **coat(v["coat_weight"], v["coat_roughness"], v["coat_ior"]),
        **clear(
            v["geometry_opacity"] if v["enable_opacity"] else 1.0,
            v["specular_transmission_weight"],
            v["specular_transmission_color"],
            v["thin_walled"],
        ),
    }


def standard_surface(v: dict) -> dict:
    """Standard Surface (MaterialX)."""
    return {
        "diffuseColor": tinted(v["base_color"], v["base"]),
        "roughness": v["specular_roughness"],
        "metallic": v["metalness"],
        "emissiveColor": tinted(v["emission_color"], v["emission"]),
        "ior": v["specular_IOR"],
        **coat(v["coat"], v["coat_roughness"], v["coat_IOR"]),
        **clear(float(np.mean(v["opacity"])), v["transmission"], v["transmission_color"], v["thin_walled"]),
    }


def open_pbr(v: dict) -> dict:
    """OpenPBR surface (MaterialX)."""
    return {
        "diffuseColor": tinted(v["base_color"], v["base_weight"]),
        "roughness": v["specular_roughness"],
        "metallic": v["base_metalness"],
        "emissiveColor": tinted(v["emission_color"], v["emission_luminance"]),
        "ior": v["specular_ior"],
        **coat(v["coat_weight"], v["coat_roughness"], v["coat_ior"]),
        **clear(v["geometry_opacity"], v["transmission_weight"], v["transmission_color"], v["geometry_thin_walled"]),
    }


def glass(v: dict) -> dict:
    """OmniGlass (MDL)."""
    return {"roughness": v["frosting_roughness"], "ior": v["glass_ior"], **clear(1.0, 1.0, v["glass_color"], v["thin_walled"])}


WHITE = (1.0, 1.0, 1.0)
ROUGHLY, METALLY = "reflection_roughness_texture_influence", "metallic_texture_influence"
OMNI_PBR = Family(
    "OmniPBR",
    {
        "diffuse_color_constant": (0.2, 0.2, 0.2), "diffuse_tint": WHITE, "albedo_add": 0.0, "albedo_brightness": 1.0,
        "reflection_roughness_constant": 0.5, "metallic_constant": 0.0, "emissive_color": (1.0, 0.1, 0.1), "emissive_intensity": 40.0,
        "enable_emission": False, "opacity_constant": 1.0, "enable_opacity": False, "opacity_threshold": 0.0,
        "enable_clearcoat": False, "clearcoat_weight": 1.0, "clearcoat_reflection_roughness": 0.0, "clearcoat_ior": 1.56,
    },
    omni_pbr,
    (
        FileUse("diffuse_texture", "diffuseColor"), FileUse("normalmap_texture", "normal"),
        FileUse("opacity_texture", "opacity", 0, ("enable_opacity",)), FileUse("emissive_mask_texture", "emissiveColor", -1, ("enable_emission",)),
        FileUse("reflectionroughness_texture", "roughness", 0, (ROUGHLY,), ROUGHLY, "reflection_roughness_constant"),
        FileUse("metallic_texture", "metallic", 0, (METALLY,), METALLY, "metallic_constant"),
        FileUse("ORM_texture", "roughness", 1, ("enable_ORM_texture", ROUGHLY), ROUGHLY, "reflection_roughness_constant"),
        FileUse("ORM_texture", "metallic", 2, ("enable_ORM_texture", METALLY), METALLY, "metallic_constant"),
    ),
    {"project_uvw": False, "albedo_desaturation": 0.0},
)  # fmt: skip
FAMILIES = {
    "UsdPreviewSurface": Family("UsdPreviewSurface", PREVIEW, dict, ignored=UNSEEN),
    "ND_UsdPreviewSurface_surfaceshader": Family("MaterialX UsdPreviewSurface", PREVIEW, dict, ignored=UNSEEN),
    "OmniPBR": OMNI_PBR,
    "OmniPBR_Opacity": OMNI_PBR,
    "OmniPBR_ClearCoat": OMNI_PBR,
    "OmniPBR_ClearCoat_Opacity": OMNI_PBR,
    "OmniSurface": Family(
        "OmniSurface",
        {
            "diffuse_reflection_weight": 0.8, "diffuse_reflection_color": WHITE, "specular_reflection_roughness": 0.2,
            "specular_reflection_ior": 1.5, "metalness": 0.0, "emission_weight": 0.0, "emission_color": WHITE, "emission_intensity": 1.0,
            "enable_opacity": False, "geometry_opacity": 1.0, "specular_transmission_weight": 0.0, "specular_transmission_color": WHITE,
            "thin_walled": False, "coat_weight": 0.0, "coat_roughness": 0.0, "coat_ior": 1.5,
        },
        omni_surface,
        (FileUse("diffuse_reflection_color_image", "diffuseColor"), FileUse("geometry_normal_image", "normal")),
        {"subsurface_weight": 0.0},
    ),
    "OmniGlass": Family("OmniGlass", {"glass_color": WHITE, "frosting_roughness": 0.0, "glass_ior": 1.491, "thin_walled": False}, glass),
    "ND_standard_surface_surfaceshader": Family(
        "MaterialX standard_surface",
        {
            "base": 1.0, "base_color": (0.8, 0.8, 0.8), "specular_roughness": 0.2, "metalness": 0.0, "emission": 0.0, "emission_color": WHITE,
            "opacity": WHITE, "specular_IOR": 1.5, "transmission": 0.0, "transmission_color": WHITE, "thin_walled": False,
            "coat": 0.0, "coat_roughness": 0.1, "coat_IOR": 1.5,
        },
        standard_surface,
        ignored={"subsurface": 0.0},
    ),
    "ND_open_pbr_surface_surfaceshader": Family(
        "MaterialX open_pbr_surface",
        {
            "base_weight": 1.0, "base_color": (0.8, 0.8, 0.8), "specular_roughness": 0.3, "base_metalness": 0.0, "emission_luminance": 0.0,
            "emission_color": WHITE, "geometry_opacity": 1.0, "specular_ior": 1.5, "transmission_weight": 0.0, "transmission_color": WHITE,
            "geometry_thin_walled": False, "coat_weight": 0.0, "coat_roughness": 0.0, "coat_ior": 1.6,
        },
        open_pbr,
        ignored={"subsurface_weight": 0.0},
    ),
}  # fmt: skip


def find_shader(material: UsdShade.Material) -> tuple[UsdShade.Shader | None, Family | None, str]:
    """Surface shader of a material that is understood best: (shader, family, the kind found, for messages)."""
    found = ""
    for context in ("", "mdl", "mtlx"):
        source = material.ComputeSurfaceSource(context)
        shader = source[0] if isinstance(source, tuple) else source
        if not shader:
            continue
        kind = str(shader.GetShaderId() or shader.GetSourceAssetSubIdentifier("mdl") or "")
        kind = kind.split("(")[0].rsplit("::", 1)[-1]
        if kind in FAMILIES:
            return shader, FAMILIES[kind], kind
        found = found or kind or str(shader.GetPrim().GetAttribute("info:mdl:sourceAsset").Get() or "a shader without an id").strip("@")
    return None, None, found


def omni_texture(path: str, use: FileUse, raw: dict[str, Any]) -> Texture:
    """Texture of an asset-valued input of an Omniverse MDL material, with the material's own way of placing it."""
    scale, move = raw.get("texture_scale") or (1, 1), raw.get("texture_translate") or (0, 0)
    matrix = transform2d(float(raw.get("texture_rotate") or 0.0), tuple(scale), tuple(move))
    share = float(raw["influence"])
    more = {"scale": (share,) * 4, "bias": ((1 - share) * float(raw["constant"]),) * 4}
    if use.own == "normal":
        more = {"scale": (2.0, 2.0, 2.0, 1.0), "bias": (-1.0, -1.0, -1.0, 0.0)}
    elif use.own in ("diffuseColor", "emissiveColor"):
        more = {"scale": (*raw["tint" if use.own == "diffuseColor" else "glow"], 1.0)}
    return Texture(path, use.channel, srgb=None if use.channel < 0 and use.own != "normal" else False,
                   matrix=tuple(float(v) for v in matrix[:2].ravel()), **more)  # fmt: skip
