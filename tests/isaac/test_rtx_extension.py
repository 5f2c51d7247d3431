"""The extension tailgate.rtx: what it registers, what it refuses outside, releases, and calls held to the table."""

import subprocess
import sys

import pytest
from checkout import ROOT
from standin import standin
from tailgate.errors import UserError
from tailgate.registry import backends, randomizers


def test_start_and_stop_leave_the_registries_as_they_were(sim):
    import omni.replicator.core as rep
    from tailgate_rtx.extension import RtxExtension

    before = set(backends), set(randomizers), set(rep.WriterRegistry.get_writers())
    extension = RtxExtension()
    for _ in range(2):
        extension.on_startup("tailgate.rtx-0.1.0")
        assert backends.get("isaac").shares_loop and "placement.contexts" in set(randomizers)
        assert "TailgateWriter" in rep.WriterRegistry.get_writers()
        extension.on_shutdown()
        assert (set(backends), set(randomizers), set(rep.WriterRegistry.get_writers())) == before


def test_nothing_of_kit_is_imported_before_it_is_used():
    code = "import sys, tailgate_rtx.backend; print({'omni', 'carb', 'isaacsim', 'pxr', 'warp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_outside_isaac_sim():
    from tailgate_rtx.backend import RtxBackend

    with pytest.raises(UserError, match="--backend isaac works inside Isaac Sim: .*isaac_generate.py.* --backend warp"):
        RtxBackend.check("cuda:0")


@pytest.mark.parametrize("flavour", ["5.1", "6.0"])
def test_releases_are_told_apart(flavour):
    from tailgate_rtx.backend import RtxBackend
    from tailgate_rtx.releases import close_arguments, release

    with standin(flavour):
        assert release().name == flavour
        assert close_arguments(3) == ({"exit_code": 3} if flavour == "6.0" else {})
        RtxBackend.check("cpu")
        with pytest.raises(UserError, match="--device must be cpu or cuda:N, got 'gpu'"):
            RtxBackend.check("gpu")


@pytest.mark.parametrize(("held", "words"), [(None, "enable it"), ("omni.replicator.core-1.11.35", "needs Isaac Sim 5.1 or 6.0 .*got 1.11.35")])
def test_other_releases_are_refused(sim60, held, words):
    from standin.kit import Extensions
    from tailgate_rtx.releases import release

    sim60.part(Extensions).enabled["omni.replicator.core"] = held
    with pytest.raises(UserError, match=words):
        release()


def test_before_the_application_runs():
    from tailgate_rtx.releases import release

    with standin("6.0", mode="standalone"):
        with pytest.raises(UserError, match="works inside Isaac Sim"):
            release()
        from isaacsim import SimulationApp

        app = SimulationApp({"fast_shutdown": False})
        assert release().name == "6.0"
        app.close()


def test_every_static_call_binds():
    """By the checker that lies beside the recordings, where it is."""
    checker = ROOT.parent / "shared" / "isaac" / "check_calls.py"
    if not checker.is_file():
        pytest.skip("no shared/isaac here")
    done = subprocess.run([sys.executable, str(checker), str(ROOT / "exts" / "tailgate.rtx")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
