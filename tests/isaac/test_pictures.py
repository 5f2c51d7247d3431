"""The stand-in's pictures are the embedded renderer's, in Replicator's dtypes and layouts."""

import asyncio

import numpy as np
import pytest
from scene import CAMERA, FOCAL_PX, SIZE, street
from stage_kit import pinhole, rig_of
from tailgate.frames import Frame, FrameId, Sample
from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.backend import WarpBackend

NAMES = ["rgb", "HdrColor", "distance_to_image_plane", "distance_to_camera", "normals", "semantic_segmentation", "instance_segmentation_fast"]
NAMES += ["bounding_box_2d_tight", "bounding_box_2d_loose", "bounding_box_3d", "occlusion", "camera_params", "pointcloud", "ReferenceTime"]


@pytest.fixture(scope="module")
def embedded() -> Frame:
    """The same street through the embedded renderer, camera at (0, 0, 1.5)."""
    from stage_kit import pose

    backend = WarpBackend()
    backend.open(street(), rig_of(pinhole(*SIZE, FOCAL_PX), T_rig=pose(0, 0, 1.5)), {"road": 1, "car": 2})
    try:
        backend.apply(Sample(FrameId("test", 0, 0)))
        return asyncio.run(backend.capture())
    finally:
        backend.close()


def shoot(sim, names=NAMES, stage=None, device=None, **step) -> dict:
    """One capture of the street through annotators, everything released."""
    import omni.replicator.core as rep

    sim.use_stage(stage or street())
    rep.orchestrator.set_capture_on_play(False)
    product = rep.create.render_product(CAMERA, SIZE)
    held = {name: rep.annotators.get(name, device=device) for name in names}
    for annotator in held.values():
        annotator.attach(product)

    async def capture() -> dict:
        await rep.orchestrator.step_async(**{"rt_subframes": 2, "delta_time": 0.0, "pause_timeline": False, **step})
        return {name: annotator.get_data() for name, annotator in held.items()}

    out = sim.run(capture())
    for annotator in held.values():
        annotator.detach()
    product.destroy()
    return out


def test_channels_equal_the_embedded_renderer(sim, embedded):
    got, want = shoot(sim), embedded.sensors["camera"].channels
    assert got["rgb"].shape == (*SIZE[::-1], 4) and got["rgb"].dtype == np.uint8
    assert got["HdrColor"].dtype == np.float16
    for name in ("distance_to_image_plane", "distance_to_camera", "normals"):
        assert got[name].dtype == np.float32
        assert np.array_equal(got[name], want[name])
    assert np.isinf(got["distance_to_image_plane"]).any()
    labels = {int(k): v["class"] for k, v in got["semantic_segmentation"]["info"]["idToLabels"].items()}
    image = got["semantic_segmentation"]["data"]
    for name, semantic in (("road", 1), ("car", 2)):
        assert np.array_equal(np.isin(image, [k for k, v in labels.items() if v == name]), want["semantic_segmentation"] == semantic)
    assert labels[0] == "BACKGROUND" and labels[1] == "UNLABELLED" and (image == 1).any() and (image == 0).any()
    paths = got["instance_segmentation_fast"]["info"]["idToLabels"]
    for instance, name in ((7, "near"), (9, "far")):
        number = next(k for k, v in paths.items() if v == f"/Tailgate/Objects/{name}")
        assert np.array_equal(got["instance_segmentation_fast"]["data"] == number, want["instance_segmentation"] == instance)


def test_boxes_equal_the_embedded_renderer(sim, embedded):
    got, objects, view = shoot(sim), embedded.objects, embedded.sensors["camera"].view
    for kind, wanted in (("tight", view.bbox_tight), ("loose", view.bbox_loose)):
        held = got[f"bounding_box_2d_{kind}"]
        for n, instance in enumerate(objects.instance):
            row = held["data"][held["info"]["primPaths"].index({7: "/Tailgate/Objects/near", 9: "/Tailgate/Objects/far"}[int(instance)])]
            assert [row[c] for c in ("x_min", "y_min", "x_max", "y_max")] == wanted[n].tolist()
            assert row["occlusionRatio"] == view.occluded[n]
    assert 0.1 < view.occluded.max() < 0.9
    held = got["bounding_box_3d"]
    for n, instance in enumerate(objects.instance):
        row = held["data"][held["info"]["primPaths"].index({7: "/Tailgate/Objects/near", 9: "/Tailgate/Objects/far"}[int(instance)])]
        low, high = (np.array([row[f"{a}_{e}"] for a in "xyz"], float) for e in ("min", "max"))
        assert np.allclose(high - low, objects.size[n], atol=1e-5)
        assert np.allclose(np.append(0.5 * (low + high), 1) @ row["transform"], np.append(objects.T_world_box[n, :3, 3], 1), atol=1e-4)


