"""The embedded renderer against analytic answers: depth, silhouettes, light, occlusion, truncation and LiDAR."""

import asyncio

import numpy as np
import pytest
import stage_kit as kit
from tailgate.config.sensor import LidarModel
from tailgate.errors import TailgateError, UserError
from tailgate.frames import CAMERA_CHANNELS, LIDAR_CHANNELS, FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend
from tailgate.render.raytrace.image_twins import exposures_twin, sky_twin, smooth_twin, tone_twin
from tailgate.render.raytrace.visibility import BEYOND

CAMERA = kit.pinhole()


def facing_wall(stage, path, distance, half=200.0, colour=None):
    """A square across the x axis that faces the origin."""
    d, h = distance, half
    bound = kit.material(stage, f"{path}_look", colour, 1.0) if colour else None
    return kit.mesh(stage, path, [(d, h, -h), (d, -h, -h), (d, -h, h), (d, h, h)], [(0, 3, 2, 1)], bound)


def square(stage, name, instance, distance, y=0.0, half=1.0):
    """A mover: a square across the x axis."""
    path = kit.mover(stage, name, instance, kit.pose(x=distance, y=y))
    kit.mesh(stage, f"{path}/body", [(0, half, -half), (0, -half, -half), (0, -half, half), (0, half, half)], [(0, 3, 2, 1)])
    return path


def test_depth_of_a_wall_and_channel_shapes():
    stage = kit.new_stage()
    kit.lights(stage)
    facing_wall(stage, "/World/wall", 7.0)
    frame = kit.render(stage, kit.rig_of(CAMERA))
    sensor = frame.sensors["camera"]
    for name, (dtype, components) in CAMERA_CHANNELS.items():
        channel = sensor.channel(name)
        assert channel.dtype == dtype and channel.shape == (48, 64, *([components] if components else []))
    np.testing.assert_allclose(sensor.channels["distance_to_image_plane"], 7.0, rtol=1e-6)
    v, u = np.mgrid[:48, :64]
    length = np.sqrt(((u - 31.5) / 60) ** 2 + ((v - 23.5) / 60) ** 2 + 1)
    np.testing.assert_allclose(sensor.channels["distance_to_camera"], 7.0 * length, rtol=1e-6)
    np.testing.assert_allclose(sensor.channels["normals"][..., :3], np.broadcast_to([-1, 0, 0], (48, 64, 3)), atol=1e-6)


def test_nothing_beyond_far_and_the_empty_stage():
    stage = kit.new_stage()
    frame = kit.render(stage, kit.rig_of(CAMERA))
    assert np.isinf(frame.sensors["camera"].channels["distance_to_camera"]).all() and len(frame.objects) == 0
    facing_wall(stage, "/World/wall", 7.0)
    near = kit.render(stage, kit.rig_of(kit.pinhole(far=6.0)))
    assert np.isinf(near.sensors["camera"].channels["distance_to_image_plane"]).all()


def test_sphere_silhouette():
    """A sphere of radius r at distance d fills the cone of half-angle asin(r / d): a disc of radius f tan(asin(r / d))."""
    stage = kit.new_stage()
    path = kit.mover(stage, "ball", 3, kit.pose(x=8.0))
    kit.mesh(stage, f"{path}/body", *kit.sphere())
    frame = kit.render(stage, kit.rig_of(kit.pinhole(200, 200, 400.0)))
    sensor = frame.sensors["camera"]
    disc = np.pi * (400.0 * np.tan(np.arcsin(1 / 8))) ** 2
    assert sensor.view.visible[0] == pytest.approx(disc, rel=0.01)
    assert (sensor.channels["instance_segmentation"] == 3).sum() == sensor.view.visible[0] == sensor.view.alone[0]
    assert (sensor.channels["semantic_segmentation"] == 1).sum() == sensor.view.visible[0]
    assert sensor.channels["distance_to_image_plane"].min() == pytest.approx(7.0, abs=2e-3)
    np.testing.assert_allclose(frame.objects.size[0], 2.0, rtol=1e-6)
    np.testing.assert_allclose(frame.objects.T_world_box[0], kit.pose(x=8.0), atol=1e-6)
    assert sensor.view.range[0] == pytest.approx(8.0)


