"""Backbones: what the built-in ones see of known surfaces, what a user's file must be, and what is refused."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.frames import Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.validate.backbones import locate, open_backbone
from tailgate.validate.backbones.files import _refuse_pickles
from tailgate.validate.backbones.geometric import NAMES as POINT_NAMES
from tailgate.validate.backbones.grid import NAMES as GRID_NAMES
from tailgate.validate.backbones.grid import Window, grid_features, local_grid, local_grid_twin
from tailgate.validate.crops import RESAMPLED, Crop, CropSource, camera_crops, lidar_crops, pack, resample, unpack

UP = np.array([0.0, 0.0, 1.0])


def no_view() -> ObjectView:
    return ObjectView(*(np.zeros((1, 4), np.float32) for _ in range(2)), *(np.zeros(1) for _ in range(5)))


def crop(points: np.ndarray, intensity: bool = True) -> Crop:
    points = points.astype(np.float32)
    lit = np.full(len(points), 0.5, np.float32) if intensity else None
    base = dict(class_name="car", instance=3, group="g", frame="f", modality="lidar", axes="box", range=10.0, size=(2.0, 2.0, 1.0))
    return Crop(**base, count=len(points), points=points, intensity=lit, resampled=resample(points, RESAMPLED, np.random.default_rng(0)))


def camera(depth: np.ndarray, rgb: np.ndarray | None = None) -> SensorFrame:
    h, w = depth.shape
    ids = np.zeros((h, w), np.uint32)
    ids[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4] = 1
    rgb = np.full((h, w, 4), 128, np.uint8) if rgb is None else rgb
    channels = {"distance_to_image_plane": depth.astype(np.float32), "rgb": rgb, "instance_segmentation": ids, "valid": (depth > 0).astype(np.uint8)}
    return SensorFrame("camera", channels, np.stack([np.eye(4)] * 2), 0, 0, no_view(), Intrinsics(w, h, 60.0, 60.0, w / 2, h / 2))


def scan(distance: np.ndarray, elevation=(-12.0, -2.0)) -> SensorFrame:
    beams, columns = distance.shape
    azimuth, up = np.meshgrid(np.linspace(0, 360, columns, endpoint=False), np.linspace(*elevation, beams))
    lit = np.full((beams, columns, 1), 0.25, np.float32)
    channels = {"range": distance.astype(np.float32)[..., None], "intensity": lit, "azimuth": azimuth, "elevation": up, "ring": np.arange(beams)}
    return SensorFrame("lidar", channels, np.stack([np.eye(4)] * 2), 0, 0, no_view())


def one_object(size=(2.0, 2.0, 1.0), position=(10.0, 0.0, 0.0)) -> Objects:
    pose = np.eye(4)
    pose[:3, 3] = position
    return Objects(np.array([1], np.int32), ["car"], pose[None], np.array([size]), [""])


@pytest.mark.parametrize("wrap", [False, True])
def test_grid_sums_match_their_twin(wrap):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(7, 9, 3)) * 0.3 + [4.0, 1.0, 0.5]
    points[rng.random((7, 9)) < 0.2] = 0.0
    window = Window(1, 2, 0.05, wrap)
    ours, twin = local_grid(points, window), local_grid_twin(points.astype(np.float32), window)
    for name in ("near", "seen", "total", "covariance", "mean", "roughness"):
        assert getattr(ours, name) == pytest.approx(getattr(twin, name), abs=1e-5), name


def test_a_plane_a_corner_and_a_hole_on_the_grid():
    v, u = np.indices((30, 40))
    flat = dict(
        zip(GRID_NAMES, grid_features(np.stack([(u - 20) / 60 * 2, (v - 15) / 60 * 2, 2 + 0 * u], 2), UP, Window(2, 2, 0.05))[15, 20], strict=True)
    )
    assert flat["scattering"] < 1e-4 and flat["incidence"] == pytest.approx(1.0, abs=1e-3) and flat["normal_up"] == pytest.approx(1.0, abs=1e-3)
    assert flat["normal_variation"] < 1e-4 and flat["curvature"] < 1e-3 and flat["hole_share"] == 0 and flat["edge_share"] == 0
    z = 2 + np.where(u > 20, (u - 20) * 0.02, (20 - u) * 0.02)
    fold = np.stack([(u - 20) / 60 * z, (v - 15) / 60 * z, z], 2)
    fold[15, 21] = 0
    folded = dict(zip(GRID_NAMES, grid_features(fold, UP, Window(2, 2, 0.05))[15, 20], strict=True))
    assert folded["scattering"] > 0.02 and folded["curvature"] > 0.1 and folded["hole_share"] == pytest.approx(1 / 24)
    far = fold.copy()
    far[:, 21:] *= 3
    assert dict(zip(GRID_NAMES, grid_features(far, UP, Window(2, 2, 0.05))[15, 20], strict=True))["edge_share"] == pytest.approx(9 / 23)
    assert not grid_features(fold, UP, Window(2, 2, 0.05))[15, 21].any()


def test_range_images_need_no_box_and_reach_the_crops():
    up = np.deg2rad(np.linspace(-12, -2, 8))[:, None]
    ground = np.broadcast_to(1.7 / np.sin(-up), (8, 720)).copy()
    ground[:, 0:3] = 9.0
    backbone, sensor = open_backbone("range_image"), scan(ground)
    found = backbone.map(sensor)
    assert found.shape == (8, 720, len(GRID_NAMES) + 1) and found.dtype == np.float32 and np.isfinite(found).all()
    assert np.median(found[1:-1, 100:600, GRID_NAMES.index("normal_up")]) > 0.99 and found[..., -1].max() == 0.25
    (boxed,) = lidar_crops(sensor, one_object((3.0, 3.0, 4.0), (9.0, 0.0, -1.0)), CropSource("f", "g", min_points=4), features=found)
    assert boxed.features.shape == (boxed.count, found.shape[2]) and np.array_equal(backbone.of_crop(boxed), boxed.features)
    assert backbone.map(camera(np.full((20, 20), 2.0))) is None


def test_rgbd_features_are_sampled_at_the_crop_s_pixels_and_packed():
    rgb = np.zeros((24, 32, 4), np.uint8)
    rgb[..., 0] = np.arange(32) * 8
    sensor, backbone = camera(np.full((24, 32), 1.5), rgb), open_backbone("rgbd")
    found = backbone.map(sensor)
    (seen,) = camera_crops(sensor, one_object(), CropSource("f", "g"), "camera_up", found)
    assert seen.features.shape == (seen.count, 14)
    assert np.unique(seen.features[:, 11]) == pytest.approx(np.unique(found[12, 8:24, 11]))
    (back,) = unpack(pack([seen]))
    assert np.array_equal(back.features, seen.features)
    mixed = unpack(pack([crop(np.random.default_rng(0).random((20, 3))), seen]))
    assert mixed[0].features is None and np.array_equal(mixed[1].features, seen.features)
    assert backbone.map(scan(np.full((4, 16), 5.0))) is None
    assert backbone.of_crop(crop(np.random.default_rng(0).random((30, 3)))).shape == (30, len(POINT_NAMES))


def test_names_files_and_libraries_that_are_refused(tmp_path):
    with pytest.raises(UserError, match="gate.backbone: must name a registered backbone .did you mean 'geometric'."):
        open_backbone("geometrc")
    with pytest.raises(UserError, match="file not found"):
        open_backbone("model.onnx", [tmp_path])
    with pytest.raises(UserError, match="must lie in one of"):
        open_backbone("../model.onnx", [tmp_path])
    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(UserError, match="pip install torch timm"):
            open_backbone("timm:resnet18")


def test_files_that_do_not_load(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    for name, words in (("a.pt", "TorchScript"), ("a.pt2", "torch.export"), ("a.onnx", "ONNX")):
        (tmp_path / name).write_bytes(b"no model")
        with pytest.raises(UserError, match=f"{name}: does not load as .*{words}"):
            open_backbone(name, [tmp_path])


def test_features_that_are_not_numbers_name_the_object():
    broken = replace(crop(np.random.default_rng(0).random((9, 3))), features=np.full((9, 2), np.nan, np.float32))
    with pytest.raises(UserError, match="NaN or infinity for object 3 of frame f"):
        open_backbone("rgbd").of_crop(broken)


@pytest.fixture(scope="module")
def torch_files(tmp_path_factory):
    """One small convolution as TorchScript, torch.export and ONNX, a cloud model, and two that break the contract."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)

    class Cloud(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 6)

        def forward(self, x):
            return torch.relu(self.layer(x))

    class Flat(torch.nn.Module):
        def forward(self, x):
            return x.mean(dim=(2, 3))

    class Broken(torch.nn.Module):
        def forward(self, x):
            return torch.log(x - 1.0)

    conv = torch.nn.Conv2d(3, 5, 3, stride=2, padding=1).eval()
    given = torch.rand(1, 3, 48, 64)
    torch.jit.save(torch.jit.trace(conv, given), str(folder / "conv.pt"))
    sizes = {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    torch.export.save(torch.export.export(conv, (given,), dynamic_shapes=(sizes,)), str(folder / "conv.pt2"))
    for name, model, sample in (("cloud", Cloud(), torch.rand(1, 20, 4)), ("flat", Flat(), given), ("broken", Broken(), given)):
        torch.jit.save(torch.jit.script(model.eval()), str(folder / f"{name}.pt"))
        assert sample.ndim
    _write_onnx(folder / "conv.onnx", conv)
    return folder


def _write_onnx(path, conv):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import TensorProto, helper, numpy_helper

    held = [numpy_helper.from_array(p.detach().numpy(), name) for name, p in (("w", conv.weight), ("b", conv.bias))]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1])
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5, "i", "j"])
    model = helper.make_model(helper.make_graph([node], "conv", [entry], [out], held), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))


