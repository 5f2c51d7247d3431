"""The metrics against independently computed values, on made-up inputs."""

import golden
import golden_checks
import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.association import cramers_v
from tailgate.validate.c2st import c2st
from tailgate.validate.cloudmetrics import cloudmetrics_gap
from tailgate.validate.dogss import dogss_score, dogss_score_brief, x_max_of_null
from tailgate.validate.entropy import most_uncertain
from tailgate.validate.js import MAX_JS, js_norm, js_norm_by_class, js_norm_by_class_twin, js_sliced
from tailgate.validate.m3c2 import Scale, m3c2, summary


@pytest.mark.parametrize("case", golden.cases("chamfer, chamfer_sq"))
def test_chamfer(case):
    golden_checks.check_chamfer(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("emd"))
def test_emd(case):
    golden_checks.check_emd(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("sliced_w1"))
def test_sliced_w1(case):
    golden_checks.check_sliced(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("dogss_score geometric part"))
def test_dogss_score(case):
    golden_checks.check_dogss(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("dogss geometric score of the brief"))
def test_dogss_score_brief(case):
    inputs = golden.arrays(case)
    assert golden.matches(dogss_score_brief(inputs["P"], inputs["Q"], case["params"]["x_max"]), case["expected"]["score"], case)


@pytest.mark.parametrize("case", golden.cases("x_max"))
def test_dogss_scale(case):
    null = case["params"]["real_vs_real"]
    x_max = x_max_of_null(null)
    assert golden.matches(x_max, case["expected"]["x_max"], case)
    at_q95 = {name: case["expected"]["q95"] for name in ("chamfer", "emd")}
    assert golden.matches(dogss_score(at_q95, {"chamfer": x_max, "emd": x_max}).score, case["expected"]["score_at_q95"], case)


@pytest.mark.parametrize("case", golden.cases("js (L2 norm"))
def test_js_norm(case):
    inputs = golden.arrays(case)
    assert golden.matches(js_norm(inputs["R"], inputs["S"]), case["expected"]["js"], case)
    labels = [np.zeros(len(inputs[k]), np.int32) for k in "RS"]
    twin = js_norm_by_class_twin(inputs["R"], labels[0], inputs["S"], labels[1], 1)
    assert golden.matches(float(twin.values[0]), case["expected"]["js"], case)


@pytest.mark.parametrize("case", golden.cases("sliced js"))
def test_js_sliced(case):
    golden_checks.check_js_sliced(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("js norm against sliced js"))
def test_a_norm_hides_direction(case):
    inputs, expected = golden.arrays(case), case["expected"]
    per_direction = js_sliced(inputs["R"], inputs["S"], inputs["U"])
    assert golden.matches(js_norm(inputs["R"], inputs["S"]), expected["js_norm"], case)
    assert golden.matches(float(per_direction.mean()), expected["js_sliced_mean"], case)
    assert golden.matches(float(per_direction.max()), expected["js_sliced_max"], case)


@pytest.mark.parametrize("case", [c for c in golden.cases("js norm") if c.id in ("js_norm/edge_cases", "absent")])
def test_js_edge_cases(case):
    expected, one = case["expected"], np.ones((10, 4))
    assert golden.matches(js_norm(one, one), expected["identical"], case)
    assert golden.matches(js_norm(one[:, ::-1], one), expected["all_equal_norms_both"], case)
    assert golden.matches(js_norm(one, 2 * one), expected["real_all_ones_synth_all_twos"], case)
    assert golden.matches(js_norm(one[:1], one[:1]), expected["one_sample_each_equal"], case)
    assert golden.matches(js_norm(one[:1], 2 * one[:1]), expected["one_sample_each_different"], case)
    gap = js_norm_by_class(one, np.zeros(10, int), one, np.ones(10, int), 3)
    assert gap.absent == [0] and golden.matches(gap.values[0], expected["bound"], case) and np.isnan(gap.values[2])
    assert expected["bound"] == pytest.approx(MAX_JS)
    with pytest.raises(UserError):
        js_norm(np.zeros((0, 4)), one)
    with pytest.raises(UserError):
        js_norm(np.full((3, 4), np.nan), one)