def test_half_occluded():
    stage = kit.new_stage()
    square(stage, "back", 1, 10.0)
    square(stage, "front", 2, 5.0, y=1.0, half=1.0)
    view = kit.render(stage, kit.rig_of(kit.pinhole(128, 96, 200.0))).sensors["camera"].view
    assert view.alone[0] == 1600 and view.visible[0] == 800
    np.testing.assert_allclose(view.occluded, [0.5, 0.0])
    np.testing.assert_allclose(view.truncated, [0.0, view.truncated[1]])
    np.testing.assert_array_equal(view.bbox_loose[0], [44, 28, 83, 67])
    np.testing.assert_array_equal(view.bbox_tight[0], [64, 28, 83, 67])


@pytest.mark.parametrize("share, y", [(0.5, 3.2), (0.25, 2.7), (1.0, 4.5)])
def test_truncated(share, y):
    """At 10 m the half image is 64 px = 3.2 m wide; the square is 2 m, so its part outside is known."""
    stage = kit.new_stage()
    square(stage, "edge", 1, 10.0, y=y)
    view = kit.render(stage, kit.rig_of(kit.pinhole(128, 96, 200.0))).sensors["camera"].view
    assert view.truncated[0] == pytest.approx(share, abs=0.03)
    assert view.alone[0] == view.visible[0] == pytest.approx(1600 * (1 - share), abs=41)
    assert (view.occluded[0] == 1.0) == (share == 1.0)


@pytest.mark.parametrize("width, height", [(64, 48), (16, 48), (4, 48), (1, 48), (48, 6)])
def test_truncated_by_a_narrow_image(width, height):
    """Of a square of 100 x 100 px the image shows its middle."""
    stage = kit.new_stage()
    square(stage, "wide", 1, 4.0)
    view = kit.render(stage, kit.rig_of(kit.pinhole(width, height, 200.0))).sensors["camera"].view
    assert view.truncated[0] == pytest.approx(1 - min(width, 100) * min(height, 100) / 100**2, abs=0.02)


def test_an_object_around_the_camera_and_one_behind():
    stage = kit.new_stage()
    path = kit.mover(stage, "around", 1, kit.pose())
    kit.box(stage, f"{path}/body", (-2, -2, -2), (2, 2, 2))
    square(stage, "behind", 2, -5.0)
    view = kit.render(stage, kit.rig_of(CAMERA)).sensors["camera"].view
    assert view.visible.tolist() == [64 * 48, 0] and view.alone.tolist() == [64 * 48, 0]
    followed = (64 + 2 * BEYOND * 64) * (48 + 2 * BEYOND * 64)
    assert view.truncated[0] == pytest.approx(1 - 64 * 48 / followed, abs=0.001) and view.occluded[1] == 1.0
    np.testing.assert_array_equal(view.bbox_tight[1], -1)


def test_white_furnace():
    """A convex body of albedo 1 under a uniform sky shows the sky's radiance, whatever its roughness."""
    for roughness in (1.0, 0.7, 0.44, 0.35, 0.1):
        stage = kit.new_stage()
        kit.lights(stage, sky=0.7)
        white = kit.material(stage, "/World/white", (1.0, 1.0, 1.0), roughness)
        path = kit.mover(stage, "ball", 1, kit.pose(x=5.0))
        kit.mesh(stage, f"{path}/body", *kit.sphere(), white)
        channels = kit.render(stage, kit.rig_of(CAMERA)).sensors["camera"].channels
        ball = channels["instance_segmentation"] == 1
        assert np.median(channels["HdrColor"][ball][:, :3]) == pytest.approx(0.7, rel=1e-3)
        assert channels["HdrColor"][~ball][:, :3].mean() == pytest.approx(0.7, rel=1e-3)


