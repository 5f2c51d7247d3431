"""Renderers by name, work beside an application's loop, pausing, and frames that were disturbed."""

import asyncio
import threading
from dataclasses import replace

import pytest
from small_street import asset_cache, small_budget, small_rig, small_scenario, write_street
from tailgate.config.setting import Setting
from tailgate.errors import UserError
from tailgate.registry import backends
from tailgate.render.backend import StageDisturbed
from tailgate.render.raytrace import WarpBackend
from tailgate.runtime.backends import aside_of, backend_class
from tailgate.runtime.control import Control
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunSpec
from tailgate.runtime.studio import CAPTURES, Studio
from tailgate.runtime.worker import Worker, object_rows


class Guest(WarpBackend):
    """The embedded renderer as if it lived in an application whose user moves things during the first captures."""

    name, shares_loop = "guest", True
    disturbed, opened = 0, 0

    def open(self, *args):
        Guest.opened += 1
        super().open(*args)

    async def capture(self, tick=0):
        frame = await super().capture(tick)
        if Guest.disturbed:
            Guest.disturbed -= 1
            raise StageDisturbed("moved")
        return frame


@pytest.fixture
def guest():
    backends.register(Guest)
    yield Guest
    backends.unregister(Guest)
    Guest.disturbed = Guest.opened = 0


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    base = asset_cache() / "small_street.usda"
    scenario = small_scenario(base if base.is_file() else write_street(base))
    scenarios = {name: scenario.model_copy(update={"name": name}) for name in ("one", "two")}
    weights = dict.fromkeys(scenarios, 1.0)
    return RunSpec(small_budget(), scenarios, weights, small_rig(), tmp_path_factory.mktemp("run"), None, "warp", "cpu", asset_cache())


def shoot(spec, *scenarios):
    async def all_of():
        studio, settings = Studio(spec), initial_settings(spec)
        try:
            return [await studio.shoot(name, settings, i, spec.budget.cells[0]) for i, name in enumerate(scenarios)]
        finally:
            studio.close()

    return asyncio.run(all_of())


def test_stamps_follow_the_ticks_and_exposure_every_frame(spec, monkeypatch):
    """Sensors of one tick share its time whatever their rates; what a camera carries over goes through a dropped frame."""
    before, measure, deliver = [], Studio._measured, Studio._delivered

    def remember(self, frame, sample, clock, last=None):
        before.append(last.sensors["camera"].t_start if last else None)
        return measure(self, frame, sample, clock, last)

    def drop_one(self, frame, sample):
        got = deliver(self, frame, sample)
        return replace(got, sensors={"lidar": got.sensors["lidar"]}) if frame.id.tick == 1 else got

    monkeypatch.setattr(Studio, "_measured", remember)
    monkeypatch.setattr(Studio, "_delivered", drop_one)
    slow = {"one": spec.scenarios["one"].model_copy(update={"ticks": 3, "tick_s": 0.25})}
    rig = replace(spec.rig, sensors={n: replace(s, model=s.model.model_copy(update={"rate_hz": 20.0})) for n, s in spec.rig.sensors.items()})
    (take,) = shoot(replace(spec, scenarios=slow, rig=rig), "one")
    quarter = 250_000_000
    assert [f.sensors["lidar"].t_start for f in take.frames] == [0, quarter, 2 * quarter] == [f.id.tick * quarter for f in take.frames]
    assert take.frames[2].sensors["camera"].t_start == 2 * quarter and "camera" not in take.frames[1].sensors
    assert take.frames[2].sensors["lidar"].t_end - 2 * quarter == 50_000_000
    assert before[-2:] == [0, quarter]


def test_a_tick_that_no_sensor_came_of_leaves_no_frame(spec, tmp_path, monkeypatch):
    plain = Studio._delivered

    def drop_all(self, frame, *more):
        return replace(plain(self, frame, *more), sensors={}) if frame.id.tick == 1 else plain(self, frame, *more)

    monkeypatch.setattr(Studio, "_delivered", drop_all)
    longer = {"one": spec.scenarios["one"].model_copy(update={"ticks": 3})}
    settings = {address: setting.model_dump(mode="json") for address, setting in initial_settings(replace(spec, scenarios=longer)).items()}
    (tmp_path / "evidence").mkdir()
    worker = Worker(replace(spec, scenarios=longer, out=tmp_path))
    job = {"index": 0, "round": 0, "scenario": "one", "cell": spec.budget.cells[0].name, "settings": settings}
    try:
        made = asyncio.run(worker.run(job))
    finally:
        worker.close()
    assert not made["codes"] and [record["tick"] for record in made["frames"]] == [0, 2]


