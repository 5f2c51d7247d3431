"""Pictures of the backend ``isaac``: the embedded renderer's labels and depth, whatever the simulator does on the way."""

import numpy as np
import pytest
from rtx_kit import LABELS, SAMPLE, capture, differing, drive, embedded, opened, rig
from scene import FOCAL_PX, SIZE, street
from stage_kit import gf, pinhole, pose
from tailgate.config.camera import Focus, Lens
from tailgate.config.sensor import CameraModel
from tailgate.errors import TailgateError, UserError
from tailgate.frames import FrameId, Sample
from tailgate.geometry.quiet import wp

COLOUR = ("rgb", "HdrColor", "exposure")
"""Light is sampled with other seeds."""


@pytest.fixture(scope="module")
def wanted():
    return embedded(rig())


@pytest.mark.parametrize("views", [False, True], ids=["copies", "views"])
def test_frames_equal_the_embedded_renderer(sim, wanted, views):
    with opened(sim, rig(), views=views) as backend:
        got = capture(sim, backend)
        again = capture(sim, backend)
    assert differing(wanted, got, COLOUR) == differing(got, again) == []
    assert got.labels == LABELS and got.hints == []
    camera, exact = got.sensors["camera"], wanted.sensors["camera"]
    assert {n: (c.dtype, c.shape) for n, c in camera.channels.items()} == {n: (c.dtype, c.shape) for n, c in exact.channels.items()}
    assert np.median(np.abs(camera.channels["HdrColor"] - exact.channels["HdrColor"])) < 2.0
    assert 0.5 < camera.channels["exposure"][0] / exact.channels["exposure"][0] < 2.0
    assert 60 < camera.channels["rgb"][..., :3].mean() < 190


def test_channels_of_a_device_stay_there(sim60, wanted):
    """On a GPU the channels are Warp arrays, through response and gate."""
    from tailgate.sensors import respond
    from tailgate.validate.evidence import measure

    with opened(sim60, rig(), views=True) as backend:
        backend.apply(SAMPLE)
        shots = drive(sim60, shots_of(backend))
    film = shots["camera"][0].film
    assert all(isinstance(getattr(film, name), wp.array) for name in ("hdr", "image_plane", "semantic"))
    frame = replaced(wanted, {name: wp.array(c, device="cpu") for name, c in wanted.sensors["camera"].channels.items() if name != "exposure"})
    answered = respond(frame, SAMPLE, rig(), (0, "device"))
    assert isinstance(answered.sensors["camera"].channels["rgb"], wp.array)
    assert measure(answered, "a", "a").codes == []


async def shots_of(backend):
    held = backend._instruments = await backend._make(backend._calm)
    state = held.live.read()
    held.live.place(state)
    _, seen = held.live.objects(state)
    return await held.pictures.shoot(state, {"camera": state.T_world_rig @ held.rig.sensors["camera"].T_rig_sensor}, seen, backend._calm)


def replaced(frame, channels):
    from dataclasses import replace

    camera = frame.sensors["camera"]
    return replace(frame, sensors={"camera": replace(camera, channels=channels)})


