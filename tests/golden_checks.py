"""One check per family of golden cases, used on made-up inputs and on recordings alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import golden
import numpy as np
import pytest
from tailgate.validate.chamfer import halves
from tailgate.validate.dogss import dogss_score
from tailgate.validate.emd import emd, sliced_w1, w1_samples

_MEASURED: dict[tuple[str, ...], dict[str, float]] = {}


def check_chamfer(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """All six numbers of a chamfer case."""
    h = halves(inputs["P"], inputs["Q"])
    measured = {
        "mean_d_PQ": h.d_pq,
        "mean_d_QP": h.d_qp,
        "chamfer": h.chamfer,
        "mean_d2_PQ": h.d2_pq,
        "mean_d2_QP": h.d2_qp,
        "chamfer_sq": h.chamfer_sq,
    }
    for name, expected in case["expected"].items():
        assert golden.matches(measured[name], expected, case), f"{name}: {measured[name]} instead of {expected}"


def check_emd(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The exact distance."""
    assert golden.matches(_distances(case, inputs)["emd"], case["expected"]["emd"], case)


def check_sliced(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """Mean, maximum and the first directions."""
    per_direction = sliced_w1(inputs["P"], inputs["Q"], inputs["U"])
    _check_directions(case, per_direction)


def _check_directions(case: Mapping[str, Any], per_direction: np.ndarray) -> None:
    expected = case["expected"]
    assert golden.matches(float(per_direction.mean()), expected["mean"], case)
    assert golden.matches(float(per_direction.max()), expected["max"], case)
    for value, first in zip(per_direction, expected["first3"], strict=False):
        assert golden.matches(float(value), first, case)


def check_js_sliced(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """JS per direction."""
    from tailgate.validate.js import js_sliced

    _check_directions(case, js_sliced(inputs["R"], inputs["S"], inputs["U"]))


def check_dogss(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The parts, the score and what decided, for one or several scales."""
    x = _distances(case, inputs)
    if "params" not in case:
        for key, expected in case["expected"].items():
            scale = float(key.removeprefix("x_max="))
            result = dogss_score(x, {"chamfer": scale, "emd": scale})
            measured = {"chamfer_part": result.parts["chamfer"], "emd_part": result.parts["emd"], "score": result.score}
            assert all(golden.matches(measured[n], v, case) for n, v in expected.items())
        return
    scale = case["params"]["x_max"]
    result = dogss_score(x, scale if isinstance(scale, dict) else {"chamfer": scale, "emd": scale})
    for name, part in case["expected"]["parts"].items():
        assert golden.matches(result.parts[name], part, case)
    assert golden.matches(result.score, case["expected"]["score"], case)
    if "decided_by" in case["expected"]:
        assert result.decided_by == case["expected"]["decided_by"]


def _distances(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> dict[str, float]:
    key = tuple(case["inputs"])
    if key not in _MEASURED:
        _MEASURED[key] = {"chamfer": halves(inputs["P"], inputs["Q"]).chamfer, "emd": emd(inputs["P"], inputs["Q"])}
    return _MEASURED[key]


def check_mmd(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The width and the unbiased discrepancy, from the kernel and from its twin."""
    from tailgate.validate.mmd import median_distance, mmd2, mmd2_twin

    x, y, expected = inputs["X"], inputs["Y"], case["expected"]
    sigma = median_distance(x, y)
    assert golden.matches(sigma, expected["sigma"], case)
    assert golden.matches(mmd2(x, y), expected["mmd2"], case) and golden.matches(mmd2_twin(x, y, sigma), expected["mmd2"], case)


def check_kid(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The kernel and its twin."""
    from tailgate.validate.mmd import kid, kid_twin

    for measure in (kid, kid_twin):
        assert golden.matches(measure(inputs["X"], inputs["Y"]), case["expected"]["kid"], case)


def check_frechet(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The distance."""
    from tailgate.validate.frechet import frechet

    assert golden.matches(frechet(inputs["X"], inputs["Y"]), case["expected"]["fid"], case)


def check_w1(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """W1 of each feature."""
    for x, y, expected in zip(inputs["X"].T, inputs["Y"].T, case["expected"]["w1"], strict=True):
        assert golden.matches(w1_samples(x, y), expected, case)


def check_c2st(case: Mapping[str, Any]) -> None:
    """AUC and p-value of samples described in words: their seeds and a shift of the first feature."""
    from tailgate.validate.c2st import c2st

    seeds = [int(re.search(r"default_rng\((\d+)\)", case["params"][side])[1]) for side in "XY"]
    shift = re.search(r"Y\[:, 0\] \+= ([\d.]+)", case["params"]["Y"])
    x, y = (np.random.default_rng(seed).normal(size=(500, 10)) for seed in seeds)
    y[:, 0] += float(shift[1]) if shift else 0.0
    result = c2st(x, y)
    low, high = case["expected"]["auc_range"]
    assert low <= result.auc <= high
    assert result.p < case["expected"].get("permutation_p_below", 1.01)


def check_entropy(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """Entropies, mutual information, threshold and selection."""
    from tailgate.validate.entropy import most_uncertain, mutual_information, predictive_entropy

    expected = case["expected"]
    entropy, shared = predictive_entropy(inputs["Z"]), mutual_information(inputs["Z"])
    chosen = most_uncertain(entropy, case["params"]["percentile"])
    numbers = {"mean": entropy.mean(), "max": entropy.max(), "bound": np.log(inputs["Z"].shape[2]), "threshold": chosen.threshold}
    for name, value in numbers.items():
        assert golden.matches(float(value), expected[name], case), name
    for values, name in ((entropy, "first5"), (shared, "mutual_information_first5")):
        assert all(golden.matches(float(v), e, case) for v, e in zip(values, expected[name], strict=False)), name
    assert chosen.indices.tolist() == expected["selected"]


def check_density(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The paper's form (unsquared), kernel and twin."""
    from tailgate.validate.density import density_aware_chamfer, density_aware_chamfer_twin

    for measure in (density_aware_chamfer, density_aware_chamfer_twin):
        assert golden.matches(measure(inputs["P"], inputs["Q"], case["params"]["alpha"]), case["expected"]["unsquared"], case)


def check_voxels(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """Every count, and the share, on ground cells and on cubes."""
    from tailgate.validate.voxels import voxel_iou

    for axes, name in ((2, "cells_xy"), (3, "cells_xyz")):
        found = voxel_iou(inputs["P"], inputs["Q"], case["params"]["voxel"], case["params"]["cell"], axes)
        expected = case["expected"][name]
        assert (found.common_cells, found.voxels_real, found.voxels_synthetic) == tuple(expected[k] for k in ("common_cells", "voxels_P", "voxels_Q"))
        assert (found.intersection, found.union) == (expected["intersection"], expected["union"])
        assert golden.matches(found.iou, expected["iou"], case)


def check_m3c2(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """The medians, within the 1e-3 stated for another program, with the reference program's nested neighbourhoods.

    Its mean, tail and share of core points without a distance are no measure of another program: the normal of a core point with fewer than three
    neighbours is left as it was in memory, and points in a core point's own plane count between no time and twice.
    """
    from tailgate.validate.m3c2 import Scale, m3c2, summary

    params, expected = case["params"], case["expected"].get("computed", case["expected"])
    cores = inputs["P"][:: int(params["corepoints"].removeprefix("P[::").removesuffix("]"))]
    scale = Scale(tuple(params["normal_radii"]), params["cyl_radius"], params["max_distance"], nested=True)
    found = summary(m3c2(inputs["P"], inputs["Q"], cores, scale))
    assert found.cores == expected["corepoints"]
    assert found.median == pytest.approx(expected["median"], abs=1e-3)
    assert found.median_abs == pytest.approx(expected["median_abs"], abs=1e-3)


def check_sets(case: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> None:
    """MMD-CD, coverage and 1-NNA, kernel and twin."""
    from tailgate.validate.sets import compare_sets, compare_sets_twin

    for compare in (compare_sets, compare_sets_twin):
        found = compare(inputs["A"], inputs["B"], case["params"]["distance"])
        assert all(golden.matches(getattr(found, name), expected, case) for name, expected in case["expected"].items())
