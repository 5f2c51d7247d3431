"""Statistics of a colour image: luminance, colour, noise and sharpness. The same function measures real and synthetic images."""

from __future__ import annotations

import numpy as np

from tailgate.validate.sketch import Sketch, Statistic, edges_below

REGIONS = ("support", "object")
LUMINANCE_BINS = (0.25, 0.6)
_UNIT = tuple(float(v) for v in np.linspace(0, 1, 33))
_LEVELS = (0.0, 0.06, 0.12, 0.18, 0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 30.0)
_RIM = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.5)
_STRONG = 40.0
"""Change across six pixels [levels] that counts as an edge of the image."""
_PLAIN = 0.15
"""Change from three to six pixels beside an edge of the image, as a share of it, below which its side is plain: thin print is none."""
_SLANT = 0.35
"""Change along an edge as a share of that across it, up to which its row crosses it squarely: a slanted edge looks soft on its row."""
_FLAT = 3.0
"""Change across four pixels [levels] below which a neighbourhood shows noise alone."""
STEPS = (1, 2)
"""Steps of the noise spectrum [px]."""

IMAGE_STATISTICS: dict[str, Statistic] = {
    "luminance": Statistic("luminance", "share of white (sRGB)", _UNIT, REGIONS),
    "colourfulness": Statistic("colourfulness", "share of white (sRGB)", _UNIT, REGIONS),
    "warmth": Statistic("warmth", "share, blue to red", _UNIT, REGIONS),
    "rgb_noise": Statistic("rgb_noise", "levels", _LEVELS, ("dark", "middle", "bright")),
    "rgb_noise_spectrum": Statistic("rgb_noise_spectrum", "share", (0.0, 0.5, 1.0), tuple(f"every {step} px" for step in STEPS)),
    "sharpness": Statistic("sharpness", "share of an edge within two pixels", _UNIT, ("image",)),
    "overshoot": Statistic("overshoot", "share of an edge", _RIM, ("dark side", "bright side")),
}


def image_sketch(rgb: np.ndarray, region: np.ndarray) -> Sketch:
    """Measure one image.

    Args:
        rgb: uint8 [H, W, 3 or 4].
        region: index into REGIONS per pixel, negative where nothing is counted, int [H, W].
    """
    colour, luma, kept = rgb[..., :3], luma_of(rgb), region >= 0
    sketch = picture_sketch(luma, kept)
    channels = [colour[..., c] for c in range(3)]
    chroma = np.maximum(np.maximum(*channels[:2]), channels[2]) - np.minimum(np.minimum(*channels[:2]), channels[2])
    sketch.add(IMAGE_STATISTICS["luminance"], region[kept], luma[kept] / 255)
    sketch.add(IMAGE_STATISTICS["colourfulness"], region[kept], chroma[kept] / 255)
    warmth = 0.5 + (channels[0][kept].astype(np.float32) - channels[2][kept]) / 510
    sketch.add(IMAGE_STATISTICS["warmth"], region[kept], warmth)
    return sketch


def picture_sketch(luma: np.ndarray, kept: np.ndarray) -> Sketch:
    """Noise and sharpness alone, which tell of the camera and not of what it sees.

    Args:
        luma: levels, float32 [H, W].
        kept: pixels that count, bool [H, W].
    """
    sketch = Sketch()
    _noise(sketch, luma, kept)
    _sharpness(sketch, luma, kept)
    return sketch


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """Brightness of sRGB bytes [H, W, 3 or 4] in levels, float32 [H, W]."""
    return rgb[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def _noise(sketch: Sketch, luma: np.ndarray, kept: np.ndarray) -> None:
    """Standard deviation [levels] from the difference of two Laplacians, which any plane and edge-free gradient leaves at zero (Immerkaer 1996)."""
    across = luma[:, :-2] - 2 * luma[:, 1:-1] + luma[:, 2:]
    value = np.abs(across[:-2] - 2 * across[1:-1] + across[2:]) * np.float32(np.sqrt(np.pi / 2) / 6)
    flat = np.zeros(luma.shape, dtype=bool)
    rows, columns = luma[:, 1:-1] + luma[:, 2:] + luma[:, :-2], luma[1:-1] + luma[2:] + luma[:-2]
    flat[1:-1, 2:-2] = np.abs(columns[:, 4:] - columns[:, :-4]) < 3 * _FLAT
    flat[2:-2, 1:-1] &= np.abs(rows[4:] - rows[:-4]) < 3 * _FLAT
    use = (flat & kept)[1:-1, 1:-1]
    stratum = edges_below(luma[1:-1, 1:-1][use], np.asarray(LUMINANCE_BINS) * 255)
    sketch.add(IMAGE_STATISTICS["rgb_noise"], stratum, value[use])
    _spectrum(sketch, luma, flat & kept)


def _spectrum(sketch: Sketch, luma: np.ndarray, use: np.ndarray) -> None:
    """Share of pixels above, or below, both pixels a step away on their row: 2/3 in white noise, less in smoother noise (Kendall 1976)."""
    counts = []
    for step in STEPS:
        centre, here = luma[::2, step:-step], use[::2, step:-step]
        turns = (centre - luma[::2, : -2 * step]) * (centre - luma[::2, 2 * step :]) > 0
        held = np.count_nonzero(here & turns)
        counts.append((np.count_nonzero(here) - held, held))
    sketch.add_counts(IMAGE_STATISTICS["rgb_noise_spectrum"], np.array(counts))


def _sharpness(sketch: Sketch, luma: np.ndarray, kept: np.ndarray) -> None:
    """Upright edges between two plain sides, where the change across six pixels is strong and steepest along its row: change across two pixels over
    that across six, and how far either side goes beyond its level within three pixels."""
    wide = np.abs(luma[:, 6:] - luma[:, :-6])
    narrow = np.abs(luma[:, 4:-2] - luma[:, 2:-4])
    use = (wide > _STRONG) & kept[:, 3:-3]
    use[:, 1:-1] &= (narrow[:, 1:-1] >= narrow[:, :-2]) & (narrow[:, 1:-1] > narrow[:, 2:])
    use[1:-1] &= np.abs(luma[2:, 3:-3] - luma[:-2, 3:-3]) < _SLANT * narrow[1:-1]
    use[[0, -1]] = False
    y, x = np.nonzero(use[:, 3:-3])
    at = luma[y[:, None], x[:, None] + np.arange(13)]
    at = np.where((at[:, :1] > at[:, -1:]), at[:, ::-1], at)
    step = at[:, 9] - at[:, 3]
    plain = np.maximum(np.abs(at[:, 3] - at[:, 0]), np.abs(at[:, 12] - at[:, 9])) < _PLAIN * step
    at, step = at[plain], step[plain]
    sketch.add(IMAGE_STATISTICS["sharpness"], np.zeros(len(at), dtype=int), np.minimum((at[:, 7] - at[:, 5]) / step, 1.0))
    rims = at[:, 0:4].mean(1) - at[:, 3:6].min(1), at[:, 7:10].max(1) - at[:, 9:13].mean(1)
    sketch.add(IMAGE_STATISTICS["overshoot"], np.repeat((0, 1), len(at)), np.concatenate(rims) / np.tile(step, 2))
