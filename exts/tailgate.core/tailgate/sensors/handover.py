"""How a finished picture leaves the camera and reaches the disk: bytes of one colour per pixel, fewer samples of colour than of brightness, JPEG.

* Bytes of one colour: the camera sends its developed picture as a mosaic (green upper left, red beside it) and the driver interpolates. Green comes
  from the two pairs of neighbours, each weighed by the difference within the *other* pair; red and blue are means of two or four neighbours; all are
  rounded down. Applied to what is left of mOSD's pictures of a Kinect v1 when all interpolated bytes are thrown away, this gives every byte back.
* Colour differences as in ITU-R BT.601 with the full range of JFIF; 4:2:2 and 4:2:0 share one between two columns, and two rows.
* JPEG is OpenCV's, baseline; its encoder shares colour differences in the same way.
"""
# ruff: noqa: UP018  (Warp takes float(0.0) as a variable and 0.0 as a constant)

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.packages import need

wp.set_module_options({"enable_backward": False})

SHARED = ((1, 1), (1, 2), (2, 2))
"""Rows and columns that share a colour difference at ``chroma_loss`` 0, 1 and 2."""


@wp.func
def mirrored(i: int, n: int):
    """Index within 0..n-1 that keeps the mosaic's phase."""
    if i < 0:
        return wp.min(-i, n - 1)
    if i >= n:
        return wp.max(2 * n - 2 - i, 0)
    return i


@wp.kernel
def driver_kernel(sent: wp.array(dtype=wp.uint8, ndim=3), out: wp.array(dtype=wp.uint8, ndim=3)):
    """Colours that a driver interpolates from one component of ``sent`` per pixel: green, red / blue, green; a fourth stays as it is."""
    y, x = wp.tid()
    above = mirrored(y - 1, sent.shape[0])
    below = mirrored(y + 1, sent.shape[0])
    left = mirrored(x - 1, sent.shape[1])
    right = mirrored(x + 1, sent.shape[1])
    across = int(0)
    down = int(2)
    if y % 2 == 1:
        across = int(2)
        down = int(0)
    for c in range(3, sent.shape[2]):
        out[y, x, c] = sent[y, x, c]
    if (x + y) % 2 == 0:
        out[y, x, 1] = sent[y, x, 1]
        out[y, x, across] = wp.uint8((int(sent[y, left, across]) + int(sent[y, right, across])) / 2)
        out[y, x, down] = wp.uint8((int(sent[above, x, down]) + int(sent[below, x, down])) / 2)
        return
    corners = int(sent[above, left, down]) + int(sent[above, right, down]) + int(sent[below, left, down]) + int(sent[below, right, down])
    out[y, x, across] = sent[y, x, across]
    out[y, x, down] = wp.uint8(corners / 4)
    a = int(sent[y, left, 1])
    b = int(sent[y, right, 1])
    c = int(sent[above, x, 1])
    d = int(sent[below, x, 1])
    apart = wp.abs(a - b) + wp.abs(c - d)
    if apart == 0:
        out[y, x, 1] = wp.uint8((a + b + c + d) / 4)
    else:
        out[y, x, 1] = wp.uint8((wp.abs(c - d) * (a + b) + wp.abs(a - b) * (c + d)) / (2 * apart))


@wp.kernel
def share_kernel(src: wp.array(dtype=wp.uint8, ndim=3), rows: int, columns: int, out: wp.array(dtype=wp.uint8, ndim=3)):
    """Give the pixels of each block of rows x columns the mean of their colour differences, rounded to bytes; one thread a block."""
    i, j = wp.tid()
    y1 = wp.min((i + 1) * rows, src.shape[0])
    x1 = wp.min((j + 1) * columns, src.shape[1])
    blue = float(0.0)
    red = float(0.0)
    count = float(0.0)
    for y in range(i * rows, y1):
        for x in range(j * columns, x1):
            r, g, b = float(src[y, x, 0]), float(src[y, x, 1]), float(src[y, x, 2])
            luma = 0.299 * r + 0.587 * g + 0.114 * b
            blue += (b - luma) / 1.772
            red += (r - luma) / 1.402
            count += 1.0
    blue = wp.rint(blue / count)
    red = wp.rint(red / count)
    for y in range(i * rows, y1):
        for x in range(j * columns, x1):
            luma = wp.rint(0.299 * float(src[y, x, 0]) + 0.587 * float(src[y, x, 1]) + 0.114 * float(src[y, x, 2]))
            out[y, x, 0] = wp.uint8(int(wp.clamp(wp.rint(luma + 1.402 * red), 0.0, 255.0)))
            out[y, x, 1] = wp.uint8(int(wp.clamp(wp.rint(luma - 0.344136 * blue - 0.714136 * red), 0.0, 255.0)))
            out[y, x, 2] = wp.uint8(int(wp.clamp(wp.rint(luma + 1.772 * blue), 0.0, 255.0)))
            for c in range(3, src.shape[2]):
                out[y, x, c] = src[y, x, c]


