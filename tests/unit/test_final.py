"""What is decided once over the accepted set: what to make again, and the audit that is read once."""

from types import SimpleNamespace

import numpy as np
import pytest
from ruamel.yaml import YAML
from tailgate.config.budget import Budget
from tailgate.config.load import load
from tailgate.config.rig import configs_root
from tailgate.ledger.ledger import Ledger
from tailgate.runtime import final
from tailgate.runtime.reference import ReferenceData
from tailgate.validate.evidence import STATISTICS, Evidence
from tailgate.validate.scorecard import Row
from tailgate.validate.sketch import Sketch

FAILED = Row("dogss", 0.41, class_name="box", modality="rgbd", stratum="0-15 m", limit=0.75, gates=True, verdict="failed", note="decided by emd")
NAMES = ("street-r000-000004-a00-t00", "street-r000-000005-a00-t00")


@pytest.fixture
def run(tmp_path):
    """Two accepted clips of two objects each, one of them not counted."""
    budget = load(Budget, configs_root() / "budgets" / "quickstart.yaml")
    cell = budget.cells[0]
    ledger = Ledger(tmp_path, {})
    for i, name in enumerate(NAMES):
        clip = {"clip_index": 4 + i, "round": 0, "batch": 0, "scenario": "street", "cell": cell.name}
        ledger.insert("clips", [{**clip, "attempts": 1, "state": "accepted", "result": {}}])
        frame = {"id": name, "clip_index": 4 + i, "attempt": 0, "tick": 0, "verdict": "ok", "codes": [], "digest": "", "scores": {}}
        ledger.insert("frames", [{**frame, "sample": {}, "path": "", "counted": 1}])
        for k in range(2):
            seen = {"range": 9.123, "occluded": 0.0, "truncated": 0.0, "visible": 400, "alone": 400, "lidar_hits": 50}
            row = {"frame": name, "instance": k + 1, "class": cell.class_, "cell": cell.name, **seen}
            ledger.insert("objects", [{**row, "counted": 1 - k, "scores": {"chamfer": 0.1 + i + 0.5 * k}}])
    return SimpleNamespace(spec=SimpleNamespace(out=tmp_path, budget=budget), ledger=ledger, cell=cell)


def test_quarantine_names_what_to_make_again(run, tmp_path):
    name = run.cell.class_
    found = final.quarantine(run.spec, run.ledger, {name: {"verdict": "quarantined", "rows": [FAILED.to_json()]}})
    assert found[name]["clips"] == [4, 5] and found[name]["instances"] == {run.cell.name: 2}
    assert [(o["frame"], o["instance"]) for o in found[name]["farthest"][:2]] == [(NAMES[1], 2), (NAMES[1], 1)]
    assert found[name]["reasons"][0]["metric"] == "dogss"
    assert YAML(typ="safe").load(tmp_path / "quarantine.yaml") == found
    again = load(Budget, tmp_path / "again.yaml")
    assert [(c.name, c.target) for c in again.cells] == [(run.cell.name, 2)]
    assert again.seed != run.spec.budget.seed and again.scenarios == run.spec.budget.scenarios


def test_nothing_quarantined_leaves_no_file(run, tmp_path):
    bad = {run.cell.class_: {"verdict": "quarantined", "rows": [FAILED.to_json()]}}
    final.quarantine(run.spec, run.ledger, bad)
    assert final.quarantine(run.spec, run.ledger, {run.cell.class_: {"verdict": "accepted", "rows": []}}) == {}
    assert not (tmp_path / "quarantine.yaml").exists() and not (tmp_path / "again.yaml").exists()


def test_audit_is_read_once(run, monkeypatch):
    noise = STATISTICS["range_noise"]

    def evidence(sigma, seed):
        block, draws = Sketch(), np.random.default_rng(seed).normal(0, sigma, 4000)
        for stratum in range(4):
            block.add(noise, np.full(4000, stratum), draws)
        return Evidence(blocks=[block])

    reads = []

    def read(spec):
        reads.append(1)
        return {f"g{i}": [evidence(0.01 * (1 + 0.05 * i), i)] for i in range(4)}

    monkeypatch.setattr(final, "read_audit", read)
    judge = SimpleNamespace(evidence=lambda name: evidence(0.03, NAMES.index(name) + 10), reference=ReferenceData("kitti"))
    first = final.audit(run.spec, run.ledger, judge)
    assert first["frames"] == {"real": 4, "synthetic": 2} and first["distance_ratio"] > 2 and first["error"] >= 0
    assert final.audit(run.spec, run.ledger, None) == first and len(reads) == 1


def test_no_audit_part(run, monkeypatch):
    monkeypatch.setattr(final, "read_audit", lambda spec: {})
    assert final.audit(run.spec, run.ledger, None) is None


def test_integrity_of_the_set(run, monkeypatch):
    monkeypatch.setattr(final, "_pinned", lambda budget: frozenset())
    same = np.zeros((1, 32), np.uint8)
    judge = SimpleNamespace(evidence=lambda name: Evidence(signature=same), reference=SimpleNamespace(groups={"feedback": {}}))
    rows = final.integrity(run.spec, run.ledger, judge)
    assert [(r.metric, r.verdict) for r in rows] == [("near_duplicates", "failed")]
    assert [r["verdict"] for r in run.ledger.meta("integrity")] == ["failed"]


def test_what_cells_tie_together_is_no_fault(run):
    pinned = final._pinned(run.spec.budget)
    lit = any(c.light for c in run.spec.budget.cells)
    assert ((run.cell.class_, "light") in pinned) == lit


def test_a_refused_class_without_instances_has_nothing_to_make_again(run, tmp_path):
    assert final.quarantine(run.spec, run.ledger, {"absent": {"verdict": "quarantined", "rows": [FAILED.to_json()]}}) == {}
    assert not (tmp_path / "again.yaml").exists()