@pytest.mark.parametrize("case", golden.cases("js null"))
def test_js_null(case):
    rng = np.random.default_rng(7)
    width, pairs = case["params"]["D"], 200
    for size, expected in case["expected"].items():
        n = int(size)
        labels = np.repeat(np.arange(pairs), n)
        a, b = (rng.normal(size=(pairs * n, width)).astype(np.float32) for _ in range(2))
        values = js_norm_by_class(a, labels, b, labels, pairs).values
        assert golden.matches(float(np.median(values)), expected["median"], case)
        assert golden.matches(float(np.quantile(values, 0.95)), expected["q95"], case)


@pytest.mark.parametrize("case", golden.cases("mmd2 unbiased, RBF"))
def test_mmd2(case):
    golden_checks.check_mmd(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("kid-like"))
def test_kid(case):
    golden_checks.check_kid(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("Frechet distance"))
def test_frechet(case):
    golden_checks.check_frechet(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("1-D Wasserstein"))
def test_w1(case):
    golden_checks.check_w1(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("c2st"))
def test_c2st(case):
    golden_checks.check_c2st(case)


@pytest.mark.parametrize("case", [c for c in golden.cases("c2st") if c.id in ("c2st/null", "absent")])
def test_c2st_p_over_seeds(case):
    p = [c2st(*(np.random.default_rng(seed).normal(size=(500, 10)) for seed in (2 * s, 2 * s + 1)), permutations=199, seed=s).p for s in range(20)]
    assert case["expected"]["permutation_p"] == "above 0.01 in at least 19 of 20 seeds" and np.sum(np.array(p) > 0.01) >= 19


@pytest.mark.parametrize("case", golden.cases("Cramer's V"))
def test_cramers_v(case):
    for table, name in (("table", "v"), ("independent_table", "independent"), ("perfect_table", "perfect")):
        assert golden.matches(cramers_v(case["params"][table]), case["expected"][name], case)


@pytest.mark.parametrize("case", golden.cases("predictive entropy and selection"))
def test_entropy(case):
    golden_checks.check_entropy(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("selection"))
def test_selection_of_ties(case):
    assert len(most_uncertain(np.full(100, 0.3)).indices) == case["expected"]["selected_count"]


@pytest.mark.parametrize("case", golden.cases("density_aware_chamfer"))
def test_density_aware_chamfer(case):
    golden_checks.check_density(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("voxel IoU"))
def test_voxel_iou(case):
    golden_checks.check_voxels(case, golden.arrays(case))


@pytest.mark.parametrize("case", golden.cases("m3c2, analytic"))
def test_m3c2(case):
    inputs = golden.arrays(case)
    golden_checks.check_m3c2(case, inputs)
    plane, params = inputs["P"], case["params"]
    found = summary(m3c2(plane, inputs["Q"], plane[::100], Scale(tuple(params["normal_radii"]), params["cyl_radius"], params["max_distance"])))
    expected = case["expected"]["computed"]
    assert found.cores == expected["corepoints"] and found.median == pytest.approx(case["expected"]["median"], abs=case["atol"])
    for name in ("nan_ratio", "median", "median_abs", "mean", "q95_abs"):
        assert golden.matches(getattr(found, name), expected[name], case), name


@pytest.mark.parametrize("case", golden.cases("m3c2, degenerate"))
def test_m3c2_on_an_exactly_flat_cloud_is_the_step(case):
    inputs = golden.arrays(case)
    flat = inputs["P"] * [1.0, 1.0, 0.0]
    found = summary(m3c2(flat, inputs["Q"], flat[::100]))
    assert found.nan_ratio == 0.0 and found.median == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize("case", golden.cases("cloudmetrics_gap"))
def test_cloudmetrics_gap(case):
    params = case["params"]
    assert golden.matches(cloudmetrics_gap(params["M"], params["C"], params["I"]), case["expected"]["gap"], case)


@pytest.mark.parametrize("case", golden.cases("MMD-CD, coverage, 1-NNA"))
def test_sets_of_clouds(case):
    golden_checks.check_sets(case, golden.arrays(case))
