"""Images that rectangular lamps show, like screens and light boxes; twin of ``pictured``: the image's own rows and columns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.atlas import Atlas, build_atlas, texel
from tailgate.stage.images import ImageStore
from tailgate.stage.textures import Texture

wp.set_module_options({"enable_backward": False})


@wp.func
def pictured(pictures: Atlas, row: int, u: float, v: float) -> wp.vec3:
    """Radiance of a rectangle at the point that ``lamps.aim`` takes for ``u`` and ``v``, over its mean. Images stand upright for who looks into the
    light: the first pixel is at +x, +y of the light (UsdLux)."""
    image = pictures.images[row]
    i = wp.clamp(int((1.0 - u) * float(image.width)), 0, image.width - 1)
    j = wp.clamp(int((1.0 - v) * float(image.height)), 0, image.height - 1)
    value = wp.cw_mul(texel(pictures, image, image.first, wp.vec2i(image.width, image.height), i, j), image.scale)
    return wp.vec3(value[0], value[1], value[2])


@lru_cache(maxsize=4)
def pictures_of(paths: tuple[str, ...], device: str) -> tuple[Atlas, np.ndarray, np.ndarray]:
    """Images on a device, scaled to a mean of 1; their means, linear RGB float64 [P, 3]; and their rows, int32 [P], -1 for those of one colour."""
    images, means, textures = ImageStore(), np.zeros((len(paths), 3)), []
    rows = np.full(len(paths), -1, np.int32)
    for k, path in enumerate(paths):
        texels = np.maximum(Texture(path).linear(images)[..., :3], 0.0)
        means[k] = texels.mean((0, 1))
        if np.ptp(texels, (0, 1)).any():
            rows[k] = len(textures)
            textures.append(Texture(path, scale=(*(1 / mean if mean > 0 else 0.0 for mean in means[k].tolist()), 1.0)))
    return build_atlas(textures, images, device) if textures else Atlas(), means, rows
