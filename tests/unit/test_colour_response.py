"""The colour response against its twin, against closed-form answers and, where it is random, against its statistics."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import stage_kit as kit
import warp as wp
from tailgate.frames import Intrinsics
from tailgate.sensors import colour
from tailgate.sensors.camera import respond_camera
from tailgate.sensors.colour import FULL, ColourResponse, respond_colour, respond_radiance, respond_twin
from tailgate.sensors.exposure import Device, lagged, meter
from tailgate.sensors.handover import hand_over
from tailgate.sensors.isp import decode_table
from tailgate.sensors.optics import through_lens, through_lens_twin
from tailgate.sensors.photosites import expose
from tailgate.sensors.sharpening import sharpen

K = Intrinsics(160, 120, 110.0, 110.0, 79.5, 59.5)
EVERYTHING = ColourResponse(
    exposure=0.3, vignetting=0.8, vignetting_edge=0.2, chromatic_red=1.5, chromatic_blue=-1.0, blur=0.8, bloom=0.1, bloom_radius=10.0, glare=0.03,
    shot_noise=1e-4, read_noise=2e-3, row_noise=1e-3, column_noise=1e-3, prnu=0.01, dsnu=1e-3, raw_bits=12, white_balance_red=1.1,
    white_balance_blue=0.9, saturation=1.2, gamma=1.1,
)  # fmt: skip


def scene(seed=1):
    """Radiance of blocks and gradients with a few lamps, float32 [120, 160, 4]."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0.02, 0.8, (12, 16, 3)), np.ones((10, 10, 1)))
    blocks[30:34, 40:44] = 30.0
    return np.dstack([blocks, np.ones((120, 160))]).astype(np.float32)


def flat(level, shape=(120, 160)):
    return wp.full(shape, wp.vec3(level, level, level), dtype=wp.vec3)


def white(shape=(120, 160)):
    return np.full((*shape, 4), 255, np.uint8)


CHAINS = {
    "photosites": {},
    "mosaic": {"mosaic": 1.0},
    "jpeg": {"mosaic": 1.0, "jpeg_loss": 20.0},
    "sharpened": {"illuminant_red": 0.7, "illuminant_blue": 0.4, "colour_grain": 2.6, "sharpening": 1.2, "sharpening_radius": 1.1},
    "driver": {"driver_mosaic": 1.0},
    "4:2:2": {"chroma_loss": 1.0},
    "4:2:0": {"chroma_loss": 2.0},
    "jpeg 4:2:0": {"chroma_loss": 2.0, "jpeg_loss": 20.0},
}


@pytest.mark.parametrize("extra", CHAINS.values(), ids=CHAINS)
def test_radiance_chain_matches_its_twin(extra):
    response, hdr = replace(EVERYTHING, **extra), scene()
    made = respond_radiance(wp.array(hdr), wp.array(white()), 0.9, K, response, (4, 9)).numpy()
    twin = respond_twin(hdr[..., :3].astype(np.float64) * 0.9 * 2**0.3, K, response, (4, 9), FULL)
    # Converter steps and bytes fall to either side in float32; JPEG and the mosaic carry one such step to its neighbours.
    difference = np.abs(made[..., :3].astype(int) - twin)
    assert (difference > 1).mean() < 2e-3 and (difference > 0).mean() < (0.05 if extra else 5e-3)
    assert (made[..., 3] == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 5), (9, 17)])
def test_the_smallest_pictures_match_too(shape):
    k = Intrinsics(shape[1], shape[0], 8.0, 8.0, (shape[1] - 1) / 2, (shape[0] - 1) / 2)
    hdr = np.random.default_rng(3).uniform(0, 2, (*shape, 3)).astype(np.float32)
    for extra in ({}, CHAINS["driver"], CHAINS["4:2:0"], {"chromatic_red": -20.0}):
        response = replace(EVERYTHING, **extra)
        made = respond_radiance(wp.array(hdr), wp.array(white(shape)), 0.9, k, response, (4, 9)).numpy()
        twin = respond_twin(hdr.astype(np.float64) * 0.9 * 2**0.3, k, response, (4, 9), FULL)
        assert np.abs(made[..., :3].astype(int) - twin).max() <= 1 and (made[..., 3] == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 48), (2, 48), (3, 3), (48, 1), (48, 2)])
