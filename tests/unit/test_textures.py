"""Textures: how images are read and sampled, kernels against twins, and what a stage may say of them."""

import numpy as np
import pytest
import stage_kit as kit
import warp as wp
from pxr import Sdf, Usd, UsdShade
from tailgate.render.raytrace.atlas import Atlas, build_atlas, mip_levels, sample, sample_twin
from tailgate.stage.extract import Extraction
from tailgate.stage.images import ImageStore, load_image, to_linear
from tailgate.stage.textures import WRAPS, Texture, transform2d
from textured import textured, wall, write


@wp.kernel
def sample_kernel(atlas: Atlas, use: int, st: wp.array(dtype=wp.vec2), footprint: float, out: wp.array(dtype=wp.vec4)):
    k = wp.tid()
    out[k] = sample(atlas, use, st[k], footprint)


def sampled(textures, images, st, footprint=0.0, use=0):
    st = np.atleast_2d(st).astype(np.float32)
    out = wp.zeros(len(st), dtype=wp.vec4, device="cpu")
    given = [build_atlas(textures, images, "cpu"), use, wp.array(st, dtype=wp.vec2, device="cpu"), footprint]
    wp.launch(sample_kernel, dim=len(st), inputs=given, outputs=[out], device="cpu")
    return out.numpy()


@pytest.mark.parametrize("s", ["repeat", "clamp", "mirror", "black"])
@pytest.mark.parametrize("t", ["repeat", "clamp", "mirror", "black"])
def test_sampling_twin(tmp_path, s, t):
    rng = np.random.default_rng(3)
    path = write(tmp_path / "a.png", rng.integers(0, 256, (5, 7, 3)).astype(np.uint8))
    images, wrap = ImageStore(), (WRAPS[s], WRAPS[t])
    st = rng.uniform(-2.5, 3.5, (400, 2)).astype(np.float32)
    got = sampled([Texture(path, wrap=wrap, srgb=False)], images, st)
    np.testing.assert_allclose(got, sample_twin(images.get(path) / 255.0, st.astype(np.float64), wrap), atol=2e-5)


def test_scale_bias_colour_space_and_transform(tmp_path):
    path = write(tmp_path / "a.png", np.full((4, 4, 3), (200, 100, 50), np.uint8))
    images = ImageStore()
    code = np.array([200, 100, 50]) / 255
    scaled = Texture(path, srgb=False, scale=(2, 2, 2, 1), bias=(-1, -1, -1, 0))
    textures = [Texture(path), scaled, Texture(path, channel=1, srgb=False), Texture(path, channel=1)]
    np.testing.assert_allclose(sampled(textures, images, [0.3, 0.3])[0, :3], to_linear(code), rtol=1e-4)
    np.testing.assert_allclose(sampled(textures, images, [0.3, 0.3], use=1)[0, :3], 2 * code - 1, atol=1e-5)
    np.testing.assert_allclose(sampled(textures, images, [0.3, 0.3], use=2)[0, 1], code[1], atol=1e-5)
    np.testing.assert_allclose(sampled(textures, images, [0.3, 0.3], use=3)[0, 1], to_linear(code[1]), rtol=1e-4)
    turned = transform2d(90.0, (2.0, 1.0), (0.1, 0.0))
    np.testing.assert_allclose(turned @ [0.25, 0.5, 1], [0.1 - 0.5, 0.5, 1], atol=1e-12)


def test_colour_space_of_grey_and_of_deep_images(tmp_path):
    import cv2

    grey, deep = str(tmp_path / "grey.png"), write(tmp_path / "deep.png", np.full((4, 4, 3), 32768, np.uint16))
    cv2.imwrite(grey, np.full((4, 4), 128, np.uint8))
    images, code = ImageStore(), 128 / 255
    textures = [Texture(grey), Texture(grey, srgb=True), Texture(deep), Texture(deep, srgb=True)]
    got = [sampled(textures, images, [0.5, 0.5], footprint=f, use=k)[0, 0] for k in range(4) for f in (0.0, 1.0)]
    np.testing.assert_allclose(got, np.repeat([code, to_linear(code), 0.5, to_linear(0.5)], 2), atol=2e-3)
    np.testing.assert_allclose([t.mean(images)[0] for t in textures], got[::2], atol=1e-5)


