"""Echoes of the air and of glare, and what a device reports of all its echoes."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.sensors import nominal
from tailgate.sensors.lidar import LidarResponse, Limits, drown, limits_of, respond_lidar
from tailgate.sensors.lidar_air import air_echo, air_twin
from tailgate.sensors.lidar_bloom import Glare, bloom_echo, bloom_twin
from tailgate.sensors.lidar_echo import choose_echoes

FOG = {"range_10pct": 60.0, "backscatter": 0.015, "scatter_spread": 0.3, "overlap": 6.0}


@pytest.fixture(scope="module")
def device():
    return load_sensor("vlp16")[0].model_copy(update={"columns": 360})


@pytest.fixture(scope="module")
def street(device):
    return street_scan(device, 3)


def test_air_kernel_matches_its_twin():
    draw = np.random.default_rng(0)
    surface = np.where(draw.random((16, 200, 1)) < 0.2, 0.0, draw.uniform(1.0, 60.0, (16, 200, 1))).astype(np.float32)
    response, limits = LidarResponse(range_10pct=60.0, backscatter=0.05, scatter_spread=1.0, overlap=3.0), Limits(0.5, 100.0, 0.0, 0.03)
    kernel, twin = air_echo(surface, response, limits, 7), air_twin(surface, response, limits, 7)
    np.testing.assert_allclose(kernel[0], twin[0], atol=2e-3)
    np.testing.assert_allclose(kernel[1], twin[1], rtol=2e-4)
    held = (surface > 0) & (kernel[0] > 0)
    assert (kernel[0][held] < surface[held]).all() and (kernel[0][surface == 0] > 0).all()


def test_clear_air_and_no_backscatter_have_no_echo(device, street):
    response = LidarResponse.of(FOG)
    assert air_echo(street.channel("range"), response, limits_of(device), 1) is None
    assert air_echo(street.channel("range"), replace(response, backscatter=0.0), limits_of(device, 0.02), 1) is None
    plain = respond_lidar(street, device, {"range_10pct": 60.0}, 1, 0.02)
    assert respond_lidar(street, device, {**FOG, "backscatter": 0.0}, 1, 0.02)["range"].tobytes() == plain["range"].tobytes()


def test_denser_fog_returns_more_often_and_from_nearby(device, street):
    exact = street.channel("range")
    shares = []
    for extinction in (0.003, 0.01, 0.03):
        got = respond_lidar(street, device, FOG, 1, extinction)
        air = (got["range"] > 0) & ((exact == 0) | (got["range"] < exact - 0.5))
        shares.append(air.mean())
        assert got["range"][air].max() < 15.0
        np.testing.assert_array_equal(got["range_true"], exact)
    assert shares[0] < 0.02 and shares[0] < shares[1] < shares[2] and shares[2] > 0.1, shares


@pytest.mark.parametrize("name", ["vlp16", "hdl64e", "os1_64", "vlp32c", "xt32", "vls128", "pandar64"])
def test_mist_leaves_the_open_sky_empty_and_dense_fog_does_not(name):
    """Shares of open beams that return, at the middle of each device's settings: clutter comes with visibilities of 100 m and less."""
    model = load_sensor(name)[0].model_copy(update={"columns": 100})
    nothing = np.zeros((len(model.elevation_deg), 100, 1), np.float32)
    sky = street_scan(model, 3, boxes=0)
    sky = replace(sky, channels={**sky.channels, "range": nothing, "incidence": nothing, "reflectance": nothing})
    params = nominal(model) | {"scatter_spread": 0.3}
    shares = [(respond_lidar(sky, model, params, 5, 3.912 / visibility)["range"] > 0).mean() for visibility in (800, 200, 100, 50)]
    assert shares[0] < 0.01 and shares[1] < 0.1 and shares[3] > 0.03 and shares == sorted(shares), shares