def test_a_mosaic_of_few_rows_shows_the_light(shape):
    k = Intrinsics(shape[1], shape[0], 8.0, 8.0, (shape[1] - 1) / 2, (shape[0] - 1) / 2)
    plain, filtered = (through(shape, k, ColourResponse(mosaic=on)) for on in (0.0, 1.0))
    assert np.abs(plain - filtered).max() <= 1


def through(shape, k, response):
    """Picture of even light, [H, W, 3]."""
    light = np.full((*shape, 4), 0.4, np.float32)
    return respond_radiance(wp.array(light), wp.array(white(shape)), 1.0, k, response, (1, 2)).numpy()[..., :3].astype(int)


def test_light_of_radiance_and_of_bytes_matches_its_twin():
    """What is no light is none, and what is brighter than all is cut."""
    rng, gain = np.random.default_rng(5), (0.7, 1.0, 0.4)
    hdr = rng.uniform(-1, 3, (9, 13, 3)).astype(np.float32)
    hdr[0, :5, 0], hdr[0, :5, 1] = [np.nan, np.inf, -np.inf, 0.0, 3e38], 1e-30
    rgb = np.arange(3 * 256, dtype=np.uint8).reshape(2, 128, 3)
    light, decoded, grey = wp.empty((9, 13), dtype=wp.vec3), wp.empty((2, 128), dtype=wp.vec3), wp.empty((2, 128), dtype=wp.float32)
    wp.launch(colour.radiance_kernel, dim=light.shape, inputs=[wp.array(hdr), wp.vec3(*gain), light])
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(light.numpy(), colour.radiance_twin(hdr, np.array(gain)), rtol=1e-6)
    table = wp.array(decode_table())
    wp.launch(colour.decode_kernel, dim=decoded.shape, inputs=[wp.array(rgb), table, wp.vec3(*gain), decoded])
    np.testing.assert_allclose(decoded.numpy(), colour.decode_twin(rgb) * gain, rtol=1e-5)
    wp.launch(colour.luminance_kernel, dim=grey.shape, inputs=[wp.array(rgb), table, grey])
    np.testing.assert_allclose(grey.numpy(), colour.luminance_twin(rgb), rtol=1e-5)
    assert colour.luminance_twin(np.full((1, 3), 255)) == pytest.approx(1.0)


def test_picture_chain_matches_its_twin_and_scales_light():
    rgb = np.random.default_rng(1).integers(0, 256, (120, 160, 4), dtype=np.uint8)
    made = respond_colour(wp.array(rgb), K, replace(EVERYTHING, raw_bits=0.0), (4, 9)).numpy()
    twin = respond_twin(decode_table().astype(np.float64)[rgb[..., :3]] * 2**0.3, K, replace(EVERYTHING, raw_bits=0.0), (4, 9), 1.0)
    assert np.abs(made[..., :3].astype(int) - twin).max() <= 1 and (made[..., :3] != twin).mean() < 2e-3
    grey = np.full((20, 20, 4), 100, np.uint8)
    doubled = respond_colour(wp.array(grey), replace(K, width=20, height=20), ColourResponse(exposure=1.0), (0, 0)).numpy()
    linear = decode_table()[[100, doubled[0, 0, 0]]]
    assert linear[1] / linear[0] == pytest.approx(2.0, rel=0.01) and doubled[0, 0, 3] == 100


def test_an_ideal_camera_gives_the_rendered_picture():
    stage = kit.new_stage()
    kit.lights(stage)
    kit.box(stage, "/World/box", (4, -1, -1), (6, 1, 1))
    model = kit.pinhole(160, 120, 110.0)
    view = kit.render(stage, kit.rig_of(model)).sensors["camera"]
    out = respond_camera(view, model, {}, 3)
    assert np.abs(out["rgb"].astype(int) - view.channels["rgb"]).max() <= 1
    assert out["exposure"] == view.channels["exposure"] and out["HdrColor"] is view.channels["HdrColor"]


