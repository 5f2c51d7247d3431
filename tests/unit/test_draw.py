"""Pictures show what the arrays hold: colours, places and sizes are checked on scenes whose answer is known."""

from __future__ import annotations

import copy
from dataclasses import replace

import handmade
import numpy as np
import pytest
from PIL import Image
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.report import ablation, draw, sheet
from tailgate.report.palette import LOST, VOID, class_colors, color_map, fit, font, oklch, plain
from tailgate.report.topview import Window, top_view


@pytest.fixture(scope="module")
def frame() -> Frame:
    return handmade.frame()


def lidar_of(distance: np.ndarray, azimuth: np.ndarray, elevation: np.ndarray, **channels) -> SensorFrame:
    """A scan without objects at the world's origin."""
    none = np.zeros(0)
    view = ObjectView(np.zeros((0, 4)), np.zeros((0, 4)), none, none, none, none, none)
    data = {"range": distance[..., None].astype(np.float32), "azimuth": azimuth, "elevation": elevation, "ring": np.arange(len(distance)), **channels}
    return SensorFrame("lidar", data, np.stack([np.eye(4)] * 2), 0, 0, view)


def of(sensor: SensorFrame, labels: dict[str, int] | None = None) -> Frame:
    objects = Objects(np.zeros(0, np.int32), [], np.zeros((0, 4, 4)), np.zeros((0, 3)), [])
    return Frame(FrameId("s", 0, 0), {"top": sensor}, objects, labels or {})


def test_oklch_knows_white_black_and_grey():
    assert oklch(1, 0, 0) == (255, 255, 255)
    assert oklch(0, 0, 0) == (0, 0, 0)
    assert len(set(oklch(0.5, 0, 123))) == 1


def test_class_colors_are_stable_distinct_and_order_free():
    names = ["car", "pedestrian", "wheelchair_user", "traffic_cone", "cyclist", "building", "stroller", "dog"]
    colors = class_colors(names)
    assert colors == class_colors(reversed(names))
    assert class_colors(["car"]) == class_colors(["car", "car"])
    gaps = [np.linalg.norm(np.subtract(colors[a], colors[b])) for i, a in enumerate(names) for b in names[:i]]
    assert min(gaps) > 60
    assert len(set(class_colors([f"class{i}" for i in range(24)]).values())) == 24
    assert len(class_colors([f"class{i}" for i in range(60)])) == 60


def test_frames_of_different_label_sets_share_one_palette(frame):
    other = copy.deepcopy(frame)
    other.labels = {"background": 0, "stroller": 1, "car": 2}
    other.objects.class_name = ["car"] * len(other.objects)
    first, second = draw.alike([frame, other])
    assert draw.frame_colors(first) == draw.frame_colors(second)
    assert "background" not in draw.frame_colors(second) and second.labels["car"] == 2 and first.labels["stroller"] == -1
    assert "stroller" not in frame.labels


def test_color_map_clips_and_marks_what_is_missing():
    out = color_map(np.array([[np.nan, -5.0, 0.0, 1.0, 7.0]]))
    assert tuple(out[0, 0]) == VOID
    assert (out[0, 1] == out[0, 2]).all() and (out[0, 3] == out[0, 4]).all()
    lightness = color_map(np.linspace(0, 1, 256)[None])[0].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -1).all()


def test_depth_is_bright_near_and_dark_where_invalid():
    none = np.zeros(0)
    view = ObjectView(np.zeros((0, 4)), np.zeros((0, 4)), none, none, none, none, none)
    distance = np.array([[1.0, 10.0, np.inf, 0.0]], dtype=np.float32)
    camera = SensorFrame("camera", {"distance_to_image_plane": distance}, np.stack([np.eye(4)] * 2), 0, 0, view)
    image = draw.depth(camera)
    assert image[0, 0].sum() > image[0, 1].sum()
    assert tuple(image[0, 2]) == tuple(image[0, 3]) == VOID