def test_drops_change_nothing_of_what_is_drawn(spec):
    """A lost message says nothing of the scene: the same clip is taken, and one of which nothing came says so."""
    lost = Setting.model_validate({"role": "pinned", "dist": {"kind": "constant", "value": 1.0}})

    def rig(*names):
        models = {n: s.model for n, s in spec.rig.sensors.items()}
        models |= {n: models[n].model_copy(update={"response": {**models[n].response, "dropped": lost}}) for n in names}
        return replace(spec.rig, sensors={n: replace(s, model=models[n]) for n, s in spec.rig.sensors.items()})

    (whole,), (blind,), (empty,) = (shoot(replace(spec, rig=rig(*names)), "one") for names in ((), ("camera",), ("camera", "lidar")))
    drawn = [{a: v for a, v in take.sample.draws.items() if not a.endswith(".dropped")} for take in (whole, blind, empty)]
    assert drawn[0] == drawn[1] == drawn[2] and whole.attempts == blind.attempts == empty.attempts
    assert (whole.codes, whole.dropped(), blind.dropped()) == ([], [], ["camera"])
    assert (empty.codes, empty.dropped()) == (["dropped"], ["camera", "lidar"])
    assert alike(replace(whole, frames=[whole.measured]), replace(empty, frames=[empty.measured]))
    (row, *_), unseen = object_rows(whole.frames[0], {}), object_rows(blind.frames[0], {}, "camera")
    assert row["visible"] == whole.measured.sensors["camera"].view.visible[0] and row["alone"] > 0
    assert all(row["visible"] == row["alone"] == 0 for row in unseen) and sum(row["lidar_hits"] for row in unseen) > 0


def alike(one, other):
    a, b = (take.frames[0].sensors["camera"].channels for take in (one, other))
    return all((a[name] == b[name]).all() for name in {*a, *b})


def test_names():
    assert backend_class("warp") is WarpBackend
    with pytest.raises(UserError, match="unknown backend 'wrap'.*warp"):
        backend_class("wrap")
    with pytest.raises(UserError, match="--device must be cpu or cuda:N, got 'gpu'"):
        WarpBackend.check("gpu")


def test_a_guest_gives_the_same_frames_one_scene_at_a_time(spec, guest):
    alone = shoot(spec, "one", "two", "one")
    beside = shoot(replace(spec, backend="guest"), "one", "two", "one")
    assert [t.sample for t in alone] == [t.sample for t in beside]
    assert all(alike(a, b) for a, b in zip(alone, beside, strict=True))
    assert guest.opened == 3


def test_a_disturbed_frame_is_taken_again(spec, guest):
    own = replace(spec, backend="guest")
    calm = shoot(own, "one")[0]
    guest.disturbed = CAPTURES - 1
    again = shoot(own, "one")[0]
    assert again.sample == calm.sample and alike(again, calm)
    guest.disturbed = 10_000
    with pytest.raises(UserError, match="must be left alone"):
        shoot(own, "one")


def test_work_goes_to_a_thread_only_beside_a_shared_loop(guest):
    async def threads():
        return [await aside_of(name)(threading.get_ident) for name in ("warp", "guest")]

    here, elsewhere = asyncio.run(threads())
    assert here == threading.get_ident() != elsewhere


def test_a_cancelled_caller_waits_for_its_thread(guest):
    done = threading.Event()

    async def cancelled():
        task = asyncio.ensure_future(aside_of("guest")(lambda: done.wait(0.2) or done.set()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return done.is_set()

    assert asyncio.run(cancelled())


def test_a_paused_run_waits():
    async def steps():
        control, seen = Control(), []

        async def work():
            for i in range(3):
                await control.ready()
                seen.append(i)
                if i == 0:
                    control.pause()

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0.01)
        held = list(seen), control.paused and control.resting
        control.resume()
        await task
        assert not control.resting
        return held, seen

    assert asyncio.run(steps()) == (([0], True), [0, 1, 2])


def test_a_class_imported_anew_takes_its_place():
    from tailgate.registry import Registry

    def made(module: str) -> type:
        return type("Plugin", (), {"name": "one", "__module__": module})

    registry = Registry("plugin", "tailgate.none")
    old, new = made("package.a"), made("package.a")
    registry.register(old)
    registry.register(old)
    assert registry.register(new) is registry.get("one") is new
    with pytest.raises(ValueError, match="'one' is registered twice: package.a and package.b"):
        registry.register(made("package.b"))
