import sqlite3
import subprocess
import sys
import textwrap

import pytest
from tailgate.errors import UserError
from tailgate.ledger.ledger import Ledger, canonical, hashes, read

CLIP = {"clip_index": 0, "round": 0, "batch": 0, "scenario": "s", "cell": "c", "attempts": 1, "state": "rendered", "result": {}}
FRAME = {"id": "f0", "clip_index": 0, "attempt": 0, "tick": 0, "verdict": "ok", "codes": [], "digest": "d", "scores": {}, "sample": {"a": 1}}


def test_transactions_are_all_or_nothing(tmp_path):
    ledger = Ledger(tmp_path, {"budget": "x"})
    with pytest.raises(RuntimeError), ledger.transaction():
        ledger.insert("clips", [CLIP])
        raise RuntimeError
    assert ledger.rows("select * from clips") == []
    with ledger.transaction():
        ledger.insert("clips", [CLIP])
        ledger.count("clips_rendered", 2)
        ledger.count("clips_rendered")
    assert ledger.counters() == {"clips_rendered": 3}


def test_states_are_a_closed_set(tmp_path):
    ledger = Ledger(tmp_path, {})
    with pytest.raises(sqlite3.IntegrityError), ledger.transaction():
        ledger.insert("clips", [{**CLIP, "state": "fine"}])


def test_another_fingerprint_is_refused(tmp_path):
    Ledger(tmp_path, {"budget": "x", "device": "cpu"}).close()
    Ledger(tmp_path, {"budget": "x", "device": "cpu"}).close()
    with pytest.raises(UserError, match="budget differ"):
        Ledger(tmp_path, {"budget": "y", "device": "cpu"})


def test_hashes_follow_content_and_order(tmp_path):
    ledger = Ledger(tmp_path, {})
    with ledger.transaction():
        ledger.insert("clips", [{**CLIP, "state": "accepted"}])
        ledger.insert("frames", [{**FRAME, "path": "p", "counted": 1}])
    first = hashes(tmp_path)
    with ledger.transaction():
        ledger.update("frames", {"id": "f0"}, digest="e")
    second = hashes(tmp_path)
    assert first["plan_hash"] == second["plan_hash"] and first["content_hash"] != second["content_hash"]
    with ledger.transaction():
        ledger.update("clips", {"clip_index": 0}, state="rejected")
    assert hashes(tmp_path)["plan_hash"] != first["plan_hash"]


def test_reading_what_is_no_run(tmp_path):
    with pytest.raises(UserError, match="not a run folder"), read(tmp_path):
        pass


def test_what_is_read_is_closed_again(tmp_path):
    Ledger(tmp_path, {}).close()
    with read(tmp_path) as db:
        assert db.execute("select count(*) from accepted").fetchone()[0] == 0
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        db.execute("select 1")


def test_accepted_frames_are_sound_frames_of_accepted_clips(tmp_path):
    ledger = Ledger(tmp_path, {})
    with ledger.transaction():
        ledger.insert("clips", [{**CLIP, "clip_index": i, "state": state} for i, state in enumerate(("accepted", "rejected"))])
        frames = [("a", 0, "ok"), ("b", 0, "failed"), ("c", 1, "ok")]
        ledger.insert("frames", [{**FRAME, "id": n, "clip_index": i, "verdict": v, "path": "p", "counted": 1} for n, i, v in frames])
    assert [r["id"] for r in ledger.rows("select id from accepted")] == ["a"]


def test_canonical_json():
    assert canonical({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'
    with pytest.raises(ValueError):
        canonical(float("nan"))


def test_what_was_committed_survives_a_kill(tmp_path):
    code = textwrap.dedent(f"""
        import os, pathlib
        from tailgate.ledger.ledger import Ledger
        ledger = Ledger(pathlib.Path({str(tmp_path)!r}), {{}})
        for i in range(1000):
            with ledger.transaction():
                ledger.count("n")
            if i == 41:
                ledger._db.execute("begin immediate")
                ledger.count("n", 1000)
                os.kill(os.getpid(), 9)
    """)
    subprocess.run([sys.executable, "-c", code], check=False)
    assert Ledger(tmp_path, {}).counters() == {"n": 42}
