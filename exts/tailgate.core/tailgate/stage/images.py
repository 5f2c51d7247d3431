"""Decode image files that a stage refers to: PNG, JPEG, EXR, HDR and what else OpenCV reads, also inside USDZ packages."""

from __future__ import annotations

import os

import numpy as np

FALLBACK = (1.0, 0.0, 1.0, 1.0)
"""Shown in place of an image that cannot be read: magenta, which no asset has by chance."""


def load_image(path: str) -> np.ndarray | None:
    """Read an image through USD's asset resolver.

    Args:
        path: resolved path; ``package.usdz[inner.png]`` names a file in a package.

    Returns:
        RGBA [H, W, 4], first row on top: uint8 code values, or float32 for images of more than 8 bits (scene-linear for EXR and HDR, 0..1 for
        16-bit integers); None if there is no such file or it cannot be decoded.
    """
    from pxr import Ar

    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    import cv2

    asset = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(path)) if path else None
    if not asset:
        return None
    data = np.frombuffer(asset.GetBuffer(), np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except cv2.error:
        image = None
    if image is None or image.dtype not in (np.uint8, np.uint16, np.float32):
        return None
    return rgba(image)


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


class ImageStore:
    """Images by path, each decoded once."""

    def __init__(self) -> None:
        self._held: dict[str, np.ndarray | None] = {}

    def get(self, path: str) -> np.ndarray | None:
        """The image of a resolved path, or None; see ``load_image``."""
        if path not in self._held:
            self._held[path] = load_image(path)
        return self._held[path]