def test_sun_on_a_lambertian_wall_and_its_shadow():
    """Radiance = albedo E cos / pi (rough dielectrics lose a few percent to their coat); a screen between wall and sun takes all of it."""
    stage = kit.new_stage()
    kit.lights(stage, sky=0.0, sun=3.0, sun_direction=(-1, 0, 1))
    facing_wall(stage, "/World/wall", 7.0, 1.0, (0.5, 0.5, 0.5))
    black = kit.material(stage, "/World/black", (0.0, 0.0, 0.0))
    kit.ground(stage, "/World/ground", black, z=-5.0)
    expected = 0.5 * 3.0 * np.cos(np.pi / 4) / np.pi
    rig = kit.rig_of(kit.pinhole(9, 9, 60.0))
    lit = kit.render(stage, rig).sensors["camera"].channels["HdrColor"][4, 4, :3]
    np.testing.assert_allclose(lit, expected, rtol=0.1)
    kit.mesh(stage, "/World/screen", [(2, -3, 3), (2, 3, 3), (6, 3, 3), (6, -3, 3)], [(0, 1, 2, 3)], black)
    dark = kit.render(stage, rig).sensors["camera"].channels["HdrColor"][4, 4, :3]
    assert dark.max() < 0.01 * expected


def test_lamp_irradiance():
    """A small sphere lamp of radiance L and radius r gives E = pi L r^2 / d^2 on a facing surface."""
    from pxr import UsdLux

    stage = kit.new_stage()
    lamp = UsdLux.SphereLight.Define(stage, "/Tailgate/Lights/Lamp_0")
    lamp.CreateIntensityAttr(1000.0)
    lamp.CreateRadiusAttr(0.1)
    facing_wall(stage, "/World/wall", 4.0, 10.0, (0.5, 0.5, 0.5))
    got = kit.render(stage, kit.rig_of(kit.pinhole(9, 9, 60.0)), samples=4).sensors["camera"].channels["HdrColor"][4, 4, 0]
    assert got == pytest.approx(0.5 * 1000 * 0.1**2 / 4.0**2, rel=0.2)


def test_fog_fades_to_the_horizon_and_dims_lidar():
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    facing_wall(stage, "/World/wall", 50.0, 100.0, (0.0, 0.0, 0.0))
    model = LidarModel(elevation_deg=[0.0], columns=8, azimuth_start_deg=0.0)
    frames = [kit.render(stage, kit.rig_of(CAMERA, model), hints=h) for h in ({}, {"fog_extinction": 0.02})]
    clear, fog = (f.sensors["camera"].channels["HdrColor"][24, 32, 0] for f in frames)
    assert fog == pytest.approx(clear * np.exp(-1.0) + 1 - np.exp(-1.0), rel=0.02)


def test_lidar_on_a_wall():
    stage = kit.new_stage()
    grey = kit.material(stage, "/World/grey", (0.5, 0.5, 0.5), reflectance=0.4)
    kit.mesh(stage, "/World/wall", [(10, 500, -500), (10, -500, -500), (10, -500, 500), (10, 500, 500)], [(0, 3, 2, 1)], grey)
    model = LidarModel(elevation_deg=[10.0, 0.0, -5.0], azimuth_offset_deg=[0.0, 1.5, -2.0], columns=72, range_min=1.0, range_max=30.0)
    sensor = kit.render(stage, kit.rig_of(lidar=model)).sensors["lidar"]
    c = sensor.channels
    for name, dtype in LIDAR_CHANNELS.items():
        assert c[name].shape == (3, 72, 1) and c[name].dtype == dtype
    np.testing.assert_allclose(c["azimuth"][1, 0], -180 + 1.5, atol=1e-5)
    np.testing.assert_allclose(c["azimuth"][0, 1], 175.0, atol=1e-4)
    cos = np.cos(np.deg2rad(c["azimuth"].astype(float))) * np.cos(np.deg2rad(c["elevation"].astype(float)))
    exact = np.where(cos > 10.0 / 30.0, 10.0 / np.where(cos > 0, cos, 1), 0.0)
    np.testing.assert_allclose(c["range"][..., 0], exact, rtol=2e-5)
    hit = exact > 0
    np.testing.assert_allclose(c["incidence"][..., 0][hit], cos[hit], atol=1e-5)
    np.testing.assert_allclose(c["intensity"][..., 0][hit], 0.4 * cos[hit], atol=1e-5)
    np.testing.assert_allclose(c["reflectance"][..., 0], np.where(hit, 0.4, 0.0), atol=1e-6)
    assert c["time_offset"][0, 36, 0] == 50_000_000 and sensor.t_end == 100_000_000
    np.testing.assert_allclose(sensor.points()["xyz"][:, 0], 10.0, rtol=1e-5)


