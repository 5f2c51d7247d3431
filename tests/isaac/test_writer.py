"""``TailgateWriter`` in a script that has its own randomization: three lines bring scorecards and a ledger."""

import pytest
from pxr import UsdGeom
from scene import street
from tailgate.errors import UserError
from tailgate.ledger.ledger import read
from tailgate.runtime.live import PAGE


def script(sim, reference, out, captures=4, **settings):
    """What a user has, and three lines of ours."""
    import omni.replicator.core as rep
    from tailgate_rtx.writer import register_writer, unregister_writer

    async def capture():
        rep.orchestrator.set_capture_on_play(False)
        product = rep.create.render_product("/World/Camera", (96, 72))
        register_writer()
        writer = rep.writers.get("TailgateWriter")
        try:
            writer.initialize(reference=str(reference), output_dir=str(out), **settings)
            writer.attach(product)
            for i in range(captures):
                UsdGeom.Xformable(sim.stage.GetPrimAtPath("/World/Camera")).GetOrderedXformOps()[0].Set(_moved(i))
                await rep.orchestrator.step_async(rt_subframes=4, delta_time=0.0)
            await rep.orchestrator.wait_until_complete_async()
        finally:
            writer.detach()
            product.destroy()
            unregister_writer()

    sim.use_stage(street())
    sim.run(capture())


def _moved(i):
    from scene import forward
    from stage_kit import gf

    return gf(forward(-0.5 * i, 0.1 * i, 1.5))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Depth images with labels, as BasicWriter writes them: here from the fixture of the formats."""
    from frames_fixture import make_frame
    from tailgate.datasets.basicwriter import BasicWriter

    root = tmp_path_factory.mktemp("real")
    writer = BasicWriter(root)
    for i in range(8):
        writer.add(make_frame(i, cameras=1, lidars=0))
    return root


def test_frames_are_judged_and_recorded(sim, reference, tmp_path):
    told = []
    (tmp_path / "labels.yaml").write_text("classes: {car: Car, road: ground}\n")
    script(sim, reference, tmp_path / "run", batch=2, labels=str(tmp_path / "labels.yaml"), tell=told.append)
    with read(tmp_path / "run") as db:
        assert [tuple(r) for r in db.execute("select number, count from batches order by number")] == [(0, 2), (1, 2)]
        assert {r["class"] for r in db.execute("select distinct class from objects")} >= {"Car"}
    assert (tmp_path / "run" / PAGE).is_file() and len(list((tmp_path / "run/frames").iterdir())) == 4
    assert told[0].startswith("tailgate: batch 0: ")


def test_a_capture_before_anything_was_rendered_is_passed_over(sim, reference, tmp_path):
    told = []
    sim.misbehave("empty_first_frame")
    (tmp_path / "labels.yaml").write_text("classes: {car: Car, road: ground}\n")
    script(sim, reference, tmp_path / "run", 3, batch=2, labels=str(tmp_path / "labels.yaml"), tell=told.append)
    assert told[0] == "tailgate: a capture without data was passed over (nothing was rendered yet)"
    assert len(list((tmp_path / "run/frames").iterdir())) == 2


def test_mistakes_are_said_at_once(sim51, reference, tmp_path):
    for wrong, said in (({"batches": 2}, "unknown setting of TailgateWriter 'batches'.*batch"), ({"labels": str(tmp_path / "no.yaml")}, "no.yaml")):
        with pytest.raises(UserError, match=said):
            script(sim51, reference, tmp_path / "run", **wrong)
    with pytest.raises(UserError, match="must be a folder of frames"):
        script(sim51, tmp_path / "nowhere", tmp_path / "run")
    with pytest.raises(UserError, match="output_dir of TailgateWriter must be an absolute path, got 'run'"):
        script(sim51, reference, "run")
