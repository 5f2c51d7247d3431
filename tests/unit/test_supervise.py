"""A watched worker: recycled, restarted after a death, ended when it hangs, its exit code kept. Real processes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from checkout import EXTS
from tailgate.errors import UserError
from tailgate.runtime.supervise import RECYCLE, Rules, Supervisor

CORE = EXTS / "tailgate.core"
QUICK = Rules(start_s=20.0, silent_s=0.5, restarts=1, end_s=5.0)
HEAD = """
import os, signal, sys, time
from pathlib import Path
from tailgate.runtime.supervise import RECYCLE, Told
life = Path({folder!r}) / "lives"
life.write_text(life.read_text() + "x" if life.exists() else "x")
lives, told = len(life.read_text()), Told()
told.beat()
"""


def supervise(tmp_path, body, rules=QUICK):
    told, script = [], tmp_path / "worker.py"
    script.write_text(HEAD.format(folder=str(tmp_path)) + body)
    code = Supervisor([sys.executable, str(script)], tmp_path / "told.json", rules, told.append).run()
    assert not (tmp_path / "told.json").exists()
    return code, told, len((tmp_path / "lives").read_text())


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_code_named_counts_whatever_the_process_ends_with(tmp_path, code):
    assert supervise(tmp_path, f"told.ends({code}); os._exit(0)") == (code, [], 1)


def test_recycled_workers_go_on(tmp_path):
    code, told, lives = supervise(tmp_path, "told.beat(5); told.ends(RECYCLE if lives < 3 else 0)")
    assert (code, lives, told) == (0, 3, ["worker recycled after 5 clips"] * 2)


def test_a_dead_worker_is_followed_by_another(tmp_path):
    code, told, lives = supervise(tmp_path, "told.beat(2)\nif lives < 2: os.kill(os.getpid(), signal.SIGSEGV)\ntold.ends(3)")
    assert (code, lives) == (3, 2) and told == ["worker died with code -11 after 2 clips; starting another, which resumes"]


def test_a_hanging_worker_is_killed(tmp_path):
    code, told, lives = supervise(tmp_path, "told.beat(1)\nif lives < 2: time.sleep(60)\ntold.ends(0)")
    assert (code, lives) == (0, 2) and told[0].startswith("worker hung after 1 clips")


def test_a_worker_that_hangs_after_its_last_word_is_done(tmp_path):
    quick = Rules(20.0, 30.0, 1, 0.3)
    assert supervise(tmp_path, "told.ends(3); time.sleep(60)", quick)[0] == 3


def test_workers_that_finish_nothing_are_given_up(tmp_path):
    code, told, lives = supervise(tmp_path, "os._exit(9)")
    assert (code, lives) == (1, 2) and "giving up" in told[-1]


def test_asked_to_stop_it_ends_the_worker_first(tmp_path):
    threading.Thread(target=lambda: (time.sleep(1.5), os.kill(os.getpid(), signal.SIGTERM))).start()
    stop = "signal.signal(signal.SIGTERM, lambda *_: (told.ends(RECYCLE), sys.exit(0)))\nwhile True: time.sleep(0.05); told.beat()"
    code, told, lives = supervise(tmp_path, stop, Rules(20.0, 30.0, 1, 5.0))
    assert (code, lives, told) == (RECYCLE, 1, ["stopped; the same command resumes"])


def test_it_needs_nothing_but_the_standard_library():
    code = f"import sys; sys.path.insert(0, {str(CORE)!r}); import tailgate.runtime.supervise"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_that_does_not_start(tmp_path):
    with pytest.raises(UserError, match="cannot start '/nowhere/python': no such file"):
        Supervisor(["/nowhere/python"], tmp_path / "told.json").run()