def test_snow_reaches_further_than_fog(device, street):
    exact = street.channel("range")

    def seen(spread):
        got = respond_lidar(street, device, FOG | {"scatter_spread": spread}, 1, 0.02)["range"]
        return got[(got > 0) & ((exact == 0) | (got < exact - 0.5))]

    assert np.percentile(seen(2.0), 99) > 1.5 * np.percentile(seen(0.2), 99)


def test_bloom_kernel_matches_its_twin():
    draw = np.random.default_rng(1)
    surface = draw.uniform(5.0, 40.0, (16, 120)).astype(np.float32)
    power = np.where(draw.random(surface.shape) < 0.01, 400.0, 0.3).astype(np.float32)
    for wrap in (True, False):
        glare = Glare(1e-3, 0.8, 0.4, np.linspace(8, -8, 16).astype(np.float32), 8, wrap)
        kernel, twin = bloom_echo(surface, power, glare, "cpu"), bloom_twin(surface, power, glare)
        for a, b in zip(kernel, twin, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
    assert bloom_echo(surface, np.minimum(power, 1.0), glare, "cpu") is None


def _with_sign(street, reflectance):
    """The street with a patch of four by twenty cells of this reflectance at 12 m before everything, sky around it."""
    channels = {n: np.array(street.channel(n)) for n in ("range", "incidence", "reflectance")}
    channels["range"][:, 90:150], channels["range"][6:10, 110:130] = 0.0, 12.0
    channels["reflectance"][6:10, 110:130], channels["incidence"][6:10, 110:130] = reflectance, 1.0
    return replace(street, channels={**street.channels, **channels})


def test_a_retroreflector_saturates_and_blooms(device, street):
    params = {"range_10pct": 60.0, "bloom_level": 1e-3, "bloom_width": 1.0}
    plain, sign = (respond_lidar(_with_sign(street, rho), device, params, 1) for rho in (0.5, 500.0))
    around = np.zeros(plain["range"].shape, bool)
    around[4:12, 100:140] = True
    around[6:10, 110:130] = False
    assert not (plain["range"][around] > 0).any()
    halo = sign["range"][around]
    assert (halo > 0).mean() > 0.1 and np.allclose(halo[halo > 0], 12.0, atol=0.01)
    assert (sign["intensity"][6:10, 110:130] == 1.0).all() and sign["intensity"][around].max() < 1.0
    far = np.ones(around.shape, bool)
    far[:, 80:160] = False
    assert (sign["range"][far] > 0).sum() == (plain["range"][far] > 0).sum()


def test_glare_drowns_in_what_stands_there(device, street):
    """A device tells two echoes apart from half a pulse on: a retroreflector keeps its own return and label, whatever its neighbours' glare."""
    scan = _with_sign(street, 300.0)
    labels = np.zeros(scan.channel("range").shape, np.uint32)
    labels[6:10, 110:130] = 5
    wall = np.zeros(labels.shape, bool)
    wall[4:12, 105:135] = labels[4:12, 105:135] == 0
    ranges = np.where(wall, np.float32(12.4), scan.channel("range"))
    held = {"range": ranges, "instance": labels, "incidence": np.where(wall, np.float32(1.0), scan.channel("incidence"))}
    held["reflectance"] = np.where(wall, np.float32(0.3), scan.channel("reflectance"))
    scan = replace(scan, channels={**scan.channels, **held})
    params = {"range_10pct": 60.0, "bloom_level": 5e-4, "bloom_width": 1.0, "noise_sigma": 0.01}
    for returns in ("last", "dual"):
        got = respond_lidar(scan, device.model_copy(update={"returns": returns}), params, 1)
        assert (got["instance"][6:10, 110:130, 0] == 5).all()
    two = (got["range"] > 0).all(axis=2)
    assert not two[6:10, 110:130].any() and not two[wall[..., 0]].any() and (got["range"] > 0).any(axis=2)[wall[..., 0]].all()


def test_the_weaker_of_two_lights_within_a_pulse_is_not_told_apart():
    ranges = np.array([[[10.0, 10.5, 30.0], [10.0, 10.5, 30.0], [10.0, 11.0, 11.5], [0.0, 10.5, 10.9]]])
    back = np.array([[[0.5, 0.1, 0.1], [0.1, 0.5, 0.1], [0.5, 0.1, 0.2], [0.0, 0.1, 0.3]]])
    left = drown((ranges, np.ones_like(ranges), back), 1, Limits(0.5, 100.0, 0.0))[0][0].tolist()
    assert left == [[10.0, 0.0, 30.0], [0.0, 10.5, 30.0], [10.0, 0.0, 11.5], [0.0, 0.0, 10.9]]


def test_modes_of_return():
    ranges = np.array([[[10.0, 20.0, 0.0], [0.0, 20.0, 15.0], [0.0, 0.0, 0.0], [30.0, 20.0, 15.0]]])
    power = np.array([[[3.0, 2.0, 9.0], [9.0, 2.0, 1.0], [1.0, 1.0, 1.0], [3.0, 2.0, 1.0]]])

    def got(mode):
        return np.take_along_axis(ranges, choose_echoes(ranges, power, mode), axis=2)[0].tolist()

    assert got("strongest") == [[10.0], [20.0], [0.0], [30.0]]
    assert got("last") == [[20.0], [20.0], [0.0], [30.0]]
    # The last of the second and fourth is also the strongest: the second strongest stands in for it.
    assert got("dual") == [[10.0, 20.0], [20.0, 15.0], [0.0, 0.0], [30.0, 20.0]]
    power[0, 3] = [3.0, 1.0, 2.0]
    assert got("dual")[3] == [30.0, 15.0] == got("two_strongest")[3]
    ranges[0, 3] = [20.0, 30.0, 15.0]
    assert got("dual")[3] == [20.0, 30.0] and got("two_strongest")[3] == [20.0, 15.0]


def test_dual_returns_carry_their_labels_and_truth(device, street):
    second = np.concatenate([street.channel("range"), np.where(street.channel("range") > 0, street.channel("range") + 3.0, 0)], axis=2)
    channels = dict(street.channels) | {n: np.repeat(street.channel(n), 2, axis=2) for n in ("incidence", "time_offset")}
    channels["reflectance"] = np.concatenate([street.channel("reflectance"), 0.5 * street.channel("reflectance")], axis=2)
    channels |= {"range": second, "instance": np.where(second > 0, np.array([1, 2], np.uint32), 0).astype(np.uint32)}
    scan = replace(street, channels=channels)
    dual = device.model_copy(update={"returns": "dual"})
    got = respond_lidar(scan, dual, {"range_10pct": 80.0}, 5)
    assert all(got[n].shape == second.shape for n in ("range", "intensity", "instance", "time_offset", "range_true"))
    one = respond_lidar(scan, device, {"range_10pct": 80.0}, 5)
    assert one["range"].shape[2] == one["instance"].shape[2] == one["range_true"].shape[2] == one["time_offset"].shape[2] == 1
    last = respond_lidar(scan, device.model_copy(update={"returns": "last"}), {"range_10pct": 80.0}, 5)
    held = last["range"] > 0
    assert (last["instance"][held] == 2).mean() > 0.9 and (one["instance"][one["range"] > 0] == 1).mean() > 0.9
    np.testing.assert_array_equal(one["instance"] > 0, one["range"] > 0)
    thin = respond_lidar(street, dual, {}, 5)
    assert thin["range"].shape[2] == 2 and not (thin["range"][..., 1] > 0).any()


def test_light_of_the_air_has_no_label_in_a_dual_return(device, street):
    """One surface and the air make two echoes, as many as are reported: they are told apart all the same."""
    lost = {**FOG, "backscatter": 0.06, "drop_base": 0.5}
    exact = street.channel("range")
    scan = replace(street, channels={**street.channels, "instance": (exact > 0).astype(np.uint32)})
    got = respond_lidar(scan, device.model_copy(update={"returns": "dual"}), lost, 4, 0.03)
    labelled = got["instance"] > 0
    near = np.abs(got["range"] - exact) < 0.5
    assert labelled.any() and near[labelled].all() and ((got["range"] > 0) & ~near).any()
    assert not ((got["range"][..., 1] > 0) & (got["range"][..., 0] == 0)).any()


@pytest.mark.parametrize("kind", ["numpy", "warp"])
def test_the_strongest_echo_is_the_strongest_in_this_air(device, street, kind):
    """Far and bright against near and dark: 1.7 times as strong in clear air, 0.004 of it behind 30 m more of dense fog (Beer and Lambert)."""
    import warp as wp

    shape = (*street.channel("range").shape[:2], 2)
    exact, labels = np.broadcast_to([40.0, 10.0], shape), np.broadcast_to([7, 3], shape).astype(np.uint32)
    arrays = {"range": exact, "reflectance": np.broadcast_to([0.8, 0.03], shape), "incidence": np.ones(shape)}
    held = {n: np.ascontiguousarray(a, np.float32) for n, a in arrays.items()}
    if kind == "warp":
        held = {n: wp.array(a, dtype=wp.float32, device="cpu") for n, a in held.items()}
    scan = replace(street, channels={**street.channels, **held, "semantic": labels, "instance": labels})

    def got(mode, extinction):
        out = respond_lidar(scan, device.model_copy(update={"returns": mode}), {}, 5, extinction)
        return [np.asarray(out[n])[0, 0].tolist() for n in ("range", "instance", "range_true")]

    assert got("strongest", 0.0) == [[40.0], [7], [40.0]] and got("strongest", 0.1) == [[10.0], [3], [10.0]]
    assert got("dual", 0.1) == [[10.0, 40.0], [3, 7], [10.0, 40.0]] and got("last", 0.1) == [[40.0], [7], [40.0]]


def test_truth_is_that_of_what_was_reported(device, street):
    """Of three surfaces the second strongest lies in the middle: a dual return is the first and the third, and so are its truth and its labels."""
    shape, dual = (*street.channel("range").shape[:2], 3), device.model_copy(update={"returns": "dual"})
    held = {"range": [10.0, 20.0, 30.0], "reflectance": [0.9, 0.5, 0.6], "incidence": [1.0, 0.9, 0.8]}
    labels = np.broadcast_to([1, 2, 3], shape).astype(np.uint32)
    channels = {n: np.broadcast_to(np.float32(v), shape).copy() for n, v in held.items()} | {"instance": labels}
    scan = replace(street, channels={**street.channels, **channels})
    got = respond_lidar(scan, dual, {}, 5)
    for name, expected in (
        ("range", [10, 30]),
        ("range_true", [10, 30]),
        ("instance", [1, 3]),
        ("incidence", [1.0, 0.8]),
        ("reflectance", [0.9, 0.6]),
    ):
        np.testing.assert_allclose(got[name][0, 0], expected, rtol=1e-6)
    lost = respond_lidar(scan, dual, {"drop_base": 1.0}, 5)
    assert not lost["range"].any() and lost["range_true"][0, 0].tolist() == [10.0, 20.0]


def test_warp_channels_give_the_same(device, street):
    import warp as wp

    onto = {
        n: wp.array(np.ascontiguousarray(street.channel(n), np.float32), dtype=wp.float32, device="cpu")
        for n in ("range", "incidence", "reflectance")
    }
    plain = respond_lidar(street, device, FOG, 4, 0.03)
    warp = respond_lidar(replace(street, channels={**street.channels, **onto}), device, FOG, 4, 0.03)
    np.testing.assert_array_equal(np.asarray(plain["range"]), np.asarray(warp["range"]))
