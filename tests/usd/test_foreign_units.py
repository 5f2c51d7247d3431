"""A stage in centimetres with Y up is used like one in metres with Z up: same contexts, same samples, same frames."""

import asyncio

import numpy as np
import pytest
from pxr import Gf, Usd, UsdGeom
from small_street import asset_cache, draw, small_budget, small_rig, small_scenario, write_street
from tailgate.randomize.apply import apply_sample
from tailgate.randomize.scenario import open_scenario
from tailgate.render.raytrace import WarpBackend
from tailgate.stage.contexts import read_contexts

TO_CM_Y_UP = Gf.Matrix4d(100, 0, 0, 0, 0, 0, -100, 0, 0, 100, 0, 0, 0, 0, 0, 1)


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """The small street, and the same one referenced into a stage in centimetres with Y up."""
    folder = tmp_path_factory.mktemp("streets")
    own = write_street(folder / "street.usda")
    stage = Usd.Stage.CreateNew(str(folder / "cm.usda"))
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    world = UsdGeom.Xform.Define(stage, "/World")
    world.GetPrim().GetReferences().AddReference(str(own))
    world.AddTransformOp(opSuffix="unitsResolve").Set(TO_CM_Y_UP)
    stage.GetRootLayer().Save()
    return own, folder / "cm.usda"


def shoot(base):
    """A drawn clip and its frame."""
    opened = open_scenario(small_scenario(base), small_budget(), small_rig(), asset_cache())
    backend = WarpBackend()
    backend.open(opened.stage, opened.rig, opened.labels)
    try:
        sample = draw(opened, 3, cell=0)
        apply_sample(opened, sample)
        backend.apply(sample)
        return sample, asyncio.run(backend.capture()), backend.skipped
    finally:
        backend.close()
        opened.close()


def test_contexts_are_in_metres_with_z_up(streets):
    own, foreign = (read_contexts(Usd.Stage.Open(str(path))) for path in streets)
    assert [c.name for c in own] == [c.name for c in foreign]
    for a, b in zip(own, foreign, strict=True):
        assert a.width == b.width and a.kind == b.kind
        np.testing.assert_allclose(a.points, b.points, atol=1e-5)


def test_samples_and_frames_agree(streets):
    (own, frame, _), (foreign, other, skipped) = (shoot(path) for path in streets)
    placed = [s.values["placement.contexts"]["objects"] for s in (own, foreign)]
    assert len(placed[0]) == len(placed[1]) > 0
    for a, b in zip(*placed, strict=True):
        assert a["slot"] == b["slot"]
        np.testing.assert_allclose(a["poses"], b["poses"], atol=1e-4)
    assert not [line for line in skipped if "units of" in line], "the wrappers below /Tailgate are meant to differ"
    for a, b in zip(frame.objects.T_world_box, other.objects.T_world_box, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    near = frame.sensors["camera"].channels["distance_to_camera"], other.sensors["camera"].channels["distance_to_camera"]
    apart = np.abs(np.where(np.isfinite(near[0]), near[0], 0) - np.where(np.isfinite(near[1]), near[1], 0))
    assert (apart > 1e-3 * np.maximum(np.where(np.isfinite(near[0]), near[0], 0), 1)).mean() < 2e-3, "but for pixels at edges"
    same = frame.sensors["camera"].channels["semantic_segmentation"] == other.sensors["camera"].channels["semantic_segmentation"]
    assert same.mean() > 0.998
    bright = [np.asarray(f.sensors["camera"].channels["rgb"], float)[..., :3].mean() for f in (frame, other)]
    assert bright[0] == pytest.approx(bright[1], rel=0.01)