@pytest.mark.parametrize("space, decoded", [("raw", False), ("sRGB", True), ("", True)])
def test_the_colour_space_may_stand_at_the_file(tmp_path, space, decoded):
    stage = kit.new_stage()
    path = write(tmp_path / "a.png", np.full((4, 4, 3), 128, np.uint8))
    wall(stage, "/World/wall", textured(stage, "/World/look", {"roughness": (path, "r")}))
    node = next(p for p in stage.Traverse() if p.GetAttribute("inputs:file"))
    node.GetAttribute("inputs:file").SetColorSpace(space) if space else None
    code = np.array(128 / 255)
    assert Extraction(stage, {}).run().material_table()[0, 3] == pytest.approx(float(to_linear(code) if decoded else code), abs=1e-4)


def test_images_of_materialx(tmp_path):
    stage = kit.new_stage()
    path = write(tmp_path / "a.png", np.full((4, 4, 3), 128, np.uint8))
    look = UsdShade.Material.Define(stage, "/World/look")
    shader, image, reader = (UsdShade.Shader.Define(stage, f"/World/look/{name}") for name in ("surface", "image", "reader"))
    for node, kind in ((shader, "standard_surface_surfaceshader"), (image, "tiledimage_color3"), (reader, "geompropvalue_vector2")):
        node.CreateIdAttr(f"ND_{kind}")
    reader.CreateInput("geomprop", Sdf.ValueTypeNames.String).Set("map1")
    image.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(path)
    image.CreateInput("uvtiling", Sdf.ValueTypeNames.Float2).Set((2, 3))
    image.CreateInput("texcoord", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "out")
    shader.CreateInput("base_color", Sdf.ValueTypeNames.Color3f).ConnectToSource(image.ConnectableAPI(), "out")
    look.CreateSurfaceOutput("mtlx").ConnectToSource(shader.ConnectableAPI(), "out")
    wall(stage, "/World/wall", look)
    (texture,) = Extraction(stage, {}).run().texture_table()[0]
    assert texture.coordinates == "map1" and texture.srgb and texture.matrix == (2, 0, 0, 0, 3, 0)


def test_each_use_of_a_missing_image_has_its_own_fallback():
    textures = [Texture("absent.png", fallback=(k, 0, 0, 1)) for k in (0.25, 0.75)]
    assert [sampled(textures, ImageStore(), [0.5, 0.5], use=k)[0, 0] for k in (0, 1)] == [0.25, 0.75]


def test_mip_levels_keep_the_mean_in_linear_light(tmp_path):
    board = np.zeros((64, 64, 3), np.uint8)
    board[np.indices((64, 64)).sum(0) % 2 == 0] = 255
    path, images = write(tmp_path / "a.png", board), ImageStore()
    got = sampled([Texture(path)], images, [0.37, 0.71], footprint=1.0)
    np.testing.assert_allclose(got[0, :3], 0.5, atol=0.01)
    fine = sampled([Texture(path)], images, [0.5 / 64, 1 - 0.5 / 64])
    np.testing.assert_allclose(fine[0, :3], 1.0, atol=1e-5)
    assert [level.shape[0] for level in mip_levels(images.get(path), True)] == [64, 32, 16, 8, 4, 2, 1]