def test_camera_parameters_project_points_onto_their_pixels(sim60):
    got = shoot(sim60)
    held, cloud = got["camera_params"], got["pointcloud"]
    view, projection = held["cameraViewTransform"].reshape(4, 4), held["cameraProjection"].reshape(4, 4)
    points = np.c_[cloud["data"], np.ones(len(cloud["data"]))] @ view @ projection
    ndc = points[:, :3] / points[:, 3:]
    assert (ndc[:, 2] > 0).all() and (ndc[:, 2] <= 1).all()
    u, v = (ndc[:, 0] + 1) / 2 * SIZE[0] - 0.5, (1 - ndc[:, 1]) / 2 * SIZE[1] - 0.5
    assert np.abs(u - np.rint(u)).max() < 1e-2 and np.abs(v - np.rint(v)).max() < 1e-2
    depth = -(np.c_[cloud["data"], np.ones(len(cloud["data"]))] @ view)[:, 2]
    image = got["distance_to_image_plane"][np.rint(v).astype(int), np.rint(u).astype(int)]
    assert np.allclose(depth, image, rtol=1e-5)
    assert np.array_equal(cloud["info"]["pointRgb"], got["rgb"][np.rint(v).astype(int), np.rint(u).astype(int)])


def test_views_are_poisoned_by_the_next_frame(sim):
    import omni.replicator.core as rep

    sim.use_stage(street())
    product = rep.create.render_product(CAMERA, SIZE)
    view = rep.annotators.get("distance_to_camera", device="cuda", do_array_copy=False).attach(product)
    colours = rep.annotators.get("rgb", device="cuda", do_array_copy=False).attach(product)
    copied = rep.annotators.get("distance_to_camera").attach(product)
    sim.run(rep.orchestrator.step_async(delta_time=0.0))
    seen, picture, kept = view.get_data(), colours.get_data(), copied.get_data()
    assert isinstance(seen, wp.array) and seen.shape == SIZE[::-1]
    assert np.array_equal(seen.numpy(), kept)
    cloned = wp.clone(seen)
    sim.update()
    assert np.isnan(seen.numpy()).all() and (picture.numpy() == 0xAB).all()
    assert np.array_equal(cloned.numpy(), kept)
    for annotator in (view, colours, copied):
        annotator.detach()
    product.destroy()


def test_annotators_before_a_frame_and_without_a_product(sim):
    import omni.replicator.core as rep

    sim.use_stage(street())
    product = rep.create.render_product(CAMERA, SIZE)
    annotator = rep.annotators.get("rgb")
    with pytest.raises(RuntimeError, match="not attached"):
        annotator.get_data()
    annotator.attach(product)
    first = annotator.get_data()
    assert first.shape == (0,) and first.dtype == np.float64
    annotator.detach()
    assert annotator.is_attached
    with pytest.raises(RuntimeError, match="get a new one"):
        annotator.initialize()
    with pytest.raises(ValueError, match="not on the GPU"):
        rep.annotators.get("bounding_box_3d", device="cuda")
    product.destroy()


def test_products_are_rendered_at_every_tick_until_switched_off(sim):
    import omni.replicator.core as rep

    sim.use_stage(street())
    product = rep.create.render_product(CAMERA, SIZE)
    assert rep.create.render_product(CAMERA, SIZE).path == product.path
    sim.update(3)
    product.hydra_texture.set_updates_enabled(False)
    sim.update(5)
    assert sim.rendered_frames[product.path] == 3
    product.destroy()


def test_any_labelled_prim_has_its_occlusion_and_whole_box(sim):
    """A small box half hidden behind a larger one, both made through Replicator; no mover among them."""
    import omni.replicator.core as rep
    from pxr import UsdGeom
    from scene import camera, forward
    from stage_kit import lights, new_stage

    sim.use_stage(new_stage())
    lights(sim.stage)
    rep.functional.create.cube(position=(10, 0, 0), scale=(0.5, 0.5, 0.5), semantics={"class": "box"}, name="small", parent="/World")
    rep.functional.create.cube(position=(8, 0.4, 0), scale=(0.5, 0.4, 2.0), semantics={"class": "wall"}, name="large", parent="/World")
    UsdGeom.Cube(sim.stage.GetPrimAtPath("/World/small")).GetSizeAttr().Set(2.0)
    camera(sim.stage, forward(0, 0, 0))
    held = shoot(sim, ["bounding_box_2d_tight", "bounding_box_2d_loose", "occlusion"], stage=sim.stage)
    rows = {}
    for kind in ("tight", "loose"):
        boxes = held[f"bounding_box_2d_{kind}"]
        rows[kind] = dict(zip(boxes["info"]["primPaths"], boxes["data"], strict=True))
    tight, loose = rows["tight"]["/World/small"], rows["loose"]["/World/small"]
    edge = FOCAL_PX * 0.5 / 9.5
    assert loose["x_min"] == pytest.approx(SIZE[0] / 2 - 0.5 - edge, abs=1) and loose["x_max"] == pytest.approx(SIZE[0] / 2 - 0.5 + edge, abs=1)
    assert tight["x_max"] == loose["x_max"] and tight["x_min"] > loose["x_min"]
    hidden = (tight["x_min"] - loose["x_min"]) / (loose["x_max"] - loose["x_min"] + 1)
    assert tight["occlusionRatio"] == pytest.approx(hidden, abs=0.05) and 0.3 < hidden < 0.7
    assert rows["tight"]["/World/large"]["occlusionRatio"] == 0
