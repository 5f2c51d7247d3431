"""A run folder goes only where nothing was made in it."""

import errno

import pytest
from tailgate.errors import UserError
from tailgate.ledger.ledger import Ledger
from tailgate.runtime.folder import hold

CLIP = {"clip_index": 0, "round": 0, "batch": 0, "scenario": "s", "cell": "c", "attempts": 1, "state": "rejected", "result": {}}


def full_disk(folder, clips):
    with pytest.raises(UserError, match="no space left"), hold(folder):
        ledger = Ledger(folder, {})
        (folder / "frames").mkdir()
        (folder / "rejected" / "f0").mkdir(parents=True)
        with ledger.transaction():
            ledger.insert("clips", [CLIP] * clips)
        ledger.close()
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_whose_frames_were_all_refused_outlives_a_full_disk(tmp_path):
    full_disk(tmp_path / "run", clips=1)
    assert (tmp_path / "run/rejected/f0").is_dir() and (tmp_path / "run/ledger.sqlite").is_file()


def test_a_run_that_made_nothing_leaves_no_folder(tmp_path):
    full_disk(tmp_path / "run", clips=0)
    assert not (tmp_path / "run").exists()
