"""The gate for frames made elsewhere: batches are judged as they come, the ledger keeps them, a page ends it; it goes on where it stopped."""

import io
import json

import pytest
from rich.console import Console
from scan_folder import Scans
from tailgate.errors import UserError
from tailgate.ledger.ledger import hashes, read
from tailgate.reference.open import open_reader
from tailgate.runtime.explain import explain_frame, seen_of
from tailgate.runtime.live import PAGE, Gate, GateSpec


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return Scans(range(8)).write(tmp_path_factory.mktemp("rooms") / "real")


def frames(folder, **scans):
    reader, entries = open_reader("npz", Scans(range(20, 24), **scans).write(folder), {})
    return [reader.read(e.name) for e in entries]


def judged(real, out, made, **more):
    told = []
    with Gate(GateSpec(real, out, batch=2, tell=told.append, **more)) as gate:
        for frame in made:
            gate.add(frame)
    return told


def states(out):
    with read(out) as db:
        return [row["state"] for row in db.execute("select state from clips order by clip_index")]


def test_like_frames_are_accepted_and_recorded(real, tmp_path):
    told = judged(real, tmp_path / "run", frames(tmp_path / "alike"))
    assert [t.split(": ")[2] for t in told[:2]] == ["accepted"] * 2 and told[2].startswith("tailgate: Accepted: ")
    assert states(tmp_path / "run") == ["accepted"] * 4
    assert json.loads((tmp_path / "run/status.json").read_text())["accepted_clips"] == 4
    assert len(list((tmp_path / "run/frames").iterdir())) == 4 and (tmp_path / "run" / PAGE).stat().st_size > 10_000
    assert set(hashes(tmp_path / "run")) == {"plan_hash", "content_hash"}


def test_noisy_frames_are_refused_and_taken_away_only_where_asked(real, tmp_path):
    made = frames(tmp_path / "noisy", noise=0.03)
    told = judged(real, tmp_path / "report", made)
    assert "range_noise" in told[0] and "rejected" in told[0] and told[-1].startswith("tailgate: Refused: ")
    assert states(tmp_path / "report") == ["accepted"] * 4
    judged(real, tmp_path / "enforce", made, enforce=True)
    assert states(tmp_path / "enforce") == ["rejected"] * 4
    assert not list((tmp_path / "enforce/frames").iterdir()) and len(list((tmp_path / "enforce/rejected").iterdir())) == 4


def test_it_goes_on_where_it_stopped(real, tmp_path):
    made = frames(tmp_path / "alike")
    judged(real, tmp_path / "whole", made)
    gate = Gate(GateSpec(real, tmp_path / "cut", batch=2, tell=lambda _: None))
    for frame in made[:3]:
        gate.add(frame)
    gate._held.close()
    judged(real, tmp_path / "cut", made[3:])
    assert hashes(tmp_path / "whole") == hashes(tmp_path / "cut")


def test_each_clip_names_the_batch_that_judged_it(real, tmp_path):
    """A batch that was judged early is partial, and the next ones begin where it ended."""
    made = frames(tmp_path / "alike")
    with Gate(GateSpec(real, tmp_path / "run", batch=2, tell=lambda _: None)) as gate:
        gate.add(made[0])
        gate.judge()
    with Gate(GateSpec(real, tmp_path / "run", batch=2, tell=lambda _: None)) as gate:
        for frame in made[1:]:
            gate.add(frame)
    with read(tmp_path / "run") as db:
        assert [r["batch"] for r in db.execute("select batch from clips order by clip_index")] == [0, 1, 1, 2]
        spans = {r["number"]: (r["first_index"], r["count"]) for r in db.execute("select * from batches")}
    assert spans == {0: (0, 1), 1: (1, 2), 2: (3, 1)}
    console = Console(file=io.StringIO(), width=200)
    explain_frame(tmp_path / "run", "script-r000-000003-a00-t00", console)
    assert "batch 2 of round 0: accepted" in console.file.getvalue()


def test_what_is_not_in_the_image_is_not_called_hidden():
    behind = {"visible": 0, "alone": 0, "lidar_hits": 349, "occluded": 1.0}
    assert seen_of(behind, True) == "outside the image, 349 returns"
    assert seen_of({**behind, "alone": 50}, True) == "0 px, 349 returns, 100% occluded"
    assert seen_of({**behind, "occluded": 0.5}, False) == "349 returns, 50% occluded"


def test_an_exception_in_the_block_is_the_one_that_is_seen(real, tmp_path):
    told, made = [], frames(tmp_path / "alike")
    with pytest.raises(ZeroDivisionError), Gate(GateSpec(real, tmp_path / "run", batch=4, tell=told.append)) as gate:
        gate.add(made[0])
        raise ZeroDivisionError
    assert told == [] and not (tmp_path / "run" / PAGE).exists() and states(tmp_path / "run") == ["rendered"]
    judged(real, tmp_path / "run", made[1:])
    assert states(tmp_path / "run") == ["accepted"] * 4


def test_what_cannot_be_judged_is_said(real, tmp_path):
    with pytest.raises(UserError, match="must be a folder of frames"):
        Gate(GateSpec(tmp_path / "nowhere", tmp_path / "run"))
    other = Scans(range(3), beams=16).write(tmp_path / "other")
    reader, entries = open_reader("npz", other, {})
    with Gate(GateSpec(real, tmp_path / "run")) as gate, pytest.raises(UserError, match="beams"):
        gate.add(reader.read(entries[0].name))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        Gate(GateSpec(real, tmp_path / "full"))
