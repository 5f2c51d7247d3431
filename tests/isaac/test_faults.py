"""Every misbehaviour of the real one, shown once."""

import re
from pathlib import Path

import numpy as np
import pytest
from scene import CAMERA, SIZE, street
from stage_kit import gf, pose
from standin import FAULTS, standin
from test_lidar import STABLE, lidar, parser, play


class Shooter:
    """A product of the street's camera whose near car can be moved between captures."""

    def __init__(self, sim, *names: str):
        import omni.replicator.core as rep

        self.sim, self.rep = sim, rep
        sim.use_stage(street())
        rep.orchestrator.set_capture_on_play(False)
        self.product = rep.create.render_product(CAMERA, SIZE)
        self.annotators = {n: rep.annotators.get(n).attach(self.product) for n in names}

    def __enter__(self) -> "Shooter":
        return self

    def __exit__(self, *exc) -> None:
        for annotator in self.annotators.values():
            annotator.detach()
        self.product.destroy()

    def move(self, x: float) -> None:
        from pxr import UsdGeom

        UsdGeom.Xformable(self.sim.stage.GetPrimAtPath("/Tailgate/Objects/near")).GetOrderedXformOps()[0].Set(gf(pose(x, -0.6, 0)))

    def take(self, subframes: int = 1):
        self.sim.run(self.rep.orchestrator.step_async(rt_subframes=subframes, delta_time=0.0))
        out = {n: a.get_data() for n, a in self.annotators.items()}
        return out if len(out) > 1 else next(iter(out.values()))


def test_every_fault_has_a_source_and_a_test():
    tests = Path(__file__).read_text()
    for name, fault in FAULTS.items():
        assert re.search(rf'misbehave\("{name}"', tests), f"no test switches {name} on"
        assert re.match(r"\d", fault.source), f"{name} names no section"
    with standin("5.1") as sim:
        with pytest.raises(ValueError, match="unknown fault"):
            sim.misbehave("stale")
        with pytest.raises(ValueError, match="unknown option"):
            sim.misbehave("stale_frames", frames=3)


def test_stale_frames(sim):
    with Shooter(sim, "distance_to_camera") as shooter:
        first = shooter.take()
        shooter.move(5.0)
        moved = shooter.take()
        assert not np.array_equal(first, moved)
        sim.misbehave("stale_frames")
        shooter.move(11.0)
        assert np.array_equal(shooter.take(subframes=2), moved), "the frame before"
        shooter.move(12.0)
        fresh = shooter.take(subframes=4)
        assert not np.array_equal(fresh, moved)
        sim.behave("stale_frames")
        assert np.array_equal(shooter.take(), fresh)


def test_empty_first_frame(sim):
    sim.misbehave("empty_first_frame", frames=2)
    with Shooter(sim, "rgb") as shooter:
        sizes = [shooter.take().shape[0] for _ in range(3)]
    assert sizes[-1] == SIZE[1] and sizes[0] == 0


def test_occlusion_minus_one(sim):
    with Shooter(sim, "bounding_box_2d_tight", "bounding_box_3d", "occlusion") as shooter:
        assert all((np.asarray(d["data"] if isinstance(d, dict) else d)["occlusionRatio"] >= 0).all() for d in shooter.take().values())
        sim.misbehave("occlusion_minus_one")
        assert all((np.asarray(d["data"] if isinstance(d, dict) else d)["occlusionRatio"] == -1).all() for d in shooter.take().values())
        sim.misbehave("occlusion_minus_one", all=False)
        held = shooter.take()["bounding_box_2d_tight"]
        ratios = dict(zip(held["info"]["primPaths"], held["data"]["occlusionRatio"], strict=True))
        assert ratios["/Tailgate/Objects/near"] == -1 and 0 < ratios["/World/Road"] < 0.5


def test_changing_ids(sim):
    with Shooter(sim, "semantic_segmentation", "instance_segmentation_fast") as shooter:
        ids = [set(map(int, d["info"]["idToLabels"])) for d in shooter.take().values()]
        assert [set(map(int, d["info"]["idToLabels"])) for d in shooter.take().values()] == ids
        sim.misbehave("changing_ids")
        one, two = shooter.take(), shooter.take()
        for name in one:
            a, b = (set(map(int, d[name]["info"]["idToLabels"])) - {0, 1} for d in (one, two))
            assert a and not a & b
            labels = sorted(map(str, one[name]["info"]["idToLabels"].values()))
            assert labels == sorted(map(str, two[name]["info"]["idToLabels"].values())), "only the numbers change"


def test_no_data(sim):
    with Shooter(sim, "rgb", "camera_params", "distance_to_camera") as shooter:
        sim.misbehave("no_data", annotator="rgb")
        held = shooter.take()
        assert held["rgb"].shape == (0,) and held["distance_to_camera"].shape == SIZE[::-1]
        sim.misbehave("no_data")
        held = shooter.take()
        assert held["distance_to_camera"].size == 0 and held["camera_params"] == {}


def test_reference_time_stands(sim):
    with Shooter(sim, "ReferenceTime") as shooter:
        assert shooter.take() != shooter.take()
        sim.misbehave("reference_time_stands")
        assert shooter.take() == shooter.take()


@pytest.fixture
def rays():
    """A LiDAR that plays, with stable ids on, and its raw output."""
    with standin("5.1", settings=STABLE) as sim:
        import omni.replicator.core as rep

        product = lidar(sim)
        sim.raw, sim.names = (rep.annotators.get(n).attach(product) for n in ("GenericModelOutput", "StableIdMap"))
        sim.frame = lambda: parser(sim)(sim.raw.get_data())
        play()
        yield sim
        sim.raw.detach()
        sim.names.detach()
        product.destroy()


def test_material_31(rays):
    rays.update()
    assert set(rays.frame().matId.tolist()) == {0}, "materials without attributes"
    rays.misbehave("material_31")
    rays.update()
    assert set(rays.frame().matId.tolist()) == {31}


def test_late_lidar(rays):
    rays.misbehave("late_lidar", ticks=3)
    sizes = []
    for _ in range(5):
        rays.update()
        sizes.append(rays.frame().numElements)
    assert sizes[:3] == [0, 0, 0] and sizes[3] > 0
    assert rays.frame().timestampNs < 2e9 / 60, "and the data are old"


def test_missing_stable_ids(rays):
    from isaacsim.sensors.rtx import LidarRtx

    def table() -> set[str]:
        rays.update()
        return set(LidarRtx.decode_stable_id_mapping(rays.names.get_data().tobytes()).values())

    whole = table()
    rays.misbehave("missing_stable_ids", every=2)
    assert table() < whole


def test_zero_object_ids(rays):
    rays.update()
    assert rays.frame().objId.any()
    rays.misbehave("zero_object_ids")
    assert not rays.frame().objId.any()


def test_partial_scan(rays):
    rays.update()
    whole = rays.frame().numElements
    rays.misbehave("partial_scan", share=0.4)
    assert rays.frame().numElements == round(0.6 * whole)


def test_half_timestamps(rays):
    rays.update()
    rays.misbehave("half_timestamps")
    assert len(rays.frame().timeOffSetNs) == rays.frame().numElements // 2