def test_lidar_turned_and_counterclockwise():
    stage = kit.new_stage()
    path = kit.mover(stage, "ball", 5, kit.pose(x=0.0, y=6.0))
    kit.mesh(stage, f"{path}/body", *kit.sphere())
    model = LidarModel(elevation_deg=[0.0], columns=3600, direction="ccw", azimuth_start_deg=0.0)
    sensor = kit.render(stage, kit.rig_of(lidar=model, T_rig=kit.pose(yaw_deg=90))).sensors["lidar"]
    hit = np.nonzero(sensor.channels["instance"][0, :, 0] == 5)[0]
    half = np.rad2deg(np.arcsin(1 / 6)) / 0.1
    assert sensor.view.visible[0] == sensor.view.alone[0] == len(hit) == pytest.approx(2 * half, abs=3)
    assert sensor.channels["range"][0, 0, 0] == pytest.approx(5.0, abs=1e-3) and set(hit) >= {0, 1, 3599}


def test_lidar_occlusion():
    stage = kit.new_stage()
    square(stage, "back", 1, 10.0)
    square(stage, "front", 2, 5.0, y=1.0)
    model = LidarModel(elevation_deg=np.linspace(-4, 4, 9).tolist(), columns=3600, azimuth_start_deg=179.95)
    view = kit.render(stage, kit.rig_of(lidar=model)).sensors["lidar"].view
    assert view.occluded[0] == pytest.approx(0.5, abs=0.02) and view.occluded[1] == 0.0


def test_same_sample_same_bits():
    stage = kit.new_stage()
    kit.lights(stage, sky=0.3, sun=3.0, sun_direction=(-1, 1, 1))
    kit.ground(stage, "/World/ground", z=-1.5)
    square(stage, "box", 1, 6.0)
    frames = [kit.render(stage, kit.rig_of(CAMERA)) for _ in range(2)]
    for name, channel in frames[0].sensors["camera"].channels.items():
        np.testing.assert_array_equal(channel, frames[1].sensors["camera"].channels[name])


def test_hidden_objects_leave_no_trace():
    stage = kit.new_stage()
    path = square(stage, "box", 1, 6.0)
    backend = WarpBackend()
    backend.open(stage, kit.rig_of(CAMERA), {"car": 1})
    backend.apply(Sample(FrameId("test", 0, 0)))
    assert len(asyncio.run(backend.capture()).objects) == 1
    stage.GetPrimAtPath(path).GetAttribute("visibility").Set("invisible")
    frame = asyncio.run(backend.capture(tick=3))
    assert len(frame.objects) == 0 and not frame.sensors["camera"].channels["instance_segmentation"].any()
    assert frame.id.tick == 3 and frame.sensors["camera"].t_start == 0
    backend.close()
    backend.close()
    with pytest.raises(TailgateError, match="must be opened"):
        backend.apply(Sample(FrameId("test", 0, 0)))


def test_hints_are_refused_by_name():
    backend = WarpBackend()
    backend.open(kit.new_stage(), kit.rig_of(CAMERA), {})
    with pytest.raises(UserError, match="motion_blur.*refused"):
        backend.apply(Sample(FrameId("test", 0, 0), hints={"motion_blur": 1.0}))
    with pytest.raises(UserError, match="did you mean 'fog_extinction'"):
        backend.apply(Sample(FrameId("test", 0, 0), hints={"fog_extincton": 1.0}))
    backend.close()


