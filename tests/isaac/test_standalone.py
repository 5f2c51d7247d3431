"""Scripts that start their own SimulationApp."""

import sys

import pytest
from scene import CAMERA, SIZE, street
from standin import standin
from standin.kit import Standalone


@pytest.mark.parametrize("name", ["omni.usd", "pxr", "pxr.Usd", "carb.settings", "isaacsim.storage.native"])
def test_nothing_may_be_imported_before_the_app(name):
    with standin("5.1", mode="standalone"):
        with pytest.raises(ImportError, match="SimulationApp must be made before"):
            __import__(name)


def test_everything_may_be_imported_after(tmp_path):
    usd = sys.modules.get("pxr.Usd")
    with standin("6.0", mode="standalone") as sim:
        from isaacsim import SimulationApp

        config = {"headless": True, "extra_args": ["--/rtx-transient/stableIds/enabled=true", "--/a/b=3", "--enable", "my.ext"]}
        app = SimulationApp(config)
        import carb.settings
        from pxr import Usd

        assert usd is None or Usd is usd
        assert carb.settings.get_settings().get("/rtx-transient/stableIds/enabled") is True
        assert carb.settings.get_settings().get("/a/b") == 3
        assert app.is_running() and app.context.get_stage() is not None
        app.update()
        assert sim.ticks == 1
        with pytest.raises(SystemExit) as ended:
            app.close(exit_code=3)
        assert ended.value.code == 3 and sim.part(Standalone).exit_code == 3
        assert app.is_exiting()


def test_5_1_ends_with_0_and_takes_no_exit_code():
    with standin("5.1", mode="standalone") as sim:
        from isaacsim import SimulationApp

        app = SimulationApp()
        with pytest.raises(TypeError, match="exit_code"):
            app.close(exit_code=3)
        with pytest.raises(SystemExit) as ended:
            app.close()
        assert ended.value.code == 0 and sim.part(Standalone).exit_code == 0


def test_wrong_starts_are_refused():
    with standin("5.1", mode="standalone"):
        from isaacsim import SimulationApp

        with pytest.raises(ValueError, match="no key 'headles'"):
            SimulationApp({"headles": True})
        with pytest.raises(ValueError, match="renderer"):
            SimulationApp({"renderer": "RTX"})
        app = SimulationApp({"fast_shutdown": False})
        with pytest.raises(RuntimeError, match="one SimulationApp per process"):
            SimulationApp()
        app.close()
        with pytest.raises(RuntimeError, match="is closed"):
            app.update()
    with standin("5.1"):
        from isaacsim import SimulationApp

        with pytest.raises(RuntimeError, match="inside a running Kit"):
            SimulationApp()


@pytest.mark.parametrize("flavour", ["5.1", "6.0"])
def test_a_script_of_the_usual_shape(flavour):
    with standin(flavour, mode="standalone") as sim:
        from isaacsim import SimulationApp

        app = SimulationApp({"headless": True, "fast_shutdown": False})
        import omni.replicator.core as rep

        sim.use_stage(street())
        rep.orchestrator.set_capture_on_play(False)
        product = rep.create.render_product(CAMERA, SIZE)
        rgb = rep.annotators.get("rgb").attach(product)
        for _ in range(2):
            rep.orchestrator.step(rt_subframes=2, delta_time=0.0, pause_timeline=False)
            assert rgb.get_data().shape == (*SIZE[::-1], 4)
        rep.orchestrator.wait_until_complete()
        rgb.detach()
        product.destroy()
        app.close()
