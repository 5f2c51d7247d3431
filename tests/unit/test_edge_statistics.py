"""Edges and spectra of RGB-D images whose answers are known."""

import numpy as np
import pytest
from tailgate.frames import Intrinsics, ObjectView, SensorFrame
from tailgate.validate.depth_image import box_sum
from tailgate.validate.depth_statistics import DEPTH_STATISTICS, depth_sketches

RNG = np.random.default_rng(3)


def sketch(depth, **channels):
    view = ObjectView(*(np.zeros(0) for _ in range(7)))
    K = Intrinsics(depth.shape[1], depth.shape[0], 525.0, 525.0, 0.0, 0.0)
    return depth_sketches(SensorFrame("camera", {"distance_to_image_plane": depth, **channels}, np.stack([np.eye(4)] * 2), 0, 0, view, K))[0]


def values(found, name, stratum):
    """Counts by the left edge of their bin."""
    statistic = DEPTH_STATISTICS[name]
    counts = found.counts[name][statistic.strata.index(stratum)]
    return {round(edge + 0.5): int(n) for edge, n in zip(statistic.edges, counts, strict=False) if n}


def share(found, name, stratum):
    counts = found.counts[name][DEPTH_STATISTICS[name].strata.index(stratum)]
    return counts[1] / counts.sum()


def step():
    depth = np.full((200, 300), 1.2)
    depth[60:140, 100:180] = 0.8
    return depth


def grey(level):
    return np.dstack([level] * 3 + [np.full(level.shape, 255)]).astype(np.uint8)


@pytest.mark.parametrize("shift", [0, 3])
def test_labels_beside_their_edge(shift):
    depth = step()
    instance = np.roll((depth < 1).astype(np.uint32), shift, axis=1)
    found = sketch(depth, instance_segmentation=instance, semantic_segmentation=instance + 1)
    assert values(found, "label_edges", "left") == values(found, "label_edges", "right") == {shift: 80}


@pytest.mark.parametrize("grown", [0, 4])
def test_depth_that_reaches_beyond_the_colour(grown):
    colour = np.where(step() < 1, 200.0, 40.0)
    depth = step()
    depth[60:140, 100 - grown : 180 + grown] = 0.8
    found = sketch(depth, rgb=grey(colour))
    for side in ("left", "right"):
        (where, count), *more = values(found, "colour_edges", side).items()
        assert not more and count == 80 and where - grown in (0, -1, 1)


@pytest.mark.parametrize("side", [1, 3])
def test_spectrum_of_averaged_noise_follows_the_arcsine_law(side):
    noise = RNG.normal(size=(400 + side - 1, 600 + side - 1))
    found = sketch(1.0 + 2e-3 * box_sum(noise, side) / side)
    for way in ("across", "down"):
        for lag in (1, 3, 8):
            correlation = max(0.0, 1 - lag / side)
            assert share(found, "depth_noise_spectrum", f"{way} {lag} px") == pytest.approx(0.5 + np.arcsin(correlation) / np.pi, abs=0.015)


def test_white_colour_noise_turns_at_two_pixels_of_three_and_averaged_noise_at_half():
    depth = np.ones((200, 400))
    white = np.clip(np.rint(120 + 6 * RNG.normal(size=(200, 400, 3))), 0, 255)
    smooth = np.dstack([box_sum(np.pad(white[..., c], 1), 3) / 9 for c in range(3)])
    opaque = np.full((200, 400), 255)
    turns = [share(sketch(depth, rgb=np.dstack([c, opaque]).astype(np.uint8)), "rgb_noise_spectrum", "every 1 px") for c in (white, smooth)]
    assert turns == pytest.approx([2 / 3, 1 / 2], abs=0.03)


def test_warmth_runs_from_blue_to_red():
    for colour, bin_share in (((255, 0, 0), 1.0), ((90, 90, 90), 0.5), ((0, 0, 255), 0.0)):
        rgb = np.broadcast_to(np.array([*colour, 255], np.uint8), (60, 80, 4))
        counts = sketch(np.ones((60, 80)), rgb=rgb).counts["warmth"][0]
        assert abs(np.argmax(counts) / 31 - bin_share) < 0.05 and counts.max() == counts.sum()