@pytest.mark.parametrize("views, pixels", [(1, 7), (5, 40), (3, 0)])
def test_views_add_up_to_their_mean(views, pixels):
    import warp as wp
    from tailgate.render.raytrace.tone import add_kernel

    pictures = np.random.default_rng(2).uniform(0, 9, (views, pixels, 4)).astype(np.float32)
    total = wp.zeros(pixels, dtype=wp.vec4, device="cpu")
    for picture in pictures:
        wp.launch(add_kernel, dim=pixels, inputs=[wp.array(picture, dtype=wp.vec4, device="cpu"), 1.0 / views, total], device="cpu")
    np.testing.assert_allclose(total.numpy(), exposures_twin(pictures), rtol=1e-5)


def test_tone_twin():
    import warp as wp
    from tailgate.render.raytrace.tone import tone_map

    hdr = np.random.default_rng(1).uniform(0, 4, (500, 4)).astype(np.float32)
    rgb = wp.zeros((500, 4), dtype=wp.uint8, device="cpu")
    tone_map(wp.array(hdr, dtype=wp.vec4, device="cpu"), 0.7, rgb)
    assert np.abs(rgb.numpy()[:, :3].astype(int) - tone_twin(hdr, 0.7)).max() <= 1


def smoothed(source, pixels_of, how, strip):
    """One pass of ``smooth_kernel`` over ``source`` [H, W, 4], ``strip`` pixels per thread, of the pixels that ``pixels_of`` fills."""
    import warp as wp
    from tailgate.render.raytrace.camera import CameraFilm, camera_of
    from tailgate.render.raytrace.smoothing import smooth_kernel

    h, w = source.shape[:2]
    film, camera = CameraFilm(w, h, "cpu"), camera_of(kit.pinhole(w, h, 20.0), np.eye(4))
    camera.strip = strip
    for name, values in pixels_of.items():
        kind = wp.float32 if values.ndim == 2 else wp.vec3
        setattr(film.pixels, name, wp.array(values.reshape(h * w, -1).squeeze().astype(np.float32), dtype=kind, device="cpu"))
    given = wp.array(source.reshape(-1, 4), dtype=wp.vec4, device="cpu")
    wp.launch(smooth_kernel, dim=h * w // strip, inputs=[camera, film.pixels, how, given], outputs=[film.light[1]], device="cpu")
    return film.light[1].numpy().reshape(h, w, 4)


@pytest.fixture
def noisy():
    """A step between two walls with bumpy normals: source [H, W, 4] and pixels."""
    rng, (h, w) = np.random.default_rng(2), (12, 45)
    model, source = kit.pinhole(w, h, 20.0), rng.uniform(size=(h, w, 4)).astype(np.float32)
    t = np.where(np.arange(w) < 21, 5.0, 20.0) * np.ones((h, 1))
    normal = rng.normal([0, 0, -4.0], 1.0, (h, w, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    v, u = np.mgrid[:h, :w]
    way = np.stack([(u - model.cx) / 20.0, (v - model.cy) / 20.0, np.ones((h, w))], -1) * t[..., None]
    return source, {"t": t, "normal": normal, "way": way, "material": rng.uniform(size=(h, w, 3))}


@pytest.mark.parametrize("step", [1, 2, 4])
def test_smoothing_twin(noisy, step):
    from tailgate.render.raytrace.camera import smoothing_pass

    source, pixels = noisy
    expected = smooth_twin(source, pixels["normal"], pixels["way"], 3.0 * step * pixels["t"] / 20.0, step)
    for strip in (45, 1):
        np.testing.assert_allclose(smoothed(source, pixels, smoothing_pass(step), strip), expected, atol=2e-5)


@pytest.mark.parametrize("step", [1, 2])
def test_smoothing_twin_where_every_second_pixel_holds_a_colour(noisy, step):
    """With sky, and a row of normals that are like none around: its pixels take the mean of all."""
    from tailgate.render.raytrace.camera import smoothing_pass

    source, pixels = noisy
    v, u = np.mgrid[:12, :45]
    held = (u + v) % 2 == 0
    source[~held, :3] = 0.0
    pixels["t"][4:7, 9:30] = -1.0
    pixels["normal"][4:7, 9:30] = 0.0
    pixels["normal"][9, 10:40] = [0.0, 1.0, 0.0]
    pixels["normal"][9, 10:40:2] = [0.0, -1.0, 0.0]
    given = pixels["normal"], pixels["way"], 3.0 * step * pixels["t"] / 20.0, step
    for strip in (45, 1):
        got = smoothed(source, pixels, smoothing_pass(step, colour_sparse=1), strip)
        np.testing.assert_allclose(got[..., :3], smooth_twin(source[..., :3], *given, held), atol=2e-5)
        np.testing.assert_allclose(got[..., 3:], smooth_twin(source[..., 3:], *given), atol=2e-5)


def test_eight_pixels_at_once_are_smoothed_like_one(noisy):
    """Sparse sources, sky, surfaces that keep their value and pixels without a like neighbour."""
    from tailgate.render.raytrace.camera import smoothing_pass

    source, pixels = noisy
    v, u = np.mgrid[:12, :45]
    source[(u + v) % 2 == 1] = 0.0
    pixels["t"][4:7, 9:30] = -1.0
    pixels["normal"][4:7, 9:30] = 0.0
    pixels["normal"][9, 10:40] = [0.0, 1.0, 0.0]
    pixels["normal"][9, 10:40:2] = [0.0, -1.0, 0.0]
    for how in (smoothing_pass(1, colour_sparse=1), smoothing_pass(1, fourth_sparse=1, roughest=0.5), smoothing_pass(4, sharp=1.0)):
        np.testing.assert_allclose(smoothed(source, pixels, how, 45), smoothed(source, pixels, how, 1), atol=2e-6)


def test_sky_mean_and_twin():
    """Of a clear sky the cosine-weighted mean is the dome's luminance, and the picture of the sky follows the twin."""
    from tailgate.render.raytrace.daylight import daylight
    from tailgate.stage.lights import LAMP, Lights

    sun = np.array([0.0, 0.6, 0.8])
    light = daylight(Lights(sun, np.full(3, 5.0), 0.0093, np.full(3, 0.4), np.zeros(0, LAMP), natural=True), {}, 1, "cpu")
    k = np.arange(20000) + 0.5
    up = np.sqrt(1 - k / 20000)
    directions = np.stack([np.sqrt(1 - up**2), np.zeros_like(up), up], 1)
    mean = sky_twin(directions, np.array(light.zenith), np.array(light.horizon)).mean(0)
    assert mean @ [0.2126, 0.7152, 0.0722] == pytest.approx(0.4, rel=1e-3)
    assert light.zenith[2] > light.zenith[0]


def test_only_surfaces_that_ask_for_it_have_grain():
    """Without a coat, whose share of the light changes over a picture."""
    from pxr import Sdf, UsdShade

    shown = []
    for share in (None, 0.5, 1.0):
        stage = kit.new_stage()
        kit.lights(stage, sky=1.0)
        facing_wall(stage, "/World/wall", 5.0, 8.0, (0.5, 0.5, 0.5))
        UsdShade.Shader(stage.GetPrimAtPath("/World/wall_look/Surface")).CreateInput("ior", Sdf.ValueTypeNames.Float).Set(1.0)
        if share is not None:
            stage.GetPrimAtPath("/World/wall_look").CreateAttribute("tailgate:grain", Sdf.ValueTypeNames.Float).Set(share)
        shown.append(kit.render(stage, kit.rig_of(CAMERA), smoothing=0).sensors["camera"].channels["HdrColor"][..., 0].std())
    assert shown[0] < 1e-6 and shown[2] == pytest.approx(2 * shown[1], rel=1e-3) and shown[1] > 0.005
