"""What a ``UsdUVTexture`` network says: image, channel, wrap, scale, bias, colour space and the way from texture coordinates to the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.stage.images import FALLBACK, ImageStore, to_linear
from tailgate.stage.moment import moment
from tailgate.stage.values import fits, kind_of

if TYPE_CHECKING:
    from pxr import Usd, UsdShade

    from tailgate.stage.walk import Notes

WRAPS = {"repeat": 0, "clamp": 1, "mirror": 2, "black": 3, "useMetadata": 0}
"""Wrap modes; image files hold no metadata that says otherwise, so ``useMetadata`` repeats."""
CHANNELS = {"r": 0, "g": 1, "b": 2, "a": 3, "rgb": -1, "rgba": -1}
SPACES = {"raw": False, "Raw": False, "lin_rec709": False, "lin_rec709_scene": False, "linear": False,
          "sRGB": True, "srgb_texture": True, "srgb_rec709_scene": True}  # fmt: skip
"""Names of colour spaces: whether values are sRGB codes."""
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Texture:
    """One use of an image: value = texel * scale + bias.

    Attributes:
        path: resolved path, or "" when the file was not found.
        channel: 0 to 3, or -1 for RGB.
        wrap: wrap modes along s and t, see ``WRAPS``.
        scale, bias: RGBA.
        srgb: colours are decoded to linear; None decides by the image, see ``ImageStore.coded``.
        matrix: a, b, c, d, e, f of s' = a s + b t + c, t' = d s + e t + f.
        coordinates: primvar with the texture coordinates.
        fallback: RGBA in place of an image that cannot be read.
    """

    path: str
    channel: int = -1
    wrap: tuple[int, int] = (0, 0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    bias: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    srgb: bool | None = None
    matrix: tuple[float, ...] = IDENTITY
    coordinates: str = "st"
    fallback: tuple[float, ...] = FALLBACK

    def decoded(self, images: ImageStore) -> bool:
        """Whether the image's colours are sRGB code values (UsdPreviewSurface, ``sourceColorSpace``)."""
        return images.coded(self.path) if self.srgb is None else self.srgb

    def mean(self, images: ImageStore) -> np.ndarray:
        """Mean value over the image, RGBA [4], in the texture's own channel order."""
        image = images.get(self.path)
        if image is None:
            return np.array(self.fallback)
        return self.linear(images, max(1, min(image.shape[:2]) // 64)).reshape(-1, 4).mean(0) * self.scale + self.bias

    def linear(self, images: ImageStore, step: int = 1) -> np.ndarray:
        """Linear values of every ``step``-th texel of the image, float64 RGBA [H, W, 4]."""
        image = images.get(self.path)
        texels = image[::step, ::step].astype(np.float64) / (255 if image.dtype == np.uint8 else 1)
        if self.decoded(images):
            texels[..., :3] = to_linear(texels[..., :3])
        return texels


def held(shader: UsdShade.Shader, name: str, default: Any) -> Any:
    """Value of a shader's input, through connections to a material's or node graph's interface; ``default`` if it has none."""

    entry = shader.GetInput(name)
    sources = entry.GetValueProducingAttributes() if entry else []
    got = sources[0].Get(moment(sources[0])) if sources and sources[0].GetName().startswith("inputs:") else None
    return default if got is None or (default is not None and not fits(got, default)) else got


def asset_path(shader: UsdShade.Shader, name: str, where: str, notes: Notes) -> str:
    """Resolved path of the asset that a shader's input names, "" without one; a tile set is shown by its first tile, which is said."""
    from pxr import Sdf

    asset = held(shader, name, None)
    if asset is not None and not isinstance(asset, Sdf.AssetPath):
        notes.add(f"{where}: its file must be an asset, got {asset}")
    path = (asset.resolvedPath or asset.path) if isinstance(asset, Sdf.AssetPath) else ""
    if "<UDIM>" in path:
        notes.add(f"{where}: of a texture in UDIM tiles the first one is shown")
        path = path.replace("<UDIM>", "1001")
        if not asset.resolvedPath:  # USD resolves no tile set within a package
            layer = shader.GetInput(name).GetValueProducingAttributes()[0].GetPropertyStack()[0].layer
            path = layer.ComputeAbsolutePath(path)
    return path


def read_texture(source: Usd.Attribute, where: str, notes: Notes) -> Texture | None:
    """Follow a texture node's output.

    Args:
        source: output attribute that an input of a surface shader gets its value from.
        where: the input, for messages.
        notes: what cannot be honoured is named here.

    Returns:
        The texture, or None if the node is of another kind, which is said.
    """
    from pxr import UsdShade

    node = UsdShade.Shader(source.GetPrim())
    kind = str(node.GetShaderId())
    if kind.startswith(("ND_image_", "ND_tiledimage_")):
        return materialx_texture(node, kind, where, notes)
    if "UsdUVTexture" not in kind:
        notes.add(f"{where}: connected to {kind or 'a node without an id'}, which is not followed; its default is shown")
        return None

    def numbers(name: str, default: tuple[float, ...]) -> tuple[float, ...]:
        given = held(node, name, None)
        if given is not None and not fits(given, default):
            notes.add(f"{where}: {name} of its texture must be {kind_of(default)}, got {given}; its default is taken")
        return tuple(map(float, held(node, name, default)))

    matrix, coordinates = read_coordinates(node, where, notes)
    space = coded_by(str(held(node, "sourceColorSpace", "auto")), where, notes)
    return Texture(
        path=asset_path(node, "file", where, notes),
        channel=CHANNELS.get(source.GetName().removeprefix("outputs:"), -1),
        wrap=tuple(WRAPS.get(str(held(node, f"wrap{axis}", "useMetadata")), 0) for axis in "ST"),
        scale=numbers("scale", (1.0, 1.0, 1.0, 1.0)),
        bias=numbers("bias", (0.0, 0.0, 0.0, 0.0)),
        srgb=file_space(node, where, notes) if space is None else space,
        matrix=matrix,
        coordinates=coordinates,
        fallback=numbers("fallback", FALLBACK),
    )


def coded_by(space: str, where: str, notes: Notes) -> bool | None:
    """Whether a colour space holds sRGB code values; None where its name leaves that to the image. One that is not known is named."""
    if space in SPACES or space in ("auto", ""):
        return SPACES.get(space)
    linear = space.startswith("lin_") or space.lower() in ("acescg", "aces2065-1")
    shown = "linear values of Rec. 709" if linear else "its image tells"
    notes.add(f"{where}: colour space '{space}' of its texture is not known, it is taken as {shown}")
    return False if linear else None


def file_space(node: UsdShade.Shader, where: str, notes: Notes) -> bool | None:
    """Whether the attribute with a texture's file says that it holds sRGB code values; None where it says nothing that is known."""
    entry = node.GetInput("file")
    sources = entry.GetValueProducingAttributes() if entry else []
    return coded_by(str(sources[0].GetColorSpace()), where, notes) if sources else None


def materialx_texture(node: UsdShade.Shader, kind: str, where: str, notes: Notes) -> Texture:
    """An image node of MaterialX: colours are sRGB unless its file says otherwise, tiles repeat ``uvtiling`` times."""
    colour, space = "_color" in kind, file_space(node, where, notes)
    tiling = tuple(held(node, "uvtiling", (1, 1)))
    entry, coordinates = node.GetInput("texcoord"), "st"
    for source in entry.GetValueProducingAttributes() if entry else []:
        reader = type(node)(source.GetPrim())
        if str(reader.GetShaderId()).startswith("ND_geompropvalue_vector2"):
            coordinates = str(held(reader, "geomprop", "st"))
        elif not str(reader.GetShaderId()).startswith("ND_texcoord"):
            notes.add(f"{where}: texture coordinates from {reader.GetShaderId() or 'a node without an id'} are not followed; st is used")
    return Texture(
        path=asset_path(node, "file", where, notes),
        channel=-1 if colour or kind.endswith("vector3") else 0,
        srgb=colour if space is None else space,
        matrix=matrix_row(transform2d(0.0, tiling, (0, 0))),
        coordinates=coordinates,
    )


def read_coordinates(node: UsdShade.Shader, where: str, notes: Notes) -> tuple[tuple[float, ...], str]:
    """Matrix and primvar behind the ``st`` input of a texture: any number of ``UsdTransform2d`` before a primvar reader."""
    from pxr import UsdShade

    total, entry = np.eye(3), node.GetInput("st")
    for _ in range(16):
        sources = entry.GetValueProducingAttributes() if entry else []
        if not sources or not sources[0].GetName().startswith("outputs:"):
            break
        node = UsdShade.Shader(sources[0].GetPrim())
        kind = str(node.GetShaderId())
        if "UsdPrimvarReader" in kind:
            return matrix_row(total), str(held(node, "varname", "st")) or "st"
        if "UsdTransform2d" not in kind:
            notes.add(f"{where}: texture coordinates from {kind or 'a node without an id'} are not followed; st is used")
            break
        total = total @ transform2d(held(node, "rotation", 0.0), held(node, "scale", (1, 1)), held(node, "translation", (0, 0)))
        entry = node.GetInput("in")
    return matrix_row(total), "st"


def transform2d(rotation_deg: float, scale: tuple, translation: tuple) -> np.ndarray:
    """Matrix [3, 3] of ``UsdTransform2d``: scale, then turn counter-clockwise, then move."""
    c, s = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
    return np.array([[c * scale[0], -s * scale[1], translation[0]], [s * scale[0], c * scale[1], translation[1]], [0.0, 0.0, 1.0]])


def matrix_row(matrix: np.ndarray) -> tuple[float, ...]:
    """The six numbers of ``Texture.matrix``."""
    return tuple(float(v) for v in matrix[:2].ravel())