def test_a_sharpened_edge_has_rims_of_one_size_in_linear_light():
    """An unsharp mask of strength a on a step seen through a Gaussian b: a (Φ(x/b) - Φ(x/√(b² + r²))) is added on either side."""
    light = np.where(np.arange(60)[None, :, None] < 30, 0.2, 0.6) * np.ones((20, 60, 3))
    made = wp.array(light.astype(np.float32), dtype=wp.vec3)
    sharpen(made, ColourResponse(sharpening=1.0, sharpening_radius=1.5))
    row = made.numpy()[10, :, 1]
    assert row[29] - 0.2 == pytest.approx(0.6 - row[30], abs=1e-6)
    distance = np.arange(0.5, 3.5)
    assert row[30:33] - 0.6 == pytest.approx([0.4 * (1 - NormalDist(0, 1.5).cdf(x)) for x in distance], abs=4e-3)
    assert row[20] == pytest.approx(0.2, abs=1e-6) and row.mean() == pytest.approx(0.4, abs=1e-6)


def test_noise_grows_where_light_is_scarce_and_is_one_over_its_grain():
    response = ColourResponse(shot_noise=2e-4, colour_grain=3.0, illuminant_blue=0.25)
    signal = expose(flat(0.4, (256, 256)), response, FULL, 5, 1).numpy()[..., 1] - 0.4
    assert signal.std() == pytest.approx(np.sqrt(2e-4 * 0.4), rel=0.03)
    for lag, alike in ((1, 2 / 3), (2, 1 / 3), (3, 0.0)):
        for line in (signal, signal.T):
            assert (line[lag:] * line[:-lag]).mean() / signal.var() == pytest.approx(alike, abs=0.03)
    grey = np.full((128, 128, 4), 180, np.uint8)
    picture = respond_colour(wp.array(grey), replace(K, width=128, height=128), replace(response, colour_grain=1.0), (3, 4)).numpy().astype(float)
    assert picture.mean((0, 1))[:3] == pytest.approx([180] * 3, abs=0.1)
    assert picture[..., 2].std() / picture[..., 1].std() == pytest.approx(2.0, rel=0.05)


def test_a_driver_interpolates_one_colour_per_pixel():
    """A plain ramp comes back but for rounding down; a colourful one pixel stripe does not."""
    y, x = np.indices((24, 32))
    ramp = np.dstack([4 * x + 20, 2 * x + 3 * y + 10, 5 * y + 8, 0 * x + 9]).astype(np.uint8)
    out = hand_over(wp.array(ramp), ColourResponse(driver_mosaic=1.0)).numpy()
    inside = (slice(1, -1), slice(1, -1))
    assert (out[inside] == ramp[inside]).all()
    stripes = np.dstack([np.where(x % 2, 200, 50)] * 3 + [0 * x]).astype(np.uint8)
    out = hand_over(wp.array(stripes), ColourResponse(driver_mosaic=1.0)).numpy()
    assert (out[..., 0] == 200).all() and (out[..., 2] == 50).all()


