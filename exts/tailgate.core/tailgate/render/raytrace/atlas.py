"""Images on a device: texels with their mip levels in two flat arrays, sampled in kernels; twin: ``sample_twin``."""
# ruff: noqa: UP018  (Warp takes int(0) as a variable and 0 as a constant)

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.stage.images import ImageStore, to_linear
from tailgate.stage.textures import Texture

wp.set_module_options({"enable_backward": False})


@wp.struct
class Image:
    """One use of an image. ``first`` is its first texel, ``wide`` 1 for float texels, ``decode`` 1 for sRGB; ``s`` and ``t`` are the rows of the
    matrix from texture coordinates to the image; value = texel * scale + bias."""

    first: wp.int32
    width: wp.int32
    height: wp.int32
    levels: wp.int32
    wide: wp.int32
    decode: wp.int32
    channel: wp.int32
    wrap_s: wp.int32
    wrap_t: wp.int32
    scale: wp.vec4
    bias: wp.vec4
    s: wp.vec3
    t: wp.vec3


@wp.struct
class Atlas:
    """All images of a scene: ``texels`` are RGBA bytes, ``wide`` RGBA floats, ``linear`` the values of the 256 codes as they are and decoded."""

    images: wp.array(dtype=Image)
    texels: wp.array(dtype=wp.uint32)
    wide: wp.array(dtype=wp.vec4)
    linear: wp.array(dtype=wp.float32)


@wp.func
def wrapped(i: int, n: int, mode: int) -> int:
    """Texel of an index outside an image: 0 repeats, 1 clamps, 2 mirrors; -1 for black."""
    if i >= 0 and i < n:
        return i
    if mode == 0:
        return ((i % n) + n) % n
    if mode == 1:
        return wp.clamp(i, 0, n - 1)
    if mode == 2:
        k = ((i % (2 * n)) + 2 * n) % (2 * n)
        return wp.where(k < n, k, 2 * n - 1 - k)
    return -1


@wp.func
def texel(atlas: Atlas, image: Image, base: int, size: wp.vec2i, x: int, y: int) -> wp.vec4:
    """Linear RGBA of one texel of the level that starts at ``base``."""
    i = wrapped(x, size[0], image.wrap_s)
    j = wrapped(y, size[1], image.wrap_t)
    if i < 0 or j < 0:
        return wp.vec4()
    k = base + j * size[0] + i
    if image.wide == 1:
        return atlas.wide[k]
    code = atlas.texels[k]
    row = image.decode * 256
    r = atlas.linear[row + int(code & wp.uint32(255))]
    g = atlas.linear[row + int((code >> wp.uint32(8)) & wp.uint32(255))]
    b = atlas.linear[row + int((code >> wp.uint32(16)) & wp.uint32(255))]
    return wp.vec4(r, g, b, float(int(code >> wp.uint32(24))) * (1.0 / 255.0))


@wp.func
def bilinear(atlas: Atlas, image: Image, level: int, s: float, t: float) -> wp.vec4:
    """Interpolated value of one level; t = 0 is the image's lower edge."""
    base = int(image.first)
    w = int(image.width)
    h = int(image.height)
    for _ in range(level):
        base += w * h
        w = wp.max(w / 2, 1)
        h = wp.max(h / 2, 1)
    size = wp.vec2i(w, h)
    x = s * float(w) - 0.5
    y = (1.0 - t) * float(h) - 0.5
    fx = wp.floor(x)
    fy = wp.floor(y)
    i = int(fx)
    j = int(fy)
    a = x - fx
    b = y - fy
    value = wp.vec4()
    k = int(0)
    while k < 4:
        value += texel(atlas, image, base, size, i + k % 2, j + k / 2) * (wp.where(k % 2 == 0, 1.0 - a, a) * wp.where(k < 2, 1.0 - b, b))
        k += 1
    return value


@wp.func
def sample(atlas: Atlas, use: int, st: wp.vec2, footprint: float) -> wp.vec4:
    """Value of a texture at texture coordinates, averaged over about ``footprint`` [texture coordinates] by its mip levels."""
    image = atlas.images[use]
    s = image.s[0] * st[0] + image.s[1] * st[1] + image.s[2]
    t = image.t[0] * st[0] + image.t[1] * st[1] + image.t[2]
    stretch = wp.sqrt(wp.abs(image.s[0] * image.t[1] - image.s[1] * image.t[0]))
    texels = footprint * stretch * wp.sqrt(float(image.width) * float(image.height))
    level = wp.clamp(wp.log2(wp.max(texels, 1.0e-6)), 0.0, float(image.levels - 1))
    low = int(wp.floor(level))
    blend = level - float(low)
    value = wp.vec4()
    k = int(0)
    while k < 2:
        share = wp.where(k == 0, 1.0 - blend, blend)
        if share > 0.0:
            value += bilinear(atlas, image, wp.min(low + k, image.levels - 1), s, t) * share
        k += 1
    return wp.cw_mul(value, image.scale) + image.bias


