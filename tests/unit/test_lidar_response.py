"""The LiDAR response: kernel against twin, and each law alone against its formula."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import MountedSensor, ResolvedRig, load_sensor
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId, Objects, Sample
from tailgate.sensors import nominal, respond
from tailgate.sensors.lidar import LidarResponse, Limits
from tailgate.sensors.lidar_kernels import launch_response
from tailgate.sensors.lidar_twin import loss_probability, respond_lidar_twin

SHAPE = (32, 600, 2)
ALL = LidarResponse(0.02, 5e-4, 0.015, 0.01, 0.5, 0.3, 0.4, 0.02, 0.02, 0.05, 0.001, 0.05, 0.5, 0.4, 60.0, 0.7, 0.8, 0.7, 0.6, 0.3, 0.2, 0.5, 0.01)


def _exact(seed=0):
    draw = np.random.default_rng(seed)
    r = draw.uniform(1, 90, SHAPE).astype(np.float32)
    r[draw.random(SHAPE) < 0.1] = 0
    return r, draw.uniform(0.02, 1, SHAPE).astype(np.float32), draw.uniform(0.02, 0.9, SHAPE).astype(np.float32)


def _flat(r=20.0, cosine=1.0, reflectance=0.3, shape=(64, 2000, 1)):
    return tuple(np.full(shape, v, np.float32) for v in (r, cosine, reflectance))


@pytest.mark.parametrize("wrap", [True, False])
def test_kernel_matches_twin(wrap):
    exact, limits = _exact(), Limits(0.9, 120.0, 0.002, 0.003, wrap)
    kernel = [a.numpy() for a in launch_response(exact, ALL, limits, 42, "cpu")]
    twin = respond_lidar_twin(exact, ALL, limits, 42)
    kept = (kernel[0] > 0) == (twin[0] > 0)
    assert kept.mean() > 0.9999
    # One storage step apart is allowed where float32 and float64 fall on two sides of a rounding edge.
    assert np.abs(kernel[0] - twin[0])[kept].max() < 0.0021
    assert np.mean(np.abs(kernel[0] - twin[0])[kept] > 1e-4) < 2e-3
    assert np.abs(kernel[1] - twin[1])[kept].max() < 0.0101
    assert np.mean(np.abs(kernel[1] - twin[1])[kept] > 1e-5) < 2e-3


def test_the_default_response_changes_nothing():
    exact = _exact()
    r, intensity = (a.numpy() for a in launch_response(exact, LidarResponse(), Limits(0.0, 1e3, 0.0), 1, "cpu"))
    np.testing.assert_array_equal(r, exact[0])
    np.testing.assert_allclose(intensity, np.where(exact[0] > 0, exact[2], 0), atol=1e-6)


def test_tails_leave_the_variance():
    """A normal times a lognormal factor has the kurtosis 3 exp(4 tail²)."""
    limits, flat = Limits(0.0, 1e3, 0.0), _flat()
    law = LidarResponse(noise_sigma=0.02, noise_tail=0.3, intensity_spread=0.05, intensity_tail=0.3)
    r, intensity = (a.numpy()[..., 0] for a in launch_response(flat, law, limits, 5, "cpu"))
    for error, spread in ((r - 20.0, 0.02), (np.log(intensity / np.median(intensity)), 0.05)):
        assert error.std() == pytest.approx(spread, rel=0.02)
        assert np.mean(error**4) / error.var() ** 2 == pytest.approx(3 * np.exp(4 * 0.3**2), rel=0.08)


def test_grain_is_each_returns_own():
    """Of noise, a share comes one by one; the rest lasts over columns."""
    limits, flat = Limits(0.0, 1e3, 0.0), _flat()
    for grain in (0.0, 0.4, 1.0):
        law = LidarResponse(noise_sigma=0.02, noise_correlation=0.9, noise_grain=grain)
        error = launch_response(flat, law, limits, 5, "cpu")[0].numpy()[..., 0] - 20.0
        assert error.std() == pytest.approx(0.02, rel=0.03)
        assert np.mean(error[:, 1:] * error[:, :-1]) / error.var() == pytest.approx(0.9 * (1 - grain), abs=0.02)


def test_grain_of_losses_leaves_neighbours_as_alike():
    """The more losses come one by one, the longer are the patches of the others: neighbours share their fate as often, columns further apart more."""
    limits, flat, beside, further = Limits(0.0, 1e3, 0.0), _flat(), [], []
    for grain in (0.0, 0.5, 1.0):
        law = LidarResponse(drop_base=0.2, drop_correlation=0.4, drop_grain=grain)
        missing = launch_response(flat, law, limits, 5, "cpu")[0].numpy()[..., 0] <= 0
        assert missing.mean() == pytest.approx(0.2, abs=0.01)
        beside.append(missing[:, 1:][missing[:, :-1]].mean())
        further.append(missing[:, 3:][missing[:, :-3]].mean())
    assert max(beside) - min(beside) < 0.08 and min(beside) > 0.35
    assert further[1] > further[0] + 0.01 and further[2] > further[1] + 0.05
    assert LidarResponse(drop_correlation=0.4, drop_grain=1.0).patches == pytest.approx((0.96, 1 - 0.4 / 0.96))
    assert LidarResponse(drop_grain=1.0).patches == (0.0, 1.0)


def test_each_beam_has_its_own_offset():
    offsets = np.linspace(-0.3, 0.3, 64)
    r = launch_response(_flat(), LidarResponse(), Limits(0.0, 1e3, 0.0, offsets=tuple(offsets)), 1, "cpu")[0].numpy()
    np.testing.assert_allclose(r[..., 0] - 20.0, np.broadcast_to(offsets[:, None], r.shape[:2]), atol=1e-4)


def test_noise_follows_its_law():
    limits = Limits(0.0, 1e3, 0.0)
    for r, cosine in ((5.0, 1.0), (50.0, 1.0), (20.0, 0.2)):
        law = LidarResponse(noise_sigma=0.02, noise_per_metre=8e-4, noise_incidence=0.01, noise_correlation=0.5)
        out = launch_response(_flat(r, cosine), law, limits, 7, "cpu")[0].numpy()[..., 0]
        tan = np.sqrt(1 - cosine**2) / cosine
        assert np.std(out) == pytest.approx(np.sqrt(0.02**2 + (8e-4 * r) ** 2 + (0.01 * tan) ** 2), rel=0.02)
        error = out - r
        assert np.mean(error[:, 1:] * error[:, :-1]) / np.var(error) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("r", "cosine", "reflectance", "extinction"), [(20.0, 1.0, 0.1, 0.0), (20.0, 1.0, 0.8, 0.0), (30.0, 0.5, 0.4, 0.0), (20.0, 1.0, 0.8, 0.02)]
)
def test_a_weak_signal_is_noisier(r, cosine, reflectance, extinction):
    """As 1 / √signal, from noise_signal where half of the returns are detected: a dark target is noisier than a bright one at its range."""
    law = LidarResponse(noise_sigma=0.01, noise_signal=0.03, range_10pct=40.0)
    out = launch_response(_flat(r, cosine, reflectance), law, Limits(0.0, 1e3, 0.0, extinction), 7, "cpu")[0].numpy()
    signal = reflectance / 0.1 * cosine * (40.0 / r) ** 2 * np.exp(-2 * extinction * r)
    assert np.std(out[out > 0]) == pytest.approx(np.sqrt(0.01**2 + 0.03**2 / signal), rel=0.02)
    without = launch_response(_flat(r, cosine, reflectance), replace(law, range_10pct=0.0), Limits(0.0, 1e3, 0.0, extinction), 7, "cpu")[0].numpy()
    assert np.std(without) == pytest.approx(0.01, rel=0.02)


def test_beam_offsets_belong_to_the_device():
    law, limits = LidarResponse(beam_bias=0.03), Limits(0.0, 1e3, 0.0)
    a, b = (launch_response(_flat(), law, limits, seed, "cpu")[0].numpy() for seed in (1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.ptp(a[5]) == 0.0
    assert 0.02 < np.std(a[:, 0, 0]) < 0.04
    named = launch_response(_flat(), law, replace(limits, offsets=(0.5, *[None] * (len(a) - 1))), 1, "cpu")[0].numpy()
    exact = launch_response(_flat(), LidarResponse(), limits, 1, "cpu")[0].numpy()
    np.testing.assert_allclose(named[0], exact[0] + 0.5, rtol=1e-6)
    np.testing.assert_array_equal(named[1:], a[1:])


def test_losses_follow_their_probability_whatever_their_correlation():
    for correlation in (0.0, 0.7):
        law = replace(ALL, drop_correlation=correlation)
        for r, cosine, reflectance in ((5.0, 0.9, 0.3), (40.0, 0.6, 0.15), (70.0, 0.9, 0.1)):
            lost = launch_response(_flat(r, cosine, reflectance), law, Limits(0.0, 1e3, 0.0), 9, "cpu")[0].numpy() <= 0
            # Neighbours that share their fate leave fewer independent cells: 128,000 / (2 * 6.7) at a correlation of 0.7.
            assert lost.mean() == pytest.approx(float(loss_probability(r, cosine, reflectance, law)), abs=0.02)
    runs = []
    for correlation in (0.0, 0.7):
        law = LidarResponse(drop_base=0.2, drop_correlation=correlation)
        lost = launch_response(_flat(), law, Limits(0.0, 1e3, 0.0), 3, "cpu")[0].numpy()[..., 0] <= 0
        runs.append(lost.sum() / (lost[:, 1:] & ~lost[:, :-1]).sum())
    assert runs[0] == pytest.approx(1.25, abs=0.03) and runs[1] > 1.7


def test_half_of_a_dark_target_is_lost_at_its_range():
    law = LidarResponse(range_10pct=50.0)
    assert float(loss_probability(50.0, 1.0, 0.1, law)) == pytest.approx(0.5)
    assert float(loss_probability(20.0, 1.0, 0.1, law)) < 0.001
    assert float(loss_probability(120.0, 1.0, 0.1, law)) > 0.98


def test_grazing_light_is_mirrored_away():
    law = LidarResponse(drop_base=0.1, drop_incidence=0.32)
    assert [float(loss_probability(10.0, c, 0.3, law)) for c in (1.0, 0.5, 0.0)] == pytest.approx([0.1, 0.11, 0.42])


def test_intensity_law_clipping_and_storage():
    limits = Limits(0.0, 1e3, 0.0)
    law = LidarResponse(intensity_gain=0.8, intensity_contrast=0.5, intensity_incidence=1.0, intensity_range=2.0)
    out = launch_response(_flat(20.0, 0.5, 0.12), law, limits, 1, "cpu")[1].numpy()
    assert out.max() == pytest.approx(0.8 * 0.3 * np.sqrt(0.4) * 0.5 * 0.25, rel=1e-5)
    stepped = launch_response(_flat(reflectance=0.333), LidarResponse(intensity_step=0.01), limits, 1, "cpu")[1].numpy()
    assert stepped.max() == pytest.approx(0.33, abs=1e-6)
    assert launch_response(_flat(reflectance=0.9), LidarResponse(intensity_gain=2.0), limits, 1, "cpu")[1].numpy().max() == 1.0


def test_fog_weakens_and_hides():
    clear, foggy = (respond_lidar_twin(_flat(40.0), LidarResponse(range_10pct=60.0), Limits(0, 1e3, 0, a), 1) for a in (0.0, 0.05))
    assert (clear[0] > 0).mean() > 0.99 and (foggy[0] > 0).mean() < 0.01
    one = respond_lidar_twin(_flat(10.0), LidarResponse(), Limits(0, 1e3, 0, 0.01), 1)[1]
    assert one.max() == pytest.approx(0.3 * np.exp(-0.2), rel=1e-5)


def test_unknown_and_impossible_parameters_are_named():
    with pytest.raises(UserError, match="did you mean 'noise_sigma'"):
        LidarResponse.of({"noise_sigm": 0.1})
    with pytest.raises(UserError, match="'drop_base' must be a finite number"):
        LidarResponse.of({"drop_base": float("nan")})


def _one_box_frame():
    model, name = load_sensor("vlp16")
    scan = street_scan(model, 2)
    instance = np.zeros(scan.channel("range").shape, np.uint32)
    instance[4:8, 100:140] = 3
    instance[scan.channel("range") <= 0] = 0
    count = np.array([int((instance > 0).sum())], np.int32)
    one = np.ones(1, np.float32)
    box = np.full((1, 4), -1, np.float32)
    view = replace(scan.view, bbox_tight=box, bbox_loose=box, visible=count, alone=count, occluded=0 * one, truncated=0 * one, range=one)
    scan = replace(scan, channels={**scan.channels, "instance": instance, "semantic": instance // 3}, view=view)
    objects = Objects(np.array([3], np.int32), ["car"], np.eye(4)[None], np.ones((1, 3)), ["car"])
    rig = ResolvedRig("one", {"top": MountedSensor(model, name, np.eye(4))})
    return Frame(FrameId("s", 0, 0), {"top": scan}, objects, {"background": 0, "car": 1}), rig


def test_respond_keeps_ground_truth_and_recounts_hits():
    frame, rig = _one_box_frame()
    sample = Sample(FrameId("s", 0, 0), sensors={"top": {"drop_base": 0.5, "noise_sigma": 0.02}})
    out = respond(frame, sample, rig, (1, "s", 0, 0)).sensors["top"]
    before = frame.sensors["top"]
    np.testing.assert_array_equal(out.channel("range_true"), before.channel("range"))
    lost = out.channel("range") <= 0
    assert (out.channel("instance")[lost] == 0).all() and (out.channel("semantic")[lost] == 0).all()
    assert out.view.visible[0] == (out.channel("instance") == 3).sum() < before.view.visible[0]
    again = respond(frame, sample, rig, (1, "s", 0, 0)).sensors["top"]
    np.testing.assert_array_equal(out.channel("range"), again.channel("range"))
    other = respond(frame, sample, rig, (2, "s", 0, 0)).sensors["top"]
    assert (other.channel("range") != out.channel("range")).any()


def test_a_sensor_that_is_not_on_the_rig_is_named():
    frame, rig = _one_box_frame()
    with pytest.raises(UserError, match="did you mean 'top'"):
        respond(replace(frame, sensors={"tops": frame.sensors["top"]}), Sample(FrameId("s", 0, 0)), rig, (1,))


@pytest.mark.parametrize("name", ["hdl64e", "vlp32c", "vlp16", "os1_64"])
def test_shipped_models_name_only_known_parameters(name):
    model, _ = load_sensor(name)
    LidarResponse.of(nominal(model))
    assert sorted(model.elevation_deg, reverse=True) == list(model.elevation_deg)


def test_range_errors_of_beams_belong_to_the_unit():
    frame, rig = _one_box_frame()
    frame = replace(frame, sensors={n: frame.sensors["top"] for n in ("left", "right")})
    rig = ResolvedRig("two", {n: rig.sensors["top"] for n in ("left", "right")})
    params = dict.fromkeys(nominal(rig.sensors["left"].model), 0.0) | {"beam_bias": 0.02}
    sample = Sample(FrameId("s", 0, 0), sensors=dict.fromkeys(("left", "right"), params))

    def errors(*address):
        out = respond(frame, sample, rig, address).sensors
        off = [np.where((s.channel("range") > 0)[..., 0], (s.channel("range") - s.channel("range_true"))[..., 0], np.nan) for s in out.values()]
        return np.nanmedian(off, axis=2)

    left, right = errors(1, "s", 0, 0)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.9 and 0.01 < np.std(left) < 0.04 and 0.01 < np.std(right) < 0.04
    np.testing.assert_allclose(errors(1, "s", 0, 7), [left, right], atol=1e-3)
    assert np.abs(errors(2, "s", 0, 0) - [left, right]).max() > 0.01


def test_two_echoes_of_an_object_are_one_hit_of_it():
    frame, rig = _one_box_frame()
    scan, mounted = frame.sensors["top"], rig.sensors["top"]
    channels = {n: np.repeat(scan.channel(n), 2, axis=2) for n in ("incidence", "reflectance", "intensity", "time_offset", "instance", "semantic")}
    channels["range"] = scan.channel("range") * np.array([1.0, 1.2], np.float32)
    dual = replace(mounted, model=mounted.model.model_copy(update={"returns": "dual", "range_max": 1000.0}))
    frame = replace(frame, sensors={"top": replace(scan, channels={**scan.channels, **channels})})
    sample = Sample(FrameId("s", 0, 0), sensors={"top": dict.fromkeys(nominal(dual.model), 0.0)})
    out = respond(frame, sample, ResolvedRig("one", {"top": dual}), (1, "s", 0, 0)).sensors["top"]
    assert out.view.visible[0] == scan.view.visible[0] < (out.channel("instance") == 3).sum()