def test_limits_share_is_logarithmic():
    limits = draw.Limits(1.0, 100.0)
    np.testing.assert_allclose(limits.share(np.array([1.0, 10.0, 100.0, 1000.0])), [1, 0.5, 0, 0])
    assert np.isnan(limits.share(np.array([0.0, np.inf, np.nan]))).all()
    assert draw.Limits.of(np.zeros(3)) == draw.Limits(1.0, 100.0)


def test_semantic_uses_the_palette(frame):
    image = draw.semantic(frame.sensors["front"], frame.labels)
    ids = frame.sensors["front"].channels["semantic_segmentation"]
    inside = (ids == frame.labels["building"]) & ~draw.edges(frame.sensors["front"].channels["instance_segmentation"])
    assert inside.any() and (image[inside] == class_colors(frame.labels)["building"]).all()


def test_labels_with_huge_ids_need_no_huge_table():
    ids = np.array([[0, 4_000_000_000, 7]], dtype=np.uint32)
    image = draw.label_colors(ids, {"a": 4_000_000_000, "b": 7})
    colors = class_colors(["a", "b"])
    assert tuple(image[0, 1]) == colors["a"] and tuple(image[0, 2]) == colors["b"]


def test_overlay_draws_boxes_at_their_pixels_and_leaves_the_frame_alone(frame):
    before = frame.sensors["front"].channels["rgb"].copy()
    image = draw.overlay(frame, "front")
    assert image.shape == (192, 320, 3)
    row = frame.objects.class_name.index("traffic_cone")
    left, _, _, bottom = frame.sensors["front"].view.bbox_tight[row].astype(int)
    color = class_colors(frame.labels)["traffic_cone"]
    assert tuple(image[bottom, left]) == color
    np.testing.assert_array_equal(before, frame.sensors["front"].channels["rgb"])
    assert draw.overlay(frame, "front", 640).shape == (384, 640, 3)


def test_scan_puts_high_beams_on_top_and_left_on_the_left():
    azimuth = np.array([[-90.0, 0.0, 90.0, 180.0]] * 2)
    elevation = np.array([[-10.0] * 4, [10.0] * 4])
    distance = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    np.testing.assert_array_equal(draw.scan(lidar_of(distance, azimuth, elevation), "range"), [[8, 7, 6, 5], [4, 3, 2, 1]])


def test_scan_of_a_lidar_upside_down_is_upright():
    azimuth, elevation = np.array([[-90.0, 0.0, 90.0, 180.0]] * 2), np.array([[-10.0] * 4, [10.0] * 4])
    hung = lidar_of(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), azimuth, elevation)
    hung.T_world_sensor = np.stack([np.diag([1.0, -1, -1, 1])] * 2)
    np.testing.assert_array_equal(draw.scan(hung, "range"), [[1, 2, 3, 4], [5, 6, 7, 8]])


def test_scan_takes_the_strongest_echo():
    scan = lidar_of(np.ones((1, 2)), np.array([[10.0, 0.0]]), np.zeros((1, 2)))
    scan.channels["range"] = np.array([[[9.0, 4.0], [0.0, 6.0]]], dtype=np.float32)
    scan.channels["intensity"] = np.array([[[0.1, 0.2], [0.3, 0.4]]], dtype=np.float32)
    np.testing.assert_allclose(draw.scan(scan, "range"), [[9, 0]])
    np.testing.assert_allclose(draw.scan(scan, "intensity"), [[0.1, 0]])
    assert draw.echo_words(scan) == ", strongest echo" and not draw.echo_words(lidar_of(np.ones((1, 2)), np.zeros((1, 2)), np.zeros((1, 2))))