@pytest.mark.parametrize("shape", [(1000, 3), (7, 5), (1, 6), (11, 1)])
def test_mip_levels_of_any_size_cover_the_whole_image(shape):
    """Each texel is the mean over its area, so that every level has the image's mean."""
    image = np.random.default_rng(3).random((*shape, 4)).astype(np.float32)
    for level in mip_levels(image, False):
        np.testing.assert_allclose(level.mean((0, 1)), image.mean((0, 1)), rtol=1e-5)
    if shape[0] > 1:
        halves = np.repeat(image[:, :1], shape[0] // 2, 0).reshape(shape[0] // 2, -1, 4).mean(1)
        np.testing.assert_allclose(mip_levels(image[:, :1], False)[1][:, 0], halves, rtol=1e-4)


@pytest.mark.parametrize("name, kind", [("a.png", np.uint8), ("a.jpg", np.uint8), ("a.hdr", np.float32), ("a.exr", np.float32), ("b.png", np.uint16)])
def test_file_formats(tmp_path, name, kind):
    value = {np.uint8: (200, 100, 50), np.uint16: (50000, 30000, 10000), np.float32: (4.0, 1.0, 0.25)}[kind]
    got = load_image(write(tmp_path / name, np.full((8, 8, 3), value, kind)))
    assert got.dtype == (np.uint8 if kind is np.uint8 else np.float32) and got.shape == (8, 8, 4)
    expected = np.array(value) / (65535 if kind is np.uint16 else 1)
    np.testing.assert_allclose(got[4, 4, :3], expected, rtol=0.02, atol=2 if kind is np.uint8 else 0.02)


@pytest.mark.parametrize("prefix", ["", "beauty.", "light.diffuse."])
def test_layers_of_exr(tmp_path, prefix):
    """The first layer with colours is shown, in whatever type, case and company its channels come."""
    exr = pytest.importorskip("OpenEXR")
    planes = {f"{prefix}{name}": np.full((4, 4), value, np.float16) for name, value in zip("rgb", (4.0, 1.0, 0.25), strict=True)}
    planes |= {"depth.Z": np.full((4, 4), 9.0, np.float32), "a.id": np.full((4, 4), 7, np.uint32)}
    exr.File({"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}, planes).write(str(tmp_path / "a.exr"))
    np.testing.assert_allclose(load_image(str(tmp_path / "a.exr"))[2, 2], [4.0, 1.0, 0.25, 1.0])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.exr", "a.hdr"])
def test_broken_files_are_no_images(tmp_path, name, capfd):
    kind = np.uint8 if name in ("a.png", "a.jpg") else np.float32
    write(tmp_path / name, (200 * np.random.default_rng(1).random((64, 64, 3))).astype(kind))
    whole = (tmp_path / name).read_bytes()
    for data in (b"", whole[:3], whole[: len(whole) // 20], b"no image"):
        (tmp_path / name).write_bytes(data)
        assert load_image(str(tmp_path / name)) is None
    assert "OpenCV" not in capfd.readouterr().err


def test_grey_and_alpha_are_two_channels(tmp_path):
    """Of 8-bit images three or four channels alone hold sRGB codes, and OpenCV spreads grey and alpha to four."""
    from PIL import Image

    path = str(tmp_path / "la.png")
    Image.fromarray(np.full((4, 4, 2), (128, 64), np.uint8), "LA").save(path)
    images = ImageStore()
    assert not images.coded(path)
    np.testing.assert_array_equal(images.get(path)[0, 0], [128, 128, 128, 64])


@pytest.mark.parametrize("space, decoded, words", [("lin_ap1_scene", False, "linear values"), ("g22_rec709_scene", True, "its image tells")])
def test_colour_spaces_that_are_not_known_are_named(tmp_path, space, decoded, words):
    stage = kit.new_stage()
    path = write(tmp_path / "a.png", np.full((4, 4, 3), 128, np.uint8))
    bound = textured(stage, "/World/look", {"diffuseColor": (path, "rgb")})
    node = next(p for p in stage.Traverse() if p.GetAttribute("inputs:file"))
    node.GetAttribute("inputs:file").SetColorSpace(space)
    kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), bound)
    arrays = Extraction(stage, {}).run()
    (texture,), _ = arrays.texture_table()
    assert texture.decoded(arrays.images) == decoded
    assert any(f"colour space '{space}' of its texture is not known" in line and words in line for line in arrays.skipped)


def test_tiles_in_a_package(tmp_path):
    from pxr import UsdUtils

    write(tmp_path / "u.1001.png", np.full((4, 4, 3), (255, 0, 0), np.uint8))
    stage = kit.new_stage()
    kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), textured(stage, "/World/look", {"diffuseColor": ("./u.<UDIM>.png", "rgb")}))
    stage.Export(str(tmp_path / "scene.usda"))
    assert UsdUtils.CreateNewUsdzPackage(str(tmp_path / "scene.usda"), str(tmp_path / "scene.usdz"))
    arrays = Extraction(Usd.Stage.Open(str(tmp_path / "scene.usdz")), {}).run()
    (texture,), _ = arrays.texture_table()
    np.testing.assert_allclose(texture.mean(arrays.images)[:3], [1, 0, 0], atol=1e-6)
