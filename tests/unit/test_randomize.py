"""Contexts, views, queries, settings, priors and conditions against analytic answers."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from small_street import ALL, draw, open_small, shared, small_budget, small_rig, small_scenario
from tailgate.config.budget import Prior
from tailgate.errors import UserError
from tailgate.frames import FrameId, Sample
from tailgate.randomize.draw import ClipRequest, first_context, own_settings, streams
from tailgate.randomize.protocol import Placed, Setup
from tailgate.randomize.queries import box_of, may_hide, overlaps
from tailgate.randomize.scenario import make_randomizers, resolve_settings
from tailgate.randomize.slots import class_labels, wanted_classes
from tailgate.randomize.views import RigViews
from tailgate.render.raytrace.motion import carried_on
from tailgate.rng import rng
from tailgate.runtime.fit import _own
from tailgate.stage.contexts import Context
from tailgate_randomizers.camera import MOTION
from tailgate_randomizers.distractors import put_beside
from tailgate_randomizers.placement import from_quantiles, prior_size
from tailgate_randomizers.standing import fitting, habit_of
from tailgate_randomizers.sun_sky import blackbody, direct_light, light_of, sun_matrix
from tailgate_randomizers.weather import Conditions

NO_TRIANGLES = np.zeros((0, 3), np.int64)
BEND = Context("bend", "lane", 3.0, np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 1]]), NO_TRIANGLES)
SQUARE = Context("top", "surface", 1.0, np.array([[0.0, 0, 0.7], [2, 0, 0.7], [2, 1, 0.7], [0, 1, 0.7]]), np.array([[0, 1, 2], [0, 2, 3]]))


def generator(seed: int = 0) -> np.random.Generator:
    return rng(seed, "", 0, 0, 0, "test")


def slot_of(asset_class: str):
    return next(s for s in shared().slots if s.asset_class == asset_class)


def test_a_spline_gives_points_headings_and_offsets():
    xyz, yaw = BEND.at(np.array([4.0, 10 + np.sqrt(101) / 2]), np.array([1.0, 0.5]))
    assert np.allclose(xyz, [[4, 1, 0], [9.5, 5, 0.5]]) and np.allclose(yaw, [0, 90])
    assert BEND.nearest(np.array([4.0, 1.0, 0])) == pytest.approx((4.0, 1.0))
    assert BEND.nearest(np.array([12.0, 5.0, 0])) == pytest.approx((10 + np.sqrt(101) / 2, -2.0))
    assert BEND.area == pytest.approx((10 + np.sqrt(101)) * 3)


def test_scatter_is_uniform_over_a_surface_and_stays_on_it():
    xyz, _ = SQUARE.scatter(generator(), 4000)
    assert SQUARE.contains(xyz).all() and np.allclose(xyz[:, 2], 0.7) and SQUARE.area == pytest.approx(2.0)
    assert np.allclose(xyz[:, :2].mean(0), [1.0, 0.5], atol=0.04) and np.allclose(xyz[:, :2].std(0) * np.sqrt(12), [2.0, 1.0], atol=0.05)
    assert not SQUARE.contains(np.array([[2.1, 0.5, 0.7], [1.0, -0.1, 0.7]])).any()


def test_a_view_is_the_camera_frustum():
    views = RigViews(small_rig())
    rig = np.eye(4)
    assert views.primary == "camera" and np.allclose(views.eye(rig), [1, 0, 1.6])
    edge = np.tan(np.arctan(160 / 260)) * 10
    points = np.array([[11.0, 0, 1.6], [11.0, 0.85 * edge, 1.6], [11.0, 1.05 * edge, 1.6], [-9.0, 0, 1.6]])
    assert views.in_view(rig, points).tolist() == [True, True, False, False]
    assert np.allclose(views.ranges(rig, points[:1]), 10.0)


def test_ground_is_found_below_and_just_above():
    z = shared().queries.ground(np.array([[0.0, 0, 0.3], [0.0, 4.5, 0.0], [0.0, 40.0, 0.2]]))
    assert np.allclose(z, [0.0, 0.15, 0.2], atol=1e-6)


def test_a_car_through_the_wall_is_refused_and_so_is_one_on_the_kerb():
    car = slot_of("car")
    queries = shared().queries
    assert not queries.hits_base(car, (0, 0, 0, 0)) and queries.hits_base(car, (0, 6.0, 0, 0))
    assert queries.stands_flat(car, (0, 0, 0, 0)) and not queries.stands_flat(car, (0, 3.4, 0, 0))


def test_visible_share_of_a_person_behind_a_car():
    person, car = slot_of("person"), slot_of("car")
    eye, queries = np.array([0.0, 0.0, 1.6]), shared().queries
    target = Placed(person, ((15.0, 0, 0, 0),), "target")
    assert queries.visible_share(eye, target, ()) == pytest.approx(1.0)
    before = Placed(car, ((12.0, 0, 0, 90),), "occluder")
    hidden = 1 - queries.visible_share(eye, target, (before,))
    cut = 1.6 + (car.size[2] - 1.6) * 15 / 12
    assert hidden == pytest.approx(cut / person.size[2], abs=0.12)
    assert queries.visible_share(eye, target, (Placed(car, ((18.0, 0, 0, 90),), "other"),)) == pytest.approx(1.0)
    assert may_hide(before, target, eye) and not may_hide(Placed(car, ((12.0, 9, 0, 0),), "other"), target, eye)


class Zero:
    """Draws 0 for every setting."""

    draws: ClassVar[dict] = {}

    def __call__(self, name):
        return 0.0


@pytest.mark.parametrize(("weather", "name"), [("fog", "visibility_m"), ("rain", "rain_mm_h"), ("snow", "snow_mm_h")])
def test_weather_without_a_meaning_is_named(weather, name):
    ctx = SimpleNamespace(cell=SimpleNamespace(weather=weather), drawing=lambda streams: Zero())
    with pytest.raises(UserError, match=f"setting {name} of weather.conditions must be above 0, got 0"):
        Conditions.sample(None, ctx, None)


def test_overlap_follows_the_boxes_over_all_ticks():
    car = slot_of("car")
    other = [Placed(car, ((0.0, 0, 0, 0),), "other")]
    length, width = car.size[:2]
    assert overlaps(car, ((length - 0.01, 0, 0, 0),), other, 0.0) and not overlaps(car, ((length + 0.01, 0, 0, 0),), other, 0.0)
    assert overlaps(car, ((0, width + 0.03, 0, 0),), other, 0.05) and not overlaps(car, ((0, 0, 5.0, 0),), other)
    assert overlaps(car, ((0, 20.0, 0, 0), (0, 10.0, 0, 0), (0, 1.0, 0, 0)), other)
    assert np.allclose(box_of(car, (3, 4, 0, 90)).T_world_box[2, 3], (car.shape.low[2] + car.shape.high[2]) / 2)


def test_what_is_put_beside_touches_and_does_not_cut():
    opened = shared()
    ctx = first_context(opened, _request(opened))
    car, bicycle = slot_of("car"), slot_of("bicycle")
    standing = Placed(car, ((5.0, 0.0, 0.0, 0.0),), "other")
    ctx = replace(ctx, placed=(standing,))
    placed = [p for p in (put_beside(ctx, bicycle, standing, generator(i)) for i in range(12)) if p]
    assert placed
    for p in placed:
        assert not overlaps(bicycle, p.poses, (standing,), 0.0) and overlaps(bicycle, p.poses, (standing,), 0.002)


def _request(opened, cell=None, index=0):
    from tailgate.randomize.draw import ClipRequest

    return ClipRequest(0, index, 0, cell, opened.budget.seed)


def test_targets_stand_in_their_interval_and_view_on_the_ground():
    opened = shared()
    for index in range(6):
        sample = draw(opened, index, 0)
        rig = np.array(sample.values["camera.rig_pose"]["poses"][0])
        slots = {s.name: s for s in opened.slots}
        for entry in sample.values["placement.contexts"]["objects"]:
            centre = box_of(slots[entry["slot"]], entry["poses"][0]).T_world_box[:3, 3]
            assert 6 <= opened.views.ranges(rig, centre[None])[0] <= 20 and opened.views.in_view(rig, centre[None])[0]
            assert entry["context"].startswith("sidewalk") and entry["poses"][0][2] == pytest.approx(0.15, abs=1e-4)


def test_blockers_hide_the_wanted_share():
    opened = shared()
    slots = {s.name: s for s in opened.slots}
    shares = []
    for index in range(8):
        sample = draw(opened, index, 1)
        eye = opened.views.eye(np.array(sample.values["camera.rig_pose"]["poses"][0]))
        everything = [
            Placed(slots[e["slot"]], tuple(tuple(p) for p in e["poses"]), e["role"])
            for name in ("placement.contexts", "occlusion.blockers", "distractors.scatter")
            for e in sample.values[name]["objects"]
        ]
        targets = [p for p in everything if p.role == "target"]
        shares += [1 - opened.queries.visible_share(eye, t, everything) for t in targets]
    inside = [0.3 <= s <= 0.7 for s in shares]
    assert len(shares) >= 8 and np.mean(inside) >= 0.7


def test_objects_follow_their_context_at_their_speed():
    opened = open_small(ticks=4, tick_s=0.5)
    try:
        for index in range(4):
            sample = draw(opened, index, 2)
            speeds = {k.split("@")[1]: v for k, v in sample.draws.items() if "placement.contexts/drive_m_s@" in k}
            for entry in sample.values["placement.contexts"]["objects"]:
                poses = np.array(entry["poses"])
                step = np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=1)
                assert len(poses) == 4 and np.allclose(step[0], speeds[entry["slot"]] * 0.5, atol=1e-3)
    finally:
        opened.close()


def test_classes_stand_where_they_belong():
    parking = Context("parking_right", "parking", 2.2, np.array([[0.0, -5, 0], [40, -5, 0]]), NO_TRIANGLES)
    street = (*shared().contexts, parking)
    kinds = {name: {c.kind for c in fitting(habit_of(name, street, {}), street)} for name in ("person", "car", "cyclist", "sign", "bicycle")}
    assert kinds == {
        "person": {"sidewalk"},
        "car": {"lane", "parking"},
        "cyclist": {"lane"},
        "sign": {"sidewalk"},
        "bicycle": {"sidewalk"},
    }
    assert {c.kind for c in fitting(habit_of("person", street, {"person": ["lane"]}), street)} == {"lane"}
    table = replace(SQUARE, name="table_top")
    assert fitting(habit_of("mug", (SQUARE, table, BEND), {}), (SQUARE, table, BEND)) == [table]


@pytest.mark.parametrize(
    ("elevation", "cloud", "light"), [(-7, 0, "night"), (-5.9, 1, "dusk"), (7.9, 0, "dusk"), (8, 0.69, "day"), (40, 0.7, "overcast")]
)
def test_light_is_decided_from_elevation_and_cloud(elevation, cloud, light):
    assert light_of(elevation, cloud) == light


def test_sun_light_is_one_at_the_zenith_and_reddens_towards_the_horizon():
    assert direct_light(90.0)[0] == pytest.approx(1.0, abs=1e-3) and direct_light(-2.0)[0] == 0.0
    strengths = [direct_light(e)[0] for e in (2, 8, 20, 45, 90)]
    assert strengths == sorted(strengths) and direct_light(3)[1] < direct_light(40)[1]
    red, _, blue = blackbody(2700)
    assert red == 1.0 and blue < 0.2 and max(abs(np.array(blackbody(6600)) - 1)) < 0.03
    towards = np.array(sun_matrix(30, 90))[:3, 2]
    assert np.allclose(towards, [0, np.cos(np.pi / 6), 0.5]) and np.isclose(np.linalg.det(np.array(sun_matrix(30, 90))[:3, :3]), 1)


def test_conditions_and_hints_follow_the_cell():
    sample = draw(shared(), 3, 1)
    assert sample.conditions == {"light": "dusk", "weather": "rain"} and 0 < sample.hints["fog_extinction"] < 0.003
    fog = small_budget(cells=[{"class": "person", "weather": "fog", "light": "night", "target": 1}]).cells[0]
    from tailgate.randomize.draw import draw_sample

    sample = draw_sample(shared(), shared().settings, _request(shared(), fog))
    assert sample.conditions == {"light": "night", "weather": "fog"} and 3.9 / 800 <= sample.hints["fog_extinction"] <= 3.92 / 50
    assert sample.values["lighting.sun_sky"]["sun"]["intensity"] == 0 and sample.values["lighting.sun_sky"]["lamps"]["intensity"] > 0


def test_a_sample_is_plain_data_and_comes_back_equal():
    import json

    sample = draw(shared(), 4, 1)
    assert Sample.from_json(json.loads(json.dumps(sample.to_json()))) == sample


def test_quantiles_and_sizes_of_a_prior():
    values = (2.0, 4.0, 6.0, 10.0, 20.0)
    drawn = np.array([from_quantiles(values, generator(i)) for i in range(800)])
    assert drawn.min() >= 2 and drawn.max() <= 20 and np.median(drawn) == pytest.approx(6.0, abs=0.5)
    assert from_quantiles(None, generator()) is None and from_quantiles((1.0, 2.0), generator()) is None
    prior = Prior(n=100, length=(1.0, 1, 1, 1, 1), width=(0.5, 0.5, 0.5, 0.5, 0.5), height=(2.0, 2, 2, 2, 2))
    assert np.allclose(prior_size(prior, generator()), [1, 0.5, 2]) and prior_size(prior.model_copy(update={"n": 5}), generator()) is None


def test_a_prior_sets_the_distance_where_the_cell_does_not():
    from tailgate.randomize.draw import draw_sample

    opened = open_small()
    try:
        prior = Prior(n=50, range=(11.9, 12.0, 12.1, 12.2, 12.3))
        opened.budget = small_budget(priors={"person": prior.model_dump()}, cells=[{"class": "person", "target": 1}])
        for index in range(4):
            sample = draw_sample(opened, opened.settings, _request(opened, opened.budget.cells[0], index))
            rig = np.array(sample.values["camera.rig_pose"]["poses"][0])
            for entry in sample.values["placement.contexts"]["objects"]:
                slot = next(s for s in opened.slots if s.name == entry["slot"])
                centre = box_of(slot, entry["poses"][0]).T_world_box[:3, 3]
                assert 11 < opened.views.ranges(rig, centre[None])[0] < 13.5
            assert not any("placement.contexts/range_m" in address for address in sample.draws)
    finally:
        opened.close()


def test_scenario_file_replaces_defaults_and_unknown_names_get_a_suggestion(tmp_path):
    def resolved(**use):
        scenario = small_scenario(tmp_path / "x.usda", randomizers=[{"use": "weather.conditions", **use}])
        return resolve_settings(scenario, make_randomizers(scenario, small_budget(), small_rig()))

    changed = resolved(settings={"visibility_m": {"dist": {"kind": "constant", "value": 100}}})
    assert changed["small/weather.conditions/visibility_m"].dist.value == 100 and "small/weather.conditions/weather" in changed
    with pytest.raises(UserError, match="visibility_m"):
        resolved(settings={"visibilty": {"dist": {"kind": "constant", "value": 100}}})
    with pytest.raises(UserError, match="unknown option"):
        resolved(options={"colour": 1})
    with pytest.raises(UserError, match=r"randomizers\[0\].*weather.conditions"):
        make_randomizers(small_scenario(tmp_path / "x.usda", randomizers=[{"use": "weather.condition"}]), small_budget(), small_rig())
    with pytest.raises(UserError, match="twice"):
        make_randomizers(small_scenario(tmp_path / "x", randomizers=[{"use": ALL[0]}, {"use": ALL[0]}]), small_budget(), small_rig())


class Constant:
    """Draws one value."""

    draws: ClassVar[dict] = {}

    def __call__(self, name):
        return 0.01


def test_response_settings_come_from_the_sensor_models():
    opened = shared()
    assert opened.settings["small/sensor_noise.response/lidar.noise_sigma"].role == "calibrated"
    sample = draw(opened, 0)
    assert 0.005 <= sample.sensors["lidar"]["noise_sigma"] <= 0.05 and sample.sensors["camera"] == {}
    assert sample.draws["small/sensor_noise.response/lidar.noise_sigma"] == sample.sensors["lidar"]["noise_sigma"]


def test_a_sensor_whose_name_holds_a_dot_draws_its_response():
    rig = small_rig()
    rig = replace(rig, sensors={"roof.camera": rig.sensors["camera"], "roof.lidar": rig.sensors["lidar"]})
    scenario = small_scenario("x.usda", randomizers=[{"use": "sensor_noise.response"}])
    (response,) = make_randomizers(scenario, small_budget(), rig)
    drawing = SimpleNamespace(settings=response.defaults(), drawing=lambda streams: Constant())
    assert response.sample(drawing, None).sensors == {"roof.camera": {}, "roof.lidar": {"noise_sigma": 0.01}}
    assert list(_own({"small/sensor_noise.response/roof.lidar.noise_sigma": None}, "roof.lidar")) == ["noise_sigma"]


def test_labels_and_wanted_classes_are_deterministic_and_follow_the_ontology():
    opened = shared()
    assert opened.labels["background"] == 0 and sorted(opened.labels.values()) == list(range(len(opened.labels)))
    assert list(opened.labels)[1:3] == ["person", "cyclist"] and {"road", "building"} <= set(opened.labels)
    assert [s.instance for s in opened.slots] == list(range(1, len(opened.slots) + 1))
    assert class_labels(opened.slots, ["road"]) == class_labels(opened.slots, ["road"])
    ontology = {"Pedestrian": {"asset": "person"}, "Auto": {"asset": "car", "output": "Car"}}
    budget = small_budget(ontology=ontology, cells=[{"class": "Pedestrian", "target": 1}])
    wanted = wanted_classes(small_scenario("x.usda", distractors=["vehicle", "person", "dog"]), budget, ["car"])
    assert [(w.asset_class, w.output_class) for w in wanted] == [("person", "Pedestrian"), ("car", "Car"), ("dog", "dog")]


def test_rain_darkens_and_smooths_the_road():
    opened = open_small()
    try:
        surfaces = next(r for r in opened.randomizers if r.name == "materials.surfaces")
        road = next(i for i, e in enumerate(surfaces._base) if e.part.name == "asphalt")
        ctx = first_context(opened, _request(opened))
        from tailgate.randomize.draw import streams

        own = own_settings(opened, opened.settings, surfaces)
        dry, wet = (
            surfaces.sample(replace(ctx, settings=own, given=g), streams(opened, _request(opened), surfaces)).values["scene"][road]
            for g in ({}, {"wet": True, "weather": "rain"})
        )
        assert max(wet[:3]) < max(dry[:3]) and wet[3] < dry[3] and wet[4] < dry[4]
    finally:
        opened.close()


def test_a_conditional_without_its_parent_is_the_users_mistake(tmp_path):
    from tailgate.randomize.draw import draw_one, streams

    opened = shared()
    weather = Conditions(Setup({}, opened.scenario, opened.budget, opened.rig))
    conditional = {"kind": "conditional", "parent": "season", "cases": {"winter": {"kind": "constant", "value": "snow"}}}
    settings = {**weather.defaults(), "weather": {"dist": conditional}}
    from tailgate.config.setting import Setting

    settings["weather"] = Setting.model_validate(settings["weather"])
    ctx = replace(first_context(opened, _request(opened)), settings=settings)
    with pytest.raises(UserError, match="season"):
        draw_one(weather, ctx, streams(opened, _request(opened), weather))


@pytest.mark.parametrize("ticks, options, moves", [(3, {}, True), (3, {"moving": False}, False), (1, {}, False), (1, {"moving": True}, True)])
def test_a_moving_rig_moves_within_its_ticks(ticks, options, moves):
    """Sweeps, exposures and readouts get the speed that the rig has between ticks; it is that of the path, which this one follows straight."""
    opened = open_small(ticks=ticks, tick_s=0.1, randomizers=[{"use": "camera.rig_pose", "options": options}])
    speeds = []
    for index in range(8):
        sample = draw(opened, index)
        assert set(sample.hints) == (set(MOTION) if moves else set())
        if moves:
            speeds.append(sample.hints["ego_speed"][0])
            way = np.diff([T[0][3] for T in sample.values["camera.rig_pose"]["poses"]])
            assert sample.hints["ego_yaw_rate"] == [0.0] * ticks and np.allclose(way, 0.1 * np.array(sample.hints["ego_speed"][:-1]), atol=1e-5)
    assert not moves or max(speeds) > 2 * min(speeds) > 0


@pytest.mark.parametrize("points", [BEND.points, np.array([[0.0, 0, 0], [9, 0, 0]]), np.array([[5.0, 2, 0], [-5, 2, 0], [-9, 5, 0]])])
def test_a_rig_ends_each_tick_where_the_next_one_starts(points):
    """Looking aside, tilted, beside the middle of its path, round bends and standing at the end: what moves it within a tick leads to the next."""
    opened = open_small(ticks=6, tick_s=0.4, randomizers=[{"use": "camera.rig_pose"}])
    (rig_pose,) = opened.randomizers
    request, stood = ClipRequest(0, 0, 0, None, 7), 0
    mounted = small_rig().sensors["camera"]
    for index in range(6):
        request = replace(request, index=index)
        path = Context("way", "ego", 3.0, points, NO_TRIANGLES)
        ctx = replace(first_context(opened, request), contexts=(path,), settings=own_settings(opened, opened.settings, rig_pose))
        drawn = rig_pose.sample(ctx, streams(opened, request, rig_pose))
        sample = Sample(FrameId("s", 0, index), hints=drawn.hints)
        for tick, (T, following) in enumerate(pairwise(drawn.rig_poses)):
            led = carried_on(mounted, T @ mounted.T_rig_sensor, sample.at(tick).hints, ctx.tick_s) @ np.linalg.inv(mounted.T_rig_sensor)
            np.testing.assert_allclose(led, following, atol=1e-5)
            stood += sample.at(tick).hints.get("ego_speed") == 0.0
    assert stood


def test_hints_of_a_tick_are_numbers():
    sample = Sample(FrameId("s", 0, 0), hints={"ego_speed": [1.0, 2.0], "fog_extinction": 0.1})
    assert [sample.at(tick).hints["ego_speed"] for tick in range(3)] == [1.0, 2.0, 2.0] and sample.at(1).hints["fog_extinction"] == 0.1