def test_a_narrow_panorama_shows_noise_and_losses_as_often_as_they_are():
    """What share of columns is lost, brighter or nearer, at random or in a pattern, has that share of the pixels, to four deviations."""
    width, columns = 600, 1800
    azimuth, rng = np.linspace(179, -179, columns)[None], np.random.default_rng(0)
    patterns = {"random": rng.random((16, columns)) < 0.1, "every third": np.broadcast_to(np.arange(columns) % 3 == 0, (16, columns))}
    for name, odd in patterns.items():
        tolerance = 4 * (odd.mean() * (1 - odd.mean()) / (width if name == "every third" else 16 * width)) ** 0.5
        lost = lidar_of(np.where(odd, 0.0, 20.0), azimuth, np.zeros((16, columns)), intensity=np.full((16, columns, 1), 0.5))
        near = lidar_of(np.where(odd, 5.0, 20.0), azimuth, np.zeros((16, columns)), intensity=np.where(odd, 1.0, 0.1)[..., None])
        for image in (draw.lidar_range(lost, width, 16), draw.lidar_intensity(lost, width, 16, 1.0)):
            assert (image == VOID).all(2).mean() == pytest.approx(odd.mean(), abs=tolerance), name
        for image in (draw.lidar_range(near, width, 16, draw.Limits(1, 100)), draw.lidar_intensity(near, width, 16, 1.0)):
            light = image.astype(int).sum(2)
            assert (light > light.mean()).mean() == pytest.approx(odd.mean(), abs=tolerance), name


def test_panoramas_of_an_empty_scan_are_dark():
    azimuth = np.linspace(179, -179, 8)[None]
    empty = lidar_of(np.zeros((1, 8)), azimuth, np.zeros((1, 8)), intensity=np.zeros((1, 8, 1)), semantic=np.zeros((1, 8, 1), np.uint32))
    for image in (draw.lidar_range(empty, 8, 2), draw.lidar_intensity(empty, 8, 2)):
        assert (image == VOID).all()
    assert top_view(of(empty), "top", 100, 80).shape == (80, 100, 3)


def test_window_maps_forward_up_and_left_left():
    window = Window(200, 100, 10, 0.5)
    np.testing.assert_allclose(window.pixels(np.array([[0.0, 0], [10, 0], [0, 10]])), [[100, 50], [100, 0], [50, 50]])


def test_top_view_shows_a_point_where_it_is():
    one = lidar_of(np.array([[10.0]]), np.array([[90.0]]), np.array([[0.0]]), semantic=np.ones((1, 1, 1), np.uint32))
    image = top_view(of(one, {"car": 1}), "top", 200, 200, reach=20)
    close = np.abs(image.astype(int) - np.array(class_colors(["car"])["car"])).sum(axis=2) < 60
    v, u = np.nonzero(close)
    assert abs(u.mean() - 50) <= 1.5 and abs(v.mean() - 100) <= 1.5


def test_top_view_turns_with_the_sensor():
    one = lidar_of(np.array([[10.0]]), np.array([[0.0]]), np.array([[0.0]]), semantic=np.ones((1, 1, 1), np.uint32))
    turned = copy.deepcopy(one)
    turned.T_world_sensor[:, :2, :2] = [[0, -1], [1, 0]]
    np.testing.assert_array_equal(top_view(of(one, {"car": 1}), "top", 120, 120, 20), top_view(of(turned, {"car": 1}), "top", 120, 120, 20))


def test_top_view_of_a_camera_agrees_with_that_of_a_lidar(frame):
    """The nearest wheelchair stands left of straight ahead in both."""
    camera = frame.sensors["front"]
    k: Intrinsics = camera.intrinsics
    ids, z = camera.channels["instance_segmentation"], camera.channels["distance_to_image_plane"]
    v, u = np.nonzero(ids == 1)
    x, left = z[v, u].mean() + handmade.T_RIG_CAMERA[0, 3], -((u - k.cx) / k.fx * z[v, u]).mean()
    assert abs(x - 9) < 0.8 and abs(left - 1.2) < 0.5
    assert top_view(frame, "front", 320, 240).shape == (240, 320, 3)