def test_three_formats_give_equal_features(torch_files):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 4)).astype(np.uint8)
    sensor = camera(np.full((48, 64), 2.0), rgb)
    maps = [open_backbone(name, [torch_files]).map(sensor) for name in ("conv.pt", "conv.pt2", "conv.onnx")]
    assert maps[0].shape == (24, 32, 5)
    assert maps[1] == pytest.approx(maps[0], abs=1e-5) and maps[2] == pytest.approx(maps[0], abs=1e-5)
    (seen,) = camera_crops(sensor, one_object(), CropSource("f", "g"), "camera_up", maps[0])
    assert seen.features.shape == (512, 5)


def test_a_cloud_model_sees_points_and_intensity(torch_files):
    backbone, ball = open_backbone("cloud.pt", [torch_files]), crop(np.random.default_rng(1).random((40, 3)))
    assert backbone.map(camera(np.full((8, 8), 1.0))) is None and backbone.of_crop(ball).shape == (40, 6)
    assert np.abs(backbone.of_crop(ball) - backbone.of_crop(replace(ball, intensity=None))).max() > 0


def test_models_of_another_contract_are_refused(torch_files):
    with pytest.raises(UserError, match=r"must map an image .* got \[1, 3, 64, 64\] to \[1, 3\]"):
        open_backbone("flat.pt", [torch_files])
    with pytest.raises(UserError, match="broken.pt' must give finite features"):
        open_backbone("broken.pt", [torch_files])