def hand_over(picture: wp.array, r: object) -> wp.array:
    """The picture as it is kept, Warp uint8 [H, W, 3 or 4]; a fourth component stays as it is.

    Args:
        picture: as developed.
        r: a ``ColourResponse``.
    """
    rows, columns = SHARED[_level(r)]
    if r.driver_mosaic > 0:
        picture, sent = wp.empty_like(picture), picture
        wp.launch(driver_kernel, dim=picture.shape[:2], inputs=[sent, picture], device=picture.device)
    if r.jpeg_loss >= 1:
        return wp.array(compress(picture.numpy(), quality(r), _level(r)), device=picture.device)
    if columns > 1:
        picture, sent = wp.empty_like(picture), picture
        blocks = -(-picture.shape[0] // rows), -(-picture.shape[1] // columns)
        wp.launch(share_kernel, dim=blocks, inputs=[sent, rows, columns, picture], device=picture.device)
    return picture


def hand_over_twin(picture: np.ndarray, r: object) -> np.ndarray:
    """Readable twin of ``hand_over``, uint8 [H, W, 3]."""
    picture = driver_twin(picture) if r.driver_mosaic > 0 else picture
    if r.jpeg_loss >= 1:
        return compress(np.dstack([picture, picture[..., :1]]), quality(r), _level(r))[..., :3]
    return share_twin(picture, *SHARED[_level(r)]) if _level(r) else picture


def driver_twin(sent: np.ndarray) -> np.ndarray:
    """Twin of ``driver_kernel``, uint8 [H, W, 3]."""
    wide = np.pad(sent.astype(int), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    left, right, above, below = wide[1:-1, :-2], wide[1:-1, 2:], wide[:-2, 1:-1], wide[2:, 1:-1]
    corners = (wide[:-2, :-2] + wide[:-2, 2:] + wide[2:, :-2] + wide[2:, 2:]) // 4
    h, v = np.abs(left - right)[..., 1], np.abs(above - below)[..., 1]
    pairs = (left + right)[..., 1], (above + below)[..., 1]
    green = np.where(h + v == 0, (pairs[0] + pairs[1]) // 4, (v * pairs[0] + h * pairs[1]) // np.maximum(2 * (h + v), 1))
    y, x = np.indices(sent.shape[:2])
    out = np.empty_like(sent)
    out[..., 1] = np.where((x + y) % 2 == 0, sent[..., 1], green)
    for c, row in ((0, 0), (2, 1)):
        beside, over = (left + right)[..., c] // 2, (above + below)[..., c] // 2
        own = y % 2 == row
        out[..., c] = np.where((x + y) % 2 == 0, np.where(own, beside, over), np.where(own, sent[..., c], corners[..., c]))
    return out


def share_twin(rgb: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Twin of ``share_kernel``, uint8 [H, W, 3]."""
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    starts = [np.arange(0, n, step) for n, step in zip(luma.shape, (rows, columns), strict=True)]
    own = [np.arange(n) // step for n, step in zip(luma.shape, (rows, columns), strict=True)]

    def mean(values: np.ndarray) -> np.ndarray:
        total, count = (np.add.reduceat(np.add.reduceat(v, starts[0], 0), starts[1], 1) for v in (values, np.ones_like(values)))
        return np.rint(total / count)[own[0]][:, own[1]]

    blue, red, luma = mean((rgb[..., 2] - luma) / 1.772), mean((rgb[..., 0] - luma) / 1.402), np.rint(luma)
    colours = luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue
    return np.clip(np.rint(np.stack(colours, axis=-1)), 0, 255).astype(np.uint8)


def compress(rgb: np.ndarray, quality: int, level: int = 0) -> np.ndarray:
    """The picture after a trip through JPEG (baseline), uint8 [H, W, 4]; the fourth component stays as it is.

    Args:
        rgb: uint8 [H, W, 4].
        quality: 1..100.
        level: index into SHARED.
    """
    cv2 = need("cv2")
    shared = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)[level]
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, shared]
    ok, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., 2::-1]), settings)
    if not ok:
        raise RuntimeError("OpenCV could not encode the picture as JPEG")
    return np.concatenate([cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], rgb[..., 3:]], axis=-1)


def quality(r: object) -> int:
    """JPEG's quality, 1..100."""
    return int(np.clip(round(100 - r.jpeg_loss), 1, 100))


def _level(r: object) -> int:
    return int(np.clip(round(r.chroma_loss), 0, len(SHARED) - 1))