def test_top_view_of_a_camera_leaves_out_what_has_no_depth(frame):
    camera = frame.sensors["front"]
    k = camera.intrinsics
    camera.intrinsics = replace(k, cx=float(k.width // 2), cy=float(k.height // 2))
    camera.channels["distance_to_image_plane"] = np.where(np.arange(k.width) < k.width // 2 + 1, np.inf, 5.0) * np.ones((k.height, 1))
    with np.errstate(all="raise"):
        assert top_view(frame, "front", 320, 240).shape == (240, 320, 3)


def test_top_view_of_a_camera_without_a_pose_uses_its_own_axes(frame):
    lost, aware = copy.deepcopy(frame), copy.deepcopy(frame)
    lost.sensors["front"].T_world_sensor = np.stack([np.eye(4)] * 2)
    for f in (lost, aware):
        f.objects = of(f.sensors["front"]).objects
        f.sensors["front"].view.visible = np.zeros(0)
        f.sensors["front"].view.range = np.zeros(0)
    np.testing.assert_array_equal(top_view(lost, "front", 160, 120, 30), top_view(aware, "front", 160, 120, 30))


def test_legend_wraps_and_names_all():
    assert draw.legend({f"class_{i}": i for i in range(20)}, 300).shape[1] == 300
    assert draw.legend(["a"], 300).shape[0] < draw.legend([f"class_{i}" for i in range(20)], 300).shape[0]


def test_text_fits_its_width():
    assert plain("5–15 m × 2 → 3, z²") == "5-15 m x 2 > 3, z^2"
    short = fit("a very long cell name · 10-20 m · occluded 40%-80%", 14, 120)
    assert short.endswith("…") and font(14).getlength(short) <= 120


def test_a_scale_without_a_distance_is_none():
    nothing = np.full((2, 2), np.inf)
    assert draw.Limits.of(nothing).words(nothing) == "none" and draw.Limits(1, 10).words(nothing, np.ones((1, 1))) == "1-10 m"


def test_tags_of_one_place_do_not_cover_each_other(frame):
    """Two objects with one box: both names can be read."""
    from PIL import ImageDraw

    picture, taken = Image.new("RGB", (400, 300)), []
    for color in ((255, 0, 0), (0, 255, 0)):
        draw._tag(ImageDraw.Draw(picture), np.array([50.0, 100, 90, 140]), ("person", color), (400, 300), taken)
    (a, b), image = taken, np.asarray(picture)
    assert a[3] <= b[1] or b[3] <= a[1]
    assert (image == [255, 0, 0]).all(2).sum() == pytest.approx((image == [0, 255, 0]).all(2).sum(), rel=0.05)


@pytest.mark.parametrize("shape", [(48, 1), (1, 48), (100, 20), (480, 640)])
def test_pictures_of_narrow_images_are_boxed(shape):
    height = sheet.picture_height(shape, 290)
    assert 24 <= height <= 1.5 * 290
    image = sheet.boxed(lambda w, h: np.full((h, w, 3), 200, np.uint8), shape)(290, height)
    assert image.shape == (height, 290, 3)
    rows, columns = np.nonzero((image == 200).all(2))
    assert (np.ptp(columns) + 1) / (np.ptp(rows) + 1) == pytest.approx(shape[1] / shape[0], rel=0.3)


def test_intensity_has_a_change_panel(frame):
    """Of dim echoes as of bright ones: a change has a sign, and lost returns are marked."""
    darker, lost = copy.deepcopy(frame), copy.deepcopy(frame)
    darker.sensors["top"].channels["intensity"] *= 0.9
    lost.sensors["top"].channels["range"][:, ::2] = 0
    (shown, change), bright = ablation._intensity_lines([frame, darker], "top"), frame.sensors["top"].channels["range"] > 0
    assert shown.title == "LiDAR intensity" and "brighter" in change.change and bright.any()
    image = change.paint(darker, 512, 76).astype(int)
    assert (image[..., 2] > image[..., 0] + 40).any() and not (image[..., 0] > image[..., 2] + 40).any()
    assert (change.paint(lost, 512, 76) == LOST).all(2).any()


def test_signed_change_has_a_sign_and_marks_lost_and_gained():
    before, after = np.array([[10.0, 10, 10, 0, 10]]), np.array([[10.1, 9.9, 10, 5, 0]])
    image = draw.signed_change(before, after, 0.1).astype(int)
    assert image[0, 0, 0] > image[0, 0, 2] and image[0, 1, 2] > image[0, 1, 0]
    assert image[0, 2].max() < 60 and image[0, 3].min() > 200 and tuple(image[0, 4]) == LOST


def test_contact_sheet_of_mixed_sensors(tmp_path, frame):
    frames = [frame, handmade.frame(1, sensors=("top",)), handmade.frame(2, sensors=("front",)), handmade.frame(3, boxes=[])]
    captions = [sheet.Caption("wheelchair_user · 5-15 m", "ok"), sheet.Caption()]
    captions += [sheet.Caption("x" * 200, "failed", ["empty_frame"]), sheet.Caption()]
    path = sheet.contact_sheet(frames, tmp_path / "new" / "sheet.png", "first look", 3, captions)
    with Image.open(path) as image:
        assert image.size[0] == 2 * sheet.GAP + 3 * sheet.TILE + 2 * sheet.GAP
    again = sheet.contact_sheet(frames, tmp_path / "again.png", "first look", 3, captions)
    assert path.read_bytes() == again.read_bytes()


def test_contact_sheet_needs_frames(tmp_path):
    with pytest.raises(UserError, match="at least one frame"):
        sheet.contact_sheet([], tmp_path / "sheet.png", "nothing")


@pytest.mark.parametrize("count", [1, 5, 40, 200])
def test_rows_of_a_sheet_stand_like_a_page(count):
    """In order, each once, in columns that differ by less than two rows, and no taller than a page unless one row is."""
    heights = [int(h) for h in np.random.default_rng(count).integers(80, 700, count)]
    stacks, width = ablation._stacks(heights, 1420), 1420
    assert [i for stack in stacks for i in stack] == list(range(count))
    tall = [sum(heights[i] + ablation.GAP for i in stack) for stack in stacks]
    assert max(tall) - min(tall) < 2 * (max(heights) + ablation.GAP)
    assert max(tall) < 1.4 * len(stacks) * width + max(heights)


def test_long_titles_take_a_second_line():
    words = "a title that is far too long for a single line of the sheet it heads " * 2
    short, long = (ablation._text(text, 600, 19, (255, 255, 255)) for text in ("a title", words))
    assert long.height > short.height and (np.asarray(long)[short.height + 4 :] > 128).any()
    assert ablation._text(words * 9, 600, 19, (255, 255, 255)).height == long.height


def test_ablation_shows_only_what_changes(tmp_path, frame):
    noisy = copy.deepcopy(frame)
    distance = noisy.sensors["top"].channels["range"]
    distance[distance > 0] += 0.05
    assert [line.title for line in ablation._changed_lines([frame, noisy], 300)] == ["LiDAR range", "change of LiDAR range ± 5 cm"]
    assert ablation._changed_lines([frame, frame], 300) == []
    path = ablation.ablation_sheet([("range noise", [frame, noisy]), ("nothing", [frame, frame])], tmp_path / "ablation.png")
    with Image.open(path) as image:
        assert image.size[0] == 2 * ablation.GAP + 2 * 460 + ablation.GAP
    ablation.ablation_sheet([("nothing", [frame, frame])], path)
    with pytest.raises(UserError, match="two strengths"):
        ablation.ablation_sheet([("range noise", [frame])], path)