def test_a_located_backbone_opens_from_anywhere(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")
    assert locate("model.onnx", [tmp_path]) == str(tmp_path / "model.onnx") and locate("rgbd", [tmp_path]) == "rgbd"
    assert locate("timm:resnet18", [tmp_path]) == "timm:resnet18"
    assert locate("timm:resnet18=model.onnx", [tmp_path]) == f"timm:resnet18={tmp_path / 'model.onnx'}"
    with pytest.raises(UserError, match="file not found .did you mean 'model.onnx'."):
        locate("modle.onnx", [tmp_path])


@pytest.mark.parametrize("config", [b'{"config": {"w": {"use_pickle": true}}}', b'{"a": [{"use_\\u0070ickle": 1}]}'])
def test_archives_that_ask_for_pickle_are_refused_however_they_write_it(tmp_path, config):
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as archive:
        archive.writestr("a/data/weights/model_weights_config.json", config)
    with pytest.raises(ValueError, match="holds pickled objects"):
        _refuse_pickles(tmp_path / "a.pt2")


def test_archives_without_pickle_pass(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt2", "w") as archive:
        archive.writestr("a/data/weights/model_weights_config.json", b'{"config": {"w": {"use_pickle": false}}, "n": [1, "use_pickle"]}')
    _refuse_pickles(tmp_path / "a.pt2")