BENT = Lens(model="brown_conrady", coefficients=[-0.2, 0.05, 0.001, -0.002, 0.01])
ROUND = Lens(model="kannala_brandt", coefficients=[0.02, -0.01, 0.0, 0.0])
MODELS = {
    "aside": pinhole(*SIZE, FOCAL_PX).model_copy(update={"cx": 30.0, "cy": 50.5}),
    "oblong pixels": pinhole(*SIZE, FOCAL_PX).model_copy(update={"fy": 95.0}),
    "lens": CameraModel(width=96, height=72, fx=80, fy=82, cx=45, cy=37, lens=BENT),
    "fisheye": CameraModel(width=96, height=72, fx=60, fy=60, cx=47.5, cy=35.5, lens=ROUND),
    "black corners": CameraModel(width=96, height=72, fx=30, fy=30, cx=47.5, cy=35.5, lens=ROUND.model_copy(update={"fov_deg": 130.0})),
    "one row": pinhole(96, 1, FOCAL_PX),
    "near and far": pinhole(*SIZE, FOCAL_PX, near=9.0, far=20.0),
    "focus": pinhole(*SIZE, FOCAL_PX, focus=Focus(distance=8.0, opening_mm=30.0, views=3)),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_camera(sim60, name):
    sensors = rig(MODELS[name])
    with opened(sim60, sensors, views=True) as backend:
        got = capture(sim60, backend, Sample(FrameId("test", 0, 0), hints={"fog_extinction": 0.01}))
    want, near = embedded(sensors), 1e-4
    black = got.sensors["camera"].channels["HdrColor"][..., 3] == 0
    assert black.any() == (name == "black corners") and not got.sensors["camera"].channels["rgb"][black, :3].any()
    assert differing(want, got, (*COLOUR, "distance_to_camera", "distance_to_image_plane", "normals")) == []
    for channel in ("distance_to_camera", "distance_to_image_plane", "normals"):
        a, b = (frame.sensors["camera"].channels[channel] for frame in (want, got))
        assert np.allclose(a, b, rtol=near, atol=near, equal_nan=True), channel


@pytest.mark.parametrize(
    ("shutter", "words"), [({"exposure_ms": 10.0}, "shutter must be left out"), ({"readout_ms": 20.0}, "shutter must be left out")]
)
def test_what_rtx_cannot_do_is_refused_by_name(sim60, shutter, words):
    sensors = rig(pinhole(*SIZE, FOCAL_PX, shutter=shutter))
    with pytest.raises(UserError, match=f"sensors.camera: {words}.*--backend isaac"), opened(sim60, sensors):
        pass
    with opened(sim60, rig()) as backend:
        with pytest.raises(UserError, match="'motion_blur' is refused"):
            backend.apply(Sample(FrameId("test", 0, 0), hints={"motion_blur": 1.0}))
        with pytest.raises(UserError, match="unknown hint 'fog'.*fog_extinction"):
            backend.apply(Sample(FrameId("test", 0, 0), hints={"fog": 1.0}))


def test_hints(sim60):
    """Fog dims what is far towards the sky, a given exposure is taken, clouds are named as not drawn; depth and labels stay."""
    with opened(sim60, rig(), views=True) as backend:
        clear = capture(sim60, backend, Sample(FrameId("test", 0, 0), hints={"exposure": 0.002}))
        fog = capture(sim60, backend, Sample(FrameId("test", 0, 0), hints={"exposure": 0.002, "fog_extinction": 0.05, "cloud_cover": 0.5}))
    a, b = (frame.sensors["camera"].channels for frame in (clear, fog))
    assert a["exposure"] == b["exposure"] == np.float32(0.002)
    distance = a["distance_to_camera"]
    hit = np.isfinite(distance)
    haze = np.where(hit[..., None], 0, a["HdrColor"][..., :3]).sum((0, 1)) / (~hit).sum()
    clear_share = np.exp(-0.05 * np.where(hit, distance, 400.0))[..., None]
    assert np.allclose(b["HdrColor"][..., :3], a["HdrColor"][..., :3] * clear_share + haze * (1 - clear_share), rtol=1e-3, atol=1e-2)
    assert np.array_equal(distance, b["distance_to_camera"])
    assert fog.hints == ["cloud_cover: RTX draws no clouds"]


# misbehaviour ---------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stale_frames", "empty_first_frame", "changing_ids", "occlusion_minus_one", "reference_time_stands"])
def test_survived(sim, wanted, name):
    """Pictures that lag, come late or change their ids: the frame is right after moves too."""
    sim.misbehave(name)
    stage = street()
    with opened(sim, rig(), stage, views=True) as backend:
        assert differing(wanted, capture(sim, backend), COLOUR) == []
        for y in (-2.5, 1.5, -0.6):
            stage.GetPrimAtPath("/Tailgate/Objects/near").GetAttribute("xformOp:transform").Set(gf(pose(8, y, 0)))
            moved = capture(sim, backend)
    assert differing(wanted, moved, COLOUR) == []


def test_a_picture_of_the_state_before_is_taken_again(sim60, wanted, monkeypatch):
    """More lag than the policy expects is noticed by what is seen outside its outline."""
    sim60.misbehave("stale_frames", subframes=12)
    stage = street()
    with opened(sim60, rig(), stage, views=True) as backend:
        capture(sim60, backend)
        stage.GetPrimAtPath("/Tailgate/Objects/near").GetAttribute("xformOp:transform").Set(gf(pose(8, 2.5, 0)))
        moved = capture(sim60, backend)
        stage.GetPrimAtPath("/Tailgate/Objects/near").GetAttribute("xformOp:transform").Set(gf(pose(8, -0.6, 0)))
        assert differing(wanted, capture(sim60, backend), COLOUR) == []
        monkeypatch.setattr("tailgate_rtx.pictures.misplaced", lambda view: [1])
        with pytest.raises(TailgateError, match="no picture of the present stage in 6 captures: .*shows /Tailgate/Objects/near where it was before"):
            capture(sim60, backend)
    assert differing(wanted, moved, COLOUR)


@pytest.mark.parametrize("annotator", ["", "HdrColor", "instance_segmentation"])
def test_no_data_is_refused(sim, annotator):
    sim.misbehave("no_data", annotator=annotator)
    with opened(sim, rig(), views=True) as backend, pytest.raises(TailgateError, match="sensor 'camera': the annotator .* must give"):
        capture(sim, backend)


def test_views_are_never_kept(sim):
    """A frame stays what it was however long the renderer goes on."""
    with opened(sim, rig(), views=True) as backend:
        first = capture(sim, backend)
        kept = {name: channel.copy() for name, channel in first.sensors["camera"].channels.items()}
        sim.update(5)
        capture(sim, backend)
    assert all(np.array_equal(kept[name], channel) for name, channel in first.sensors["camera"].channels.items())


def test_products_are_rendered_while_a_frame_is_taken_and_at_no_other_time(sim):
    with opened(sim, rig(), views=True) as backend:
        capture(sim, backend)
        before = dict(sim.rendered_frames)
        sim.update(20)
        assert dict(sim.rendered_frames) == before and len(before) == 1
        capture(sim, backend)
        assert dict(sim.rendered_frames) != before
        assert next(iter(sim.rendered_frames.values())) - next(iter(before.values())) == 4


def test_the_renderer_must_draw_where_we_compute(sim60):
    from tailgate_rtx.cameras import Eye

    class Elsewhere:
        device, dtype, shape = wp.get_device("cpu"), "float32", (SIZE[1], SIZE[0])

    eye = Eye.__new__(Eye)
    eye.name, eye.mounted, eye.device = "camera", rig().sensors["camera"], "cuda:7"
    held, wp_device = Elsewhere(), wp.get_device
    try:
        wp.get_device = lambda name=None: "cuda:7" if name == "cuda:7" else wp_device(name)
        with pytest.raises(UserError, match="draws on cpu and --device is cuda:7"):
            eye._shaped("normals", held, wp.float32, 0)
    finally:
        wp.get_device = wp_device


def test_labels_and_depth_of_the_kernel_are_those_of_its_twin():
    from tailgate.render.raytrace.camera import camera_of
    from tailgate_rtx.image_kernels import names_of, new_buffers, new_film, take_kernel, taken_twin

    random = np.random.default_rng(3)
    shape, table = (9, 13), {5: (1, 0, -1), 7: (2, 11, 3), 4000000000: (2, 12, 0)}
    ids = random.choice(np.array([0, 1, 5, 6, 7, 4000000000], np.uint32), shape)
    depth = np.where(random.random(shape) < 0.2, np.inf, random.uniform(0.1, 30, shape)).astype(np.float32)
    given, film = new_buffers(np.diag([0.5, 0.5, 0.5, 1.0])), new_film(shape[1], shape[0], "cpu")
    given.hdr = wp.array(np.full((*shape, 4), np.inf, np.float16), dtype=wp.float16, device="cpu")
    given.image_plane = given.camera = wp.array(depth, dtype=wp.float32, device="cpu")
    given.normals = wp.array(np.tile(np.float32([0, 0, 1, 7]), (*shape, 1)), dtype=wp.float32, device="cpu")
    given.id = wp.array(ids, dtype=wp.uint32, device="cpu")
    camera = camera_of(pinhole(shape[1], shape[0], 10.0, far=10.0), np.eye(4))
    wp.launch(take_kernel, dim=shape, inputs=[given, camera, names_of(table, "cpu"), film], device="cpu")
    plane, rows = taken_twin(0.5 * depth, ids, table, 10.0)
    assert np.array_equal(film.image_plane.numpy(), plane) and film.unnamed.numpy()[0] == (ids == 6).sum()
    for n, image in enumerate((film.semantic.numpy(), film.instance.numpy(), film.mover.numpy().reshape(shape))):
        assert np.array_equal(image, rows[..., n])
    hit = np.isfinite(depth)
    assert np.array_equal(film.normals.numpy(), np.where(hit[..., None], [0, 0, -1, 1], 0)), "normals face the camera, which looks along +z"
    assert (film.hdr.numpy()[..., :3] == 65504).all() and (film.hdr.numpy()[..., 3] == 1).all()


@pytest.mark.parametrize("shape", [(9, 13), (1, 1)])
def test_radiance_and_normals_of_the_kernel_are_those_of_its_twin(shape):
    """On a stage that is turned on its side; with numbers that are none and normals to either side."""
    from tailgate.render.raytrace.camera import camera_of
    from tailgate_rtx.image_kernels import names_of, new_buffers, new_film, seen_twin, take_kernel

    random, (height, width) = np.random.default_rng(5), shape
    T_world_stage = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    hdr = np.where(random.random((*shape, 4)) < 0.2, random.choice([np.nan, np.inf, -np.inf, -1.0], (*shape, 4)), random.uniform(0, 9, (*shape, 4)))
    normals = random.normal(size=(*shape, 4))
    normals[..., :3] /= np.linalg.norm(normals[..., :3], axis=-1, keepdims=True)
    distance = np.where(random.random(shape) < 0.3, np.inf, 5.0).astype(np.float32)
    given, film = new_buffers(T_world_stage), new_film(width, height, "cpu")
    given.hdr = wp.array(hdr.astype(np.float16), dtype=wp.float16, device="cpu")
    given.image_plane = given.camera = wp.array(distance, dtype=wp.float32, device="cpu")
    given.normals = wp.array(normals.astype(np.float32), dtype=wp.float32, device="cpu")
    given.id = wp.zeros(shape, dtype=wp.uint32, device="cpu")
    wp.launch(take_kernel, dim=shape, inputs=[given, camera_of(pinhole(width, height, 10.0), np.eye(4)), names_of({}, "cpu"), film], device="cpu")
    v, u = np.mgrid[:height, :width]
    ways = np.stack([(u - (width / 2 - 0.5)) / 10, (v - (height / 2 - 0.5)) / 10, np.ones(shape)], -1)
    ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
    radiance, facing = seen_twin(hdr.astype(np.float16).astype(np.float64), normals[..., :3] @ T_world_stage[:3, :3].T, np.isfinite(distance), ways)
    np.testing.assert_allclose(film.hdr.numpy(), radiance)
    np.testing.assert_allclose(film.normals.numpy(), facing, atol=1e-6)
    assert film.unnamed.numpy()[0] == 0


@pytest.mark.parametrize("sky", [0.3, 0.0])
def test_fog_of_the_kernels_is_that_of_their_twin(sky):
    from tailgate_rtx.image_kernels import add_fog, fog_twin, new_film

    random, shape = np.random.default_rng(4), (7, 11)
    imaged = random.random(shape) < 0.9
    hdr = np.where(imaged[..., None], np.append(random.uniform(0, 9, (*shape, 3)), np.ones((*shape, 1)), axis=2), 0.0).astype(np.float32)
    distance = np.where(random.random(shape) < sky, np.inf, random.uniform(1, 200, shape)).astype(np.float32)
    film = new_film(shape[1], shape[0], "cpu")
    film.hdr, film.camera = (wp.array(a, dtype=wp.float32, device="cpu") for a in (hdr, distance))
    add_fog(film, 0.01)
    np.testing.assert_allclose(film.hdr.numpy()[..., :3], fog_twin(hdr, distance, 0.01), rtol=2e-5, atol=1e-6)
