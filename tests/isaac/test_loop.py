"""Kit's loop, events, settings, timeline and stage as the stand-in plays them."""

import asyncio

import pytest
from standin import standin
from standin.kit import Extensions


def test_coroutines_wait_for_ticks(sim):
    import omni.kit.app

    async def three() -> int:
        for _ in range(3):
            await omni.kit.app.get_app().next_update_async()
        return sim.ticks

    assert sim.run(three()) == 4
    task = asyncio.ensure_future(three())
    sim.update(10)
    assert task.done()


def test_another_event_loop_would_wait_for_ever(sim):
    import omni.kit.app

    with pytest.raises(RuntimeError, match="not Kit's"):
        asyncio.run(omni.kit.app.get_app().next_update_async())
    asyncio.set_event_loop(sim.loop)


def test_update_observers_end_with_their_guard(sim):
    import carb.eventdispatcher
    import omni.kit.app

    order = []
    watch = carb.eventdispatcher.get_eventdispatcher().observe_event
    late = watch(event_name=omni.kit.app.GLOBAL_EVENT_UPDATE, on_event=lambda e: order.append("late"), observer_name="late", order=5)
    soon = watch(event_name=omni.kit.app.GLOBAL_EVENT_UPDATE, on_event=lambda e: order.append("soon"), observer_name="soon", order=1)
    sim.update()
    late = None  # noqa: F841  (dropping the guard ends it)
    sim.update()
    soon.reset()
    sim.update()
    assert order == ["soon", "late", "soon"]


@pytest.mark.parametrize("flavour, mode", [("5.1", "RaytracedLighting"), ("6.0", "RealTimePathTracing")])
def test_settings_have_the_documented_defaults(flavour, mode):
    with standin(flavour, settings={"/my/own": 3}):
        import carb.settings

        settings, seen = carb.settings.get_settings(), []
        assert settings.get("/rtx/rendermode") == mode
        assert settings.get_as_int("/my/own") == 3 and settings.get("/nothing") is None
        number = settings.subscribe_to_node_change_events("/my", lambda item, event: seen.append(1))
        settings.set("/my/own", 4)
        settings.set_default("/my/own", 5)
        settings.unsubscribe_to_change_events(number)
        settings.set("/my/own", 6)
        assert seen == [1] and settings.get("/my/own") == 6


def test_timeline_changes_wait_for_the_tick_or_a_commit(sim):
    import omni.timeline

    timeline = omni.timeline.get_timeline_interface()
    moved = []
    sim.physics(moved.append)
    timeline.play()
    assert not timeline.is_playing()
    sim.update(2)
    assert timeline.is_playing() and timeline.get_current_time() == pytest.approx(2 / 60) and len(moved) == 2
    timeline.stop()
    timeline.commit()
    assert not timeline.is_playing() and timeline.get_current_time() == 0.0
    sim.update()
    assert len(moved) == 2
    timeline.set_end_time(0.05)
    timeline.set_looping(False)
    timeline.play()
    sim.update(10)
    assert timeline.get_current_time() == 0.05


def test_context_holds_one_stage(sim, tmp_path):
    import omni.usd
    from pxr import Usd, UsdGeom

    context = omni.usd.get_context()
    assert UsdGeom.GetStageUpAxis(context.get_stage()) == "Z" and UsdGeom.GetStageMetersPerUnit(context.get_stage()) == 1.0
    file = tmp_path / "a.usda"
    Usd.Stage.CreateNew(str(file)).Save()
    assert context.open_stage(str(file)) and context.get_stage_url() == str(file)
    assert not context.open_stage(str(tmp_path / "missing.usda"))
    selection = context.get_selection()
    selection.set_selected_prim_paths(["/World"], False)
    assert selection.get_selected_prim_paths() == ["/World"]
    assert sim.run(context.new_stage_async())[0] and selection.get_selected_prim_paths() == []


def test_extensions_are_found_by_name(sim, tmp_path):
    import omni.kit.app

    manager = omni.kit.app.get_app().get_extension_manager()
    version = {"5.1": "1.12.27", "6.0": "1.13.27"}[sim.flavour]
    assert manager.get_enabled_extension_id("omni.replicator.core") == f"omni.replicator.core-{version}"
    assert not manager.set_extension_enabled_immediate("my.ext", True)
    sim.part(Extensions).paths["my.ext"] = str(tmp_path)
    assert manager.set_extension_enabled_immediate("my.ext", True) and manager.is_extension_enabled("my.ext")
    assert manager.get_extension_path("my.ext-1.0") == str(tmp_path)
