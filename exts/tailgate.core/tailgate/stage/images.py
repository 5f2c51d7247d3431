"""Decode image files that a stage refers to: PNG, JPEG, EXR, HDR and what else OpenCV reads, also inside USDZ packages."""

from __future__ import annotations

import tempfile
from functools import lru_cache

import numpy as np

from tailgate.packages import found, need

FALLBACK = (1.0, 0.0, 1.0, 1.0)
"""Shown in place of an image that cannot be read: magenta, which no asset has by chance."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Weights of linear red, green and blue (ITU-R BT.709)."""


def load_image(path: str) -> np.ndarray | None:
    """Read an image through USD's asset resolver.

    Args:
        path: resolved path; ``package.usdz[inner.png]`` names a file in a package.

    Returns:
        RGBA [H, W, 4], first row on top: uint8 code values, or float32 for images of more than 8 bits (scene-linear for EXR and HDR, 0..1 for
        16-bit integers); None if there is no such file or it cannot be decoded.
    """
    image = read_image(path)
    return None if image is None else rgba(image)


def read_image(path: str) -> np.ndarray | None:
    """The channels of an image file as they are, in OpenCV's order: uint8, uint16 or float32 [H, W(, C)], or None; see ``load_image``."""
    data = file_bytes(path)
    image = read_exr(data) if data.startswith(EXR_MAGIC) else read_common(data)
    return None if image is None or image.dtype not in (np.uint8, np.uint16, np.float32) else image


def file_bytes(path: str) -> bytes:
    """What a file holds that USD's asset resolver finds, nothing if there is none."""
    from pxr import Ar

    asset = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(path)) if path else None
    return bytes((asset and asset.GetBuffer()) or b"")


@lru_cache(maxsize=256)
def is_image(path: str) -> bool:
    """Whether a resolved path names an image that can be read."""
    return read_image(path) is not None


EXR_MAGIC = bytes([0x76, 0x2F, 0x31, 0x01])
PNG_MAGIC, PNG_COLOURS, GREY_ALPHA = b"\x89PNG", 25, 4
"""How a PNG file begins, where it says what its channels are, and how it says grey and alpha, which OpenCV spreads to four channels."""
SILENT = 0
"""OpenCV's level of logging at which it says nothing."""


def read_common(data: bytes) -> np.ndarray | None:
    """Decode with OpenCV: grey, grey and alpha, BGR or BGRA [H, W(, C)], or None."""
    cv2 = need("cv2")
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel  # OpenCV 4, OpenCV 5
    level = set_level(SILENT)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
        grey = image is not None and data.startswith(PNG_MAGIC) and data[PNG_COLOURS] == GREY_ALPHA and image.shape[2:] == (4,)
        return image[..., 2:] if grey else image
    except cv2.error:
        return None
    finally:
        set_level(level)


def read_exr(data: bytes) -> np.ndarray | None:
    """Decode the first part of an OpenEXR file: float32 in OpenCV's channel order, or None. Of layers (like ``diffuse.R``) the first by name that has
    colours is taken. Needs the package OpenEXR, which reads files only."""
    OpenEXR = found("OpenEXR")
    if not OpenEXR:
        return None
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        file.write(data)
        file.flush()
        try:
            planes = OpenEXR.File(file.name, separate_channels=True).channels()
            layers: dict[str, dict[str, np.ndarray]] = {"": {}}
            for name, plane in sorted(planes.items()):
                layer, _, channel = name.upper().rpartition(".")
                layers.setdefault(layer, {})[channel] = plane.pixels.astype(np.float32)
        except (RuntimeError, OSError, ValueError, TypeError):
            return None
    pixels = max(layers.values(), key=lambda held: len({*"RGB"} & {*held}))
    names = [name for name in ("B", "G", "R") if name in pixels] or [name for name in ("Y", *sorted(pixels)) if name in pixels][:1]
    names += ["A"] * ("A" in pixels and names != ["A"])
    return np.stack([pixels[name] for name in names], -1)


def rgba(image: np.ndarray) -> np.ndarray:
    """Spread grey, grey and alpha, BGR or BGRA [H, W(, C)] to RGBA [H, W, 4]; 16-bit integers become float32 0..1, alpha is 1 where there is none."""
    image = image[..., None] if image.ndim == 2 else image
    if image.dtype == np.uint16:
        image = image.astype(np.float32) / 65535
    full = 255 if image.dtype == np.uint8 else 1.0
    channels = {1: [0, 0, 0], 2: [0, 0, 0], 3: [2, 1, 0], 4: [2, 1, 0]}[min(image.shape[2], 4)]
    alpha = image[..., -1:] if image.shape[2] in (2, 4) else np.full((*image.shape[:2], 1), full, image.dtype)
    out = np.concatenate([image[..., channels], alpha], -1)
    return np.ascontiguousarray(np.nan_to_num(out, posinf=65504.0, neginf=0.0) if out.dtype == np.float32 else out)


def to_linear(code: np.ndarray) -> np.ndarray:
    """Linear value of sRGB code values 0..1 (IEC 61966-2-1)."""
    return np.where(code <= 0.04045, code / 12.92, ((np.maximum(code, 0.04045) + 0.055) / 1.055) ** 2.4)


def luminance(color: np.ndarray | tuple[float, ...]) -> float:
    """Luminance of a linear colour."""
    return float(np.dot(color, LUMINANCE))


class ImageStore:
    """Images by path, each decoded once."""

    def __init__(self) -> None:
        self._held: dict[str, np.ndarray | None] = {}
        self._coded: set[str] = set()

    def get(self, path: str) -> np.ndarray | None:
        """The image of a resolved path, or None; see ``load_image``."""
        if path not in self._held:
            image = read_image(path)
            self._held[path] = None if image is None else rgba(image)
            if image is not None and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] >= 3:
                self._coded.add(path)
        return self._held[path]

    def coded(self, path: str) -> bool:
        """Whether an image holds sRGB code values unless somebody says otherwise: three or four channels of 8 bits (UsdPreviewSurface, ``auto``)."""
        self.get(path)
        return path in self._coded
