"""gate.yaml: what is written reads back, and everything wrong with a file is named with its line."""

import numpy as np
import pytest
from rich.console import Console
from tailgate.calibrate.gate import applicable, modality_gates
from tailgate.config.budget import Gate
from tailgate.config.gate import Calibrated, ControlRecord, GateFile, ModalityGate, Rate
from tailgate.errors import UserError
from tailgate.report.power import print_gate, sentences, write_gate_page
from tailgate.runtime.gate_file import read_gate, write_gate
from tailgate.validate.calibration import calibrate
from tailgate.validate.evidence import STATISTICS
from tailgate.validate.gate import BatchGate
from tailgate.validate.places import Places
from tailgate.validate.sketch import Sketch

STRENGTHS = (1.5, 2.0, 4.0)


def sector(seed: int, factor: float = 1.0) -> Sketch:
    """A sector whose noise is known; the place's own spread comes from its seed."""
    rng, sketch = np.random.default_rng(seed), Sketch()
    spread = 0.02 * np.exp(0.1 * rng.normal())
    sketch.add(STATISTICS["range_noise"], np.zeros(600, dtype=int), factor * spread * rng.normal(size=600))
    sketch.add(STATISTICS["beam_noise"], np.zeros(600, dtype=int), factor * spread * rng.normal(size=600))
    return sketch


def street(factor: float = 1.0) -> dict[str, list[Sketch]]:
    return {"street": [sector(k, factor) for k in range(12)]}


@pytest.fixture(scope="module")
def gate() -> GateFile:
    batch = modality_gates(street(), {("noise", s): street(s) for s in STRENGTHS}, splits=30)
    return GateFile(tailgate="0", seed=0, reference=Calibrated(kind="kitti", fingerprint="a" * 64, frames=["000000"]), batch=batch)


@pytest.fixture
def written(gate, tmp_path):
    write_gate(gate, tmp_path / "gate.yaml")
    return tmp_path / "gate.yaml"


def test_what_is_written_reads_back(gate, written):
    found = read_gate(written, "a" * 64)
    assert found.batch["lidar"].places == 12 and [s.size for s in found.batch["lidar"].sizes] == [1, 2, 3, 4]
    ours, theirs = (g.batch["lidar"].at(3) for g in (gate, found))
    assert theirs.joint == pytest.approx(ours.joint, rel=1e-5) and theirs.power["noise"][1].value == ours.power["noise"][1].value
    assert written.read_text().startswith("# Limits of the batch gate")


def test_the_gate_judges_by_the_file(written):
    calibrated = read_gate(written, "a" * 64)
    judge = BatchGate(street(), STATISTICS, Gate(), calibrated=calibrated)
    real, wrong = (judge.judge(Sketch.total(sector(100 + k, f) for k in range(4))) for f in (1.0, 2.0))
    assert real.verdict == "accepted" and wrong.verdict == "rejected" and "range_noise" in wrong.codes()
    row = next(r for r in wrong.rows if r.metric == "range_noise" and r.stratum == "all")
    assert row.limit == calibrated.batch["lidar"].at(4).statistics["range_noise"].limit and "noise 2" in row.note


def test_a_batch_is_judged_by_the_largest_size_it_reaches(gate):
    own = gate.batch["lidar"]
    assert [own.at(n).size for n in (0.3, 1, 2.9, 3, 400)] == [1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("range_noise:", "range_nois:"), "unknown statistic 'range_nois' (did you mean 'range_noise'?)"),
        (("joint:", "jiont:"), "unknown key 'jiont' (did you mean 'joint'?)"),
        (("stated: 2.0", "stated: 3.0"), "stated must be one of strengths"),
        (("weights: [", "weights: [0.5, "), "must have 20 strata as in this version, got 21"),
        (("fingerprint: aaa", "fingerprint: bbb"), "this gate was calibrated on another one, bbb"),
        (("places: 12", "places: many"), "places must be a whole number, got 'many'"),
    ],
)
def test_complaints_name_the_line(written, edit, words):
    text = written.read_text()
    assert edit[0] in text
    written.write_text(text.replace(*edit, 1))
    with pytest.raises(UserError) as caught:
        read_gate(written, "a" * 64)
    assert words in str(caught.value) and caught.value.where.line > 1


def rates(*values: float) -> list[Rate]:
    return [Rate(value=v, low=0.0, high=1.0) for v in values]


def test_the_smallest_size_that_notices_and_falling_detection(gate):
    own = gate.batch["lidar"]
    record = {"noise": ControlRecord(strengths=[1.0, 2.0], stated=2.0)}
    powers = [(0.2, 0.9), (0.2, 0.96), (0.8, 0.94), (0.9, 0.99)]
    bare = {"statistics": {}}
    sizes = [s.model_copy(update={**bare, "power": {"noise": rates(*p)}}) for s, p in zip(own.sizes, powers, strict=True)]
    made = ModalityGate(place="frame", places=12, blocks=12, controls=record, sizes=sizes)
    assert made.reaches("noise") == 4
    assert made.falling(sizes[0]) == [] and made.falling(sizes[0].model_copy(update={"power": {"noise": rates(0.9, 0.5)}})) == ["noise"]


def test_table_and_page_say_what_holds(gate, tmp_path):
    console = Console(record=True, width=160)
    print_gate(gate, console)
    text = console.export_text()
    assert "false rejects" in text and "range_noise" in text and "power: noise 2" in text
    page = write_gate_page(gate, tmp_path / "gate.html").read_text()
    assert page.count("<svg") == 1 and "What the gate can tell" in page and "http" not in page.replace("http://www.w3.org", "")
    assert any("noise 2" in s for s in sentences(gate.batch["lidar"]))


def test_controls_follow_what_the_reference_shows():
    named = {name for name, _ in applicable(street())}
    assert "noise" in named and "depth_noise" not in named and "boxes_shifted" not in named


def test_places_without_enough_values_set_no_limit():
    """Four places whose scans hold too little for any stratum: no limit, and no error."""
    noise, blocks = STATISTICS["range_noise"], {}
    for k in range(4):
        sketch = Sketch()
        sketch.add(noise, np.zeros(5, dtype=int), np.linspace(-0.01, 0.01, 5))
        blocks[f"r{k}"] = [sketch]
    assert calibrate(Places.of(blocks, {"range_noise": noise}), {}, 1, 0, 4) is None
    assert modality_gates(blocks, {}, splits=4) == {} and BatchGate(blocks, STATISTICS, Gate()).judge(Sketch()).verdict == "accepted"
