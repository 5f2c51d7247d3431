"""Captures: who may block, what is rendered, how time passes."""

import pytest
from scene import CAMERA, SIZE, street
from standin import NoBehaviour, standin


@pytest.fixture
def rep(sim):
    """Replicator with a render product of the street's camera and its annotator."""
    import omni.replicator.core as rep

    sim.use_stage(street())
    rep.orchestrator.set_capture_on_play(False)
    rep.product = rep.create.render_product(CAMERA, SIZE)
    rep.depth = rep.annotators.get("distance_to_camera").attach(rep.product)
    yield rep
    rep.depth.detach()
    rep.product.destroy()


def test_blocking_calls_raise_inside_kit(sim, rep):
    for name in ("step", "wait_until_complete", "run_until_complete"):
        with pytest.raises(rep.orchestrator.OrchestratorError, match=f"await {name}_async"):
            getattr(rep.orchestrator, name)()


def test_subframes_are_ticks_of_one_capture(sim, rep):
    sim.run(rep.orchestrator.step_async(delta_time=0.0))
    before = sim.rendered_frames[rep.product.path]
    sim.run(rep.orchestrator.step_async(rt_subframes=5, delta_time=0.0))
    assert sim.rendered_frames[rep.product.path] - before in (5, 6)
    rep.product.hydra_texture.set_updates_enabled(False)
    before = sim.rendered_frames[rep.product.path]
    sim.update(4)
    assert sim.rendered_frames[rep.product.path] == before


def test_status_goes_round(sim, rep):
    seen = []
    registered = rep.orchestrator.register_status_callback(lambda status: seen.append(status.name))
    sim.run(rep.orchestrator.step_async())
    assert rep.orchestrator.get_status().name == "STEPPED"
    sim.run(rep.orchestrator.wait_until_complete_async())
    registered.unregister()
    assert seen == ["STARTING", "INITIALIZING", "STEPPING", "STEPPED", "STOPPING", "STOPPED"] and rep.orchestrator.get_is_stopped()


def test_time_passes_as_asked(sim, rep):
    import omni.timeline

    timeline = omni.timeline.get_timeline_interface()

    def after(**how) -> float:
        sim.run(rep.orchestrator.step_async(rt_subframes=3, **how))
        return round(timeline.get_current_time() * 60)

    assert after(delta_time=0.5) == 0, "the first capture does not advance"
    assert after(delta_time=0.5) == 30
    assert after(delta_time=0.0) == 30
    timeline.play()
    sim.update(2)
    start = round(timeline.get_current_time() * 60)
    assert after(pause_timeline=False) in (start + 1, start + 2)
    assert timeline.is_playing()
    after(pause_timeline=True, delta_time=0.0)
    assert not timeline.is_playing()


def test_no_delta_after_a_number_and_a_stop_fails_in_5_1(sim, rep):
    sim.run(rep.orchestrator.step_async(delta_time=0.1))
    sim.run(rep.orchestrator.wait_until_complete_async())
    if sim.flavour == "5.1":
        with pytest.raises(TypeError, match="delta_time"):
            sim.run(rep.orchestrator.step_async())
    else:
        sim.run(rep.orchestrator.step_async())


def test_waiting_resets_capture_on_play(sim, rep):
    from standin.orchestrator import Orchestrator

    sim.run(rep.orchestrator.step_async())
    sim.run(rep.orchestrator.wait_until_complete_async())
    assert sim.part(Orchestrator).capture_on_play, "the persistent setting is back"


def test_two_steps_at_once_and_unknown_ways_are_refused(sim, rep):
    import asyncio

    async def both() -> None:
        await asyncio.gather(rep.orchestrator.step_async(rt_subframes=3), rep.orchestrator.step_async())

    with pytest.raises(rep.orchestrator.OrchestratorError, match="under way"):
        sim.run(both())
    sim.update(6)
    with pytest.raises(NoBehaviour, match="wait_for_render"):
        sim.run(rep.orchestrator.step_async(wait_for_render=False))


def test_path_tracing_needs_samples(sim, rep):
    rep.settings  # noqa: B018
    import carb.settings

    carb.settings.get_settings().set("/rtx/rendermode", "PathTracing")
    with pytest.raises(rep.orchestrator.OrchestratorError, match="totalSpp"):
        sim.run(rep.orchestrator.step_async())


def test_standalone_blocks_outside_a_loop_only():
    with standin("6.0", mode="standalone"):
        from isaacsim import SimulationApp

        app = SimulationApp({"headless": True, "fast_shutdown": False})
        import omni.replicator.core as rep

        rep.orchestrator.step(rt_subframes=2)

        async def inside() -> None:
            rep.orchestrator.step()

        with pytest.raises(rep.orchestrator.OrchestratorError):
            app.run_coroutine(inside())
        app.close()
