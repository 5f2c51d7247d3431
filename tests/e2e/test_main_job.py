"""The main job as a user runs it, small: a budget with a stand-in reference, through every stage, to datasets and a report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checkout import ROOT

SMALL = ["limits.rounds=2", "limits.batch_clips=2", "limits.batches_per_round=1", "reference.options.frames=2", "gate.mode=report"]


def tailgate(*args: object, check: int | None = 0, **more) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, "-m", "tailgate.cli", *map(str, args)], capture_output=True, text=True, **more)
    assert check is None or done.returncode == check, done.stderr + done.stdout
    return done


def generate(out: Path, *extra: object, check: int | None = 3, sets=SMALL) -> subprocess.CompletedProcess:
    overrides = [part for s in sets for part in ("--set", s)]
    return tailgate("generate", ROOT / "configs/budgets/quickstart.yaml", "--out", out, *overrides, *extra, check=check)


def hashes(run: Path) -> dict[str, str]:
    return json.loads(tailgate("status", run, "--hash", "--json").stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "one"
    generate(out, "--workers", 1)
    return out


def test_everything_is_there(run):
    files = ("budget.yaml", "ledger.sqlite", "status.json", "contact_sheet.png", "report.html", "settings/round-001.yaml")
    for name in (*files, "dataset/manifest.parquet"):
        assert (run / name).stat().st_size > 0, name
    for name in ("basicwriter", "coco", "kitti", "semantickitti"):
        assert (run / "dataset" / name).is_dir()
    page = (run / "report.html").read_text()
    assert "stand-in" in page and "http://" not in page.replace("http://www.w3.org", "")


def test_coco_loads_and_masks_match_boxes(run):
    from pycocotools import mask
    from pycocotools.coco import COCO

    coco = COCO(str(run / "dataset/coco/annotations.json"))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert annotations
    for one in annotations:
        assert isinstance(one["area"], float) and one["id"] >= 1
        assert list(mask.toBbox(one["segmentation"])) == pytest.approx(one["bbox"])
        assert mask.area(one["segmentation"]) == one["area"]


def test_the_same_command_changes_nothing(run):
    before = hashes(run)
    generate(run, "--workers", 1)
    assert hashes(run) == before


def test_another_budget_in_the_same_folder_is_refused(run):
    done = generate(run, check=2, sets=[*SMALL, "seed=5"])
    assert "budget differ" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_workers_and_kills_give_the_same_hashes(run, tmp_path):
    """One uninterrupted run with one worker against one with two workers that is killed again and again."""
    out = tmp_path / "killed"
    overrides = [part for s in SMALL for part in ("--set", s)]
    command = [sys.executable, "-m", "tailgate.cli", "generate", str(ROOT / "configs/budgets/quickstart.yaml"), "--out", str(out), *overrides]
    for delay in (6.0, 9.0, 12.0):
        process = subprocess.Popen([*command, "--workers", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    generate(out, "--workers", 2, check=None)
    assert hashes(out) == hashes(run)


def test_explain_and_compose(run, tmp_path):
    frame = sorted(p.name for p in (run / "frames").iterdir())[0]
    assert "settings drawn" in tailgate("explain", frame, "--run", run).stdout
    labels = tmp_path / "real.json"
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 10, "height": 10} for i in range(1, 5)]
    names = ["wheelchair_user", "stroller", "cone", "person"]
    notes = [{"id": i, "image_id": i, "category_id": i, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0} for i in range(1, 5)]
    labels.write_text(json.dumps({"images": images, "annotations": notes, "categories": [{"id": i + 1, "name": n} for i, n in enumerate(names)]}))
    tailgate("compose", "--real", labels, "--synthetic", run, "--ratio", 0.5, "-o", tmp_path / "mix.parquet")
    assert (tmp_path / "mix.parquet").is_file()
