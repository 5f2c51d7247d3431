"""Every shipped configuration reads, and the exported schemas are those of the models."""

from pathlib import Path

import pytest
from tailgate.config.budget import Budget
from tailgate.config.load import load
from tailgate.config.rig import configs_root, load_rig
from tailgate.config.scenario import Scenario
from tailgate.config.schema import schemas

ROOT = configs_root()


def test_schemas_are_current():
    """After a change of a model: ``python -m tailgate.config.schema configs/schema``."""
    held = {p.name: p.read_text(encoding="utf-8") for p in (ROOT / "schema").glob("*.json")}
    assert held == schemas()


@pytest.mark.parametrize(("kind", "model"), [("budgets", Budget), ("scenarios", Scenario)])
def test_every_file_reads(kind, model):
    files = sorted((ROOT / kind).glob("*.yaml"))
    assert files and all(load(model, file).name for file in files)


@pytest.mark.parametrize("rig", sorted(p.stem for p in (ROOT / "rigs").glob("*.yaml")))
def test_rig_reads(rig):
    assert load_rig(rig, (Path.cwd(),), None).sensors
