"""Writers: registration, payloads, metadata, backends."""

import json

import numpy as np
import pytest
from scene import CAMERA, SIZE, street


@pytest.fixture
def rep(sim):
    """Replicator with a render product of the street's camera."""
    import omni.replicator.core as rep

    sim.use_stage(street())
    rep.orchestrator.set_capture_on_play(False)
    rep.product = rep.create.render_product(CAMERA, SIZE, name="front")
    yield rep
    rep.product.destroy()


def keeper(rep, structure: str, names=("distance_to_camera", "semantic_segmentation")):
    """A writer class that keeps what it is handed."""

    class Keeper(rep.Writer):
        def __init__(self, more: int = 0):
            self.annotators = [rep.annotators.get(n) for n in names]
            self.data_structure, self.version, self.more, self.kept = structure, "1.0.0", more, []

        def write(self, data):
            self.kept.append(data)

    rep.WriterRegistry.register(Keeper)
    return Keeper


@pytest.mark.parametrize("structure", ["legacy", "annotator", "renderProduct"])
def test_payload_of_each_structure(sim, rep, structure):
    keeper(rep, structure)
    writer = rep.writers.get("Keeper")
    assert not hasattr(writer, "kept"), "made without __init__"
    writer.initialize(more=3)
    writer.attach(rep.product)
    sim.run(rep.orchestrator.step_async(delta_time=0.0))
    (data,) = writer.kept
    assert {"reference_time", "trigger_outputs", "distribution_outputs", "named_outputs"} <= set(data)
    if structure == "legacy":
        depth, labels = data["distance_to_camera"], data["semantic_segmentation"]["info"]["idToLabels"]
        assert data["rp_front"]["resolution"] == list(SIZE)
    elif structure == "annotator":
        depth = data["annotators"]["distance_to_camera"]["front"]["data"]
        labels = data["annotators"]["semantic_segmentation"]["front"]["idToLabels"]
    else:
        held = data["renderProducts"]["front"]
        depth, labels = held["distance_to_camera"]["data"], held["semantic_segmentation"]["idToLabels"]
        assert held["camera"] == CAMERA
    assert depth.shape == SIZE[::-1] and {"class": "car"} in labels.values()
    writer.detach()
    rep.WriterRegistry.unregister("Keeper")


def test_a_writer_without_a_trigger_writes_when_asked(sim, rep):
    keeper(rep, "renderProduct")
    writer = rep.WriterRegistry.get("Keeper", init_params={})
    writer.attach([rep.product], trigger=None)
    sim.run(rep.orchestrator.step_async())
    assert not writer.kept
    writer.schedule_write()
    sim.run(rep.orchestrator.step_async())
    sim.run(rep.orchestrator.step_async())
    assert len(writer.kept) == 1 and writer.num_written == 1
    writer.detach()
    rep.WriterRegistry.unregister("Keeper")


def test_playing_captures_unless_switched_off(sim, rep):
    import omni.timeline

    keeper(rep, "renderProduct")
    writer = rep.writers.get("Keeper", init_params={}, render_products=rep.product)
    omni.timeline.get_timeline_interface().play()
    sim.update(2)
    assert not writer.kept
    rep.orchestrator.set_capture_on_play(True)
    sim.update(2)
    assert len(writer.kept) == 2
    writer.detach()
    rep.WriterRegistry.unregister("Keeper")


def test_files_are_written_by_the_backend_later(sim, rep, tmp_path):
    class Files(rep.Writer):
        def __init__(self, folder):
            self.annotators, self.version = ["rgb"], "1.2.3"
            self.backend = rep.backends.get("DiskBackend")
            self.backend.initialize(output_dir=folder)

        def write(self, data):
            self.backend.schedule(rep.functional.write_png, path="a/rgb.png", data=data["rgb"])
            self.backend.schedule(rep.functional.write_json, path="a/x.json", data={"n": 1})

    rep.writers.register_writer(Files)
    writer = rep.writers.get("Files", init_params={"folder": str(tmp_path)}, render_products=[rep.product])
    sim.run(rep.orchestrator.step_async())
    assert json.loads((tmp_path / "metadata.txt").read_text())["version"] == "1.2.3"
    assert not (tmp_path / "a").exists()
    sim.run(rep.orchestrator.wait_until_complete_async())
    from PIL import Image

    assert np.array(Image.open(tmp_path / "a/rgb.png")).shape == (*SIZE[::-1], 4)
    assert json.loads((tmp_path / "a/x.json").read_text()) == {"n": 1}
    writer.detach()
    rep.writers.unregister_writer("Files")


def test_wrong_use_of_writers_is_refused(sim, rep):
    keeper(rep, "both")
    writer = rep.writers.get("Keeper")
    with pytest.raises(RuntimeError, match="initialize before attach"):
        writer.attach(rep.product)
    writer.initialize()
    with pytest.raises(ValueError, match="data_structure"):
        writer.attach(rep.product)
    with pytest.raises(ValueError, match="did you mean 'Keeper'"):
        rep.writers.get("Kepper")
    with pytest.raises(ValueError, match="relative"):
        rep.backends.DiskBackend("out")
    rep.WriterRegistry.unregister("Keeper")