def test_shared_colour_differences_leave_brightness():
    rgb = np.random.default_rng(2).integers(60, 190, (40, 60, 4), dtype=np.uint8)
    luma = rgb[..., :3] @ np.array([0.299, 0.587, 0.114])
    for level, (rows, columns) in ((1, (1, 2)), (2, (2, 2))):
        out = hand_over(wp.array(rgb), ColourResponse(chroma_loss=level)).numpy()[..., :3]
        kept = np.minimum(out.min(-1), 255 - out.max(-1)) > 0
        assert np.abs(out @ np.array([0.299, 0.587, 0.114]) - luma)[kept].max() < 1.5
        red = (out[..., 0] - out @ np.array([0.299, 0.587, 0.114])).reshape(40 // rows, rows, 60 // columns, columns)
        assert np.abs(np.ptp(np.where(kept.reshape(red.shape), red, red.mean((1, 3), keepdims=True)), axis=(1, 3))).max() < 3


def test_falloff_follows_the_cosine():
    light = through_lens(flat(1.0), K, ColourResponse(vignetting=1.0)).numpy()[..., 0]
    u, v = np.meshgrid(np.arange(160), np.arange(120))
    cosine = 1 / np.sqrt(1 + ((u - K.cx) ** 2 + (v - K.cy) ** 2) / K.fx**2)
    np.testing.assert_allclose(light, cosine**4, rtol=1e-5)
    edge = through_lens(flat(1.0), K, ColourResponse(vignetting_edge=0.3)).numpy()[..., 0]
    assert edge[0, 0] == pytest.approx(0.7, abs=1e-5) and edge[60, 80] == pytest.approx(1.0, abs=1e-5)


def test_lateral_colour_moves_red_outwards():
    """A vertical edge at half the way to the corner's radius moves by half of what the corner moves by."""
    light = np.zeros((120, 160, 3), np.float32)
    light[:, 130:] = 1.0
    out = through_lens(wp.array(light, dtype=wp.vec3), K, ColourResponse(chromatic_red=4.0, chromatic_blue=-4.0)).numpy()[60]
    edge = [160 - out[:, c].sum() for c in range(3)]
    corner = np.hypot(79.5, 59.5)
    moved = 4.0 * (129.5 - 79.5) / corner
    assert edge[0] - edge[1] == pytest.approx(moved, abs=0.15) and edge[1] - edge[2] == pytest.approx(moved, abs=0.15)


def test_scattered_light_is_kept():
    light = np.zeros((120, 160, 3), np.float32)
    light[56:64, 76:84] = 100.0
    out = through_lens(wp.array(light, dtype=wp.vec3), K, ColourResponse(glare=0.02, bloom=0.1, bloom_radius=16.0)).numpy()
    assert out.mean() == pytest.approx(light.mean(), rel=5e-3)
    assert out[0, 0, 0] == pytest.approx(0.02 * light.mean(), rel=0.05)
    near, far = out[60, 96, 0], out[60, 130, 0]
    assert near > 3 * far > 0 and out[60, 80, 0] == pytest.approx(88.0, rel=0.05)


@pytest.mark.parametrize("radius", [1.0, 2.0, 4.0, 4.9, 5.0, 8.0, 14.0, 23.0])
@pytest.mark.parametrize("at", [(120, 130), (123, 125)])
def test_a_halo_is_a_gaussian_around_its_source(radius, at):
    """Energy, centre, standard deviation and shape of what becomes of one bright pixel, wherever it lies."""
    light = np.zeros((240, 250, 3), np.float32)
    light[at] = 8000.0
    k = Intrinsics(250, 240, 200.0, 200.0, 124.5, 119.5)
    halo = through_lens(wp.array(light, dtype=wp.vec3), k, ColourResponse(bloom=1.0, bloom_radius=radius)).numpy()[..., 1].astype(float) / 8000
    rows, columns = np.indices(halo.shape)
    assert halo.sum() == pytest.approx(1.0, abs=1e-3)
    assert (halo * rows).sum() == pytest.approx(at[0], abs=0.01 * radius) and (halo * columns).sum() == pytest.approx(at[1], abs=0.01 * radius)
    for places, centre in ((rows, at[0]), (columns, at[1])):
        assert np.sqrt((halo * (places - centre) ** 2).sum()) == pytest.approx(radius, rel=0.03)
    expected = np.exp(-0.5 * ((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / radius**2) / (2 * np.pi * radius**2)
    assert np.abs(halo - expected).max() < 0.06 * expected.max()


def test_no_radius_is_no_halo():
    hdr = wp.array(scene()[..., :3].copy(), dtype=wp.vec3)
    np.testing.assert_array_equal(through_lens(wp.clone(hdr), K, ColourResponse(bloom=0.5, bloom_radius=0.0)).numpy(), hdr.numpy())


@pytest.mark.parametrize("radius", [0.0, 1.0, 4.0, 12.0, 60.0, 1000.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (17, 25), (64, 70)])
def test_halo_matches_its_twin(radius, shape):
    light = np.random.default_rng(2).uniform(0, 2, (*shape, 3))
    light[0, -1] = 50.0
    k = Intrinsics(shape[1], shape[0], 60.0, 60.0, (shape[1] - 1) / 2, (shape[0] - 1) / 2)
    r = ColourResponse(bloom=0.3, bloom_radius=radius, glare=0.1)
    made = through_lens(wp.array(light.astype(np.float32), dtype=wp.vec3), k, r).numpy()
    np.testing.assert_allclose(made, through_lens_twin(light.copy(), k, r), rtol=2e-5, atol=2e-5)


def test_scattered_light_is_kept_whatever_the_size_and_the_shares():
    light = np.zeros((17, 25, 3), np.float32)
    light[16, 24] = 100.0
    k = replace(K, width=25, height=17)
    out = through_lens(wp.array(light, dtype=wp.vec3), k, ColourResponse(glare=0.5)).numpy()
    assert out.mean() == pytest.approx(light.mean(), rel=1e-5) and out[0, 0, 0] == pytest.approx(50.0 / (17 * 25), rel=1e-5)
    assert through_lens(wp.array(light, dtype=wp.vec3), k, ColourResponse(glare=0.8, bloom=0.9)).numpy().min() >= 0


def test_one_pixel_without_a_number_spoils_no_other():
    """Overflows of half floats are light, not-a-number is none; metering leaves both out."""
    hdr = scene()
    run = lambda h: respond_radiance(wp.array(h), wp.array(white()), meter(h), K, ColourResponse(blur=1.0, bloom=0.1), (1, 2)).numpy()  # noqa: E731
    plain = run(hdr)
    for value, bright in ((np.inf, True), (np.nan, False)):
        spoilt = hdr.copy()
        spoilt[60, 80, :3] = value
        out = run(spoilt)
        # Rows up to 10 are further away than the halo's end, four times its radius of 12 px.
        assert np.abs(out[:10].astype(int) - plain[:10]).max() <= 1 and (out[60, 80, 0] == 255) == bright


def test_photon_transfer_line():
    """EMVA 1288: temporal variance of flat fields over their mean is a line; its slope is the gain, its value at 0 the read noise squared."""
    response = ColourResponse(shot_noise=4e-4, read_noise=5e-3)
    levels = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])
    pairs = [[expose(flat(v, (240, 320)), response, FULL, 10 * i + s, 1).numpy()[..., 0] for s in (1, 2)] for i, v in enumerate(levels)]
    means, variances = np.array([[0.5 * (a + b).mean(), 0.5 * (a - b).var()] for a, b in pairs]).T
    slope, offset = np.polyfit(means, variances, 1, w=1 / variances)
    assert means == pytest.approx(levels, abs=5e-4)
    assert slope == pytest.approx(4e-4, rel=0.02) and offset == pytest.approx(2.5e-5, rel=0.05)


def test_row_noise_is_shared_along_rows_and_white_across_them():
    frames = [expose(flat(0.3, (256, 128)), ColourResponse(row_noise=4e-3), FULL, s, 1).numpy()[..., 1] - 0.3 for s in range(24)]
    assert max(np.ptp(f, axis=1).max() for f in frames) < 1e-6
    rows = np.array([f[:, 0] for f in frames])
    assert rows.std() == pytest.approx(4e-3, rel=0.04)
    power = (np.abs(np.fft.rfft(rows, axis=1)) ** 2).mean(0)[1:-1] / (256 * 4e-3**2)
    low, high = power[:40].mean(), power[-40:].mean()
    assert low == pytest.approx(1.0, abs=0.12) and high == pytest.approx(1.0, abs=0.12)
    assert abs(np.corrcoef(rows)[np.triu_indices(24, 1)]).max() < 0.3


def test_fixed_pattern_stays_with_its_device():
    response = ColourResponse(shot_noise=1e-4, prnu=0.02, dsnu=3e-3, column_noise=2e-3)
    frames = np.array([expose(flat(0.5), response, FULL, s, 7).numpy()[..., 0] for s in range(40)])
    pattern = frames.mean(0)
    expected = np.sqrt((0.02 * 0.5) ** 2 + 3e-3**2 + 2e-3**2)
    assert pattern.std() == pytest.approx(expected, rel=0.03)
    assert (frames - pattern).std() == pytest.approx(np.sqrt(1e-4 * 0.5 * 39 / 40), rel=0.02)
    assert pattern.mean(0).std() == pytest.approx(2e-3, rel=0.25)
    halves = frames[:20].mean(0), frames[20:].mean(0)
    other = np.mean([expose(flat(0.5), response, FULL, s, 8).numpy()[..., 0] for s in range(20)], axis=0)
    assert np.corrcoef(halves[0].ravel(), halves[1].ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(halves[0].ravel(), other.ravel())[0, 1]) < 0.05
    dark = expose(flat(0.0), ColourResponse(prnu=0.02), FULL, 1, 7).numpy()
    assert np.abs(dark).max() < 1e-7


def test_converter_steps_and_full_photosites():
    ramp = np.repeat(np.linspace(0, 10, 160, dtype=np.float32)[None, :, None], 3, axis=2).repeat(8, 0)
    out = expose(wp.array(ramp, dtype=wp.vec3), ColourResponse(raw_bits=8.0), FULL, 1, 1).numpy()[0, :, 0]
    codes = out * 255 / FULL
    assert np.abs(codes - np.rint(codes)).max() < 1e-3 and out.max() == pytest.approx(FULL)


def test_mosaic_spares_flat_fields_and_smears_noise():
    grey = np.full((120, 160, 4), 0.2, np.float32)
    run = lambda r, seed=1: respond_radiance(wp.array(grey), wp.array(white()), 1.0, K, r, (seed, 2)).numpy()[..., :3].astype(float)  # noqa: E731
    plain, filtered = run(ColourResponse()), run(ColourResponse(mosaic=1.0))
    assert np.abs(plain - filtered).max() <= 1
    noisy = ColourResponse(read_noise=0.02)
    for response, low, high in ((noisy, -0.03, 0.03), (replace(noisy, mosaic=1.0), 0.25, 0.9)):
        red = run(response)[..., 0] - run(response)[..., 0].mean()
        assert low < (red[:, :-1] * red[:, 1:]).mean() / red.var() < high


def test_white_balance_colour_matrix_and_gamma():
    rgb = np.tile(np.array([120, 90, 60, 255], np.uint8), (16, 16, 1))
    k = replace(K, width=16, height=16)
    linear = lambda r: decode_table()[respond_colour(wp.array(rgb), k, r, (0, 0)).numpy()[0, 0, :3]]  # noqa: E731
    base = decode_table()[[120, 90, 60]]
    assert linear(ColourResponse(white_balance_red=1.5))[0] == pytest.approx(1.5 * base[0], rel=0.02)
    grey = base @ (0.2126, 0.7152, 0.0722)
    assert linear(ColourResponse(saturation=0.0)) == pytest.approx([grey] * 3, rel=0.02)
    assert linear(ColourResponse(gamma=2.0)) == pytest.approx(base**2, rel=0.05)


def test_jpeg_is_repeatable_and_loses_more_when_asked():
    errors = []
    for loss in (5.0, 30.0, 70.0):
        pair = [respond_radiance(wp.array(scene()), wp.array(white()), 1.0, K, ColourResponse(jpeg_loss=loss), (1, 1)).numpy() for _ in range(2)]
        np.testing.assert_array_equal(*pair)
        ideal = respond_radiance(wp.array(scene()), wp.array(white()), 1.0, K, ColourResponse(), (1, 1)).numpy()
        errors.append(np.abs(pair[0].astype(float) - ideal).mean())
    assert 0 < errors[0] < errors[1] < errors[2]


def test_darkness_has_no_lag():
    assert lagged(0.0, 0.2, Device(0, 1.0, 0.1)) == 0.0 and lagged(1.0, 0.2, Device(0, 0.0, 0.1)) == 1.0


def test_exposure_lags_behind_the_light():
    """After a step of the light the exposure nears its target as exp(-t / lag) on a logarithmic scale."""
    stage = kit.new_stage()
    kit.lights(stage)
    kit.box(stage, "/World/box", (4, -1, -1), (6, 1, 1))
    model = kit.pinhole(64, 48, 60.0)
    view = kit.render(stage, kit.rig_of(model)).sensors["camera"]
    target = float(view.channels["exposure"][0])
    first = respond_camera(view, model, {"exposure_lag": 0.5}, 1)
    assert first["exposure"][0] == pytest.approx(target)
    exposure = target / 8
    for tick in range(1, 4):
        out = respond_camera(view, model, {"exposure_lag": 0.5}, 1, Device(0, exposure, 0.1))
        exposure = float(out["exposure"][0])
        assert exposure == pytest.approx(target * 8 ** -np.exp(-0.1 * tick / 0.5), rel=1e-4)
    dark = respond_camera(view, model, {"exposure_lag": 0.5}, 1, Device(0, target / 8, 0.1))["rgb"]
    assert dark[..., :3].mean() < 0.6 * first["rgb"][..., :3].mean()