def mip_levels(image: np.ndarray, decode: bool) -> list[np.ndarray]:
    """An image [H, W, 4] and its halves down to one texel, averaged in linear light over the areas of its texels."""
    out = [image]
    while max(image.shape[:2]) > 1:
        linear = image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1)
        if decode:
            linear[..., :3] = to_linear(linear[..., :3])
        image = linear = halved(halved(linear).swapaxes(0, 1)).swapaxes(0, 1)
        if out[0].dtype == np.uint8:
            if decode:
                linear[..., :3] = to_code(linear[..., :3])
            image = np.clip(linear * 255 + 0.5, 0, 255).astype(np.uint8)
        out.append(image)
    return out


def halved(rows: np.ndarray) -> np.ndarray:
    """Half as many rows, each the mean of what it covers; of 2 n + 1 rows one covers parts of three."""
    n = len(rows) // 2
    if n == 0 or len(rows) == 2 * n:
        return rows.reshape(max(n, 1), -1, *rows.shape[1:]).mean(1)
    k = np.arange(n, dtype=np.float32).reshape(-1, *[1] * (rows.ndim - 1))
    return ((n - k) * rows[:-1:2] + n * rows[1::2] + (k + 1) * rows[2::2]) / np.float32(2 * n + 1)


def to_code(linear: np.ndarray) -> np.ndarray:
    """sRGB code value 0..1 of a linear one: the inverse of ``to_linear``."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def build_atlas(textures: list[Texture], images: ImageStore, device: str) -> Atlas:
    """Put textures on a device; an image used twice is stored once. One that cannot be read becomes a single texel of its fallback."""
    out = Atlas()
    rows = np.zeros(len(textures), Image.numpy_dtype())
    places: dict[tuple, tuple] = {}
    pools: tuple[list, list] = ([], [])
    used = [0, 0]
    for row, texture in zip(rows, textures, strict=True):
        image = images.get(texture.path)
        missing = image is None
        if missing:
            image = np.array(texture.fallback, np.float32).reshape(1, 1, 4)
        decode = not missing and texture.decoded(images)
        key = (texture.fallback if missing else texture.path, decode)
        if key not in places:
            wide = int(image.dtype != np.uint8)
            if wide and decode:
                image, decode = np.concatenate([to_linear(image[..., :3]).astype(np.float32), image[..., 3:]], -1), False
            levels = mip_levels(image, decode)
            flat = np.concatenate([level.reshape(-1, 4) for level in levels])
            places[key] = (used[wide], image.shape[1], image.shape[0], len(levels), wide, int(decode))
            pools[wide].append(flat)
            used[wide] += len(flat)
        for name, value in zip(("first", "width", "height", "levels", "wide", "decode"), places[key], strict=True):
            row[name] = value
        row["channel"], row["wrap_s"], row["wrap_t"] = texture.channel, *texture.wrap
        row["scale"], row["bias"] = ((1,) * 4, (0,) * 4) if missing else (texture.scale, texture.bias)
        row["s"], row["t"] = texture.matrix[:3], texture.matrix[3:]
    narrow = np.concatenate(pools[0] or [np.zeros((0, 4), np.uint8)])
    codes = np.arange(256) / 255
    out.images = wp.array(rows, dtype=Image, device=device)
    out.texels = wp.array(np.ascontiguousarray(narrow).view(np.uint32).ravel(), dtype=wp.uint32, device=device)
    out.wide = wp.array(np.concatenate(pools[1] or [np.zeros((0, 4), np.float32)]).astype(np.float32), dtype=wp.vec4, device=device)
    out.linear = wp.array(np.concatenate([codes, to_linear(codes)]).astype(np.float32), dtype=wp.float32, device=device)
    return out


def sample_twin(image: np.ndarray, st: np.ndarray, wrap: tuple[int, int]) -> np.ndarray:
    """Twin of ``sample`` at the finest level without scale and bias: linear image [H, W, 4] at [N, 2] -> [N, 4]."""
    height, width = image.shape[:2]
    x, y = st[:, 0] * width - 0.5, (1 - st[:, 1]) * height - 0.5
    i, j = np.floor(x).astype(int), np.floor(y).astype(int)

    def at(n: np.ndarray, size: int, mode: int) -> np.ndarray:
        ways = {0: n % size, 1: np.clip(n, 0, size - 1), 2: size - 1 - np.abs(n % (2 * size) - size + 0.5).astype(int), 3: n}
        return ways[mode]

    total = np.zeros((len(st), 4))
    for dy in (0, 1):
        for dx in (0, 1):
            p, q = at(i + dx, width, wrap[0]), at(j + dy, height, wrap[1])
            inside = (p >= 0) & (p < width) & (q >= 0) & (q < height)
            weight = np.abs(1 - dx - (x - i)) * np.abs(1 - dy - (y - j)) * inside
            total += weight[:, None] * image[np.clip(q, 0, height - 1), np.clip(p, 0, width - 1)]
    return total
