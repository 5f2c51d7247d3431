"""Textures, cut-outs and normal maps: kernels against twins, and whole renders against what the images hold."""

import numpy as np
import pytest
import stage_kit as kit
import warp as wp
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade
from tailgate.config.sensor import LidarModel
from tailgate.render.raytrace.atlas import Atlas, build_atlas, mip_levels, sample, sample_twin
from tailgate.stage.extract import Extraction
from tailgate.stage.images import ImageStore, load_image, to_linear
from tailgate.stage.materials import FACE, PANE, SHEET
from tailgate.stage.textures import WRAPS, Texture, transform2d


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


def write(path, rgb):
    """Write linear or code values RGB [H, W, 3] by the extension."""
    import cv2

    if path.suffix == ".exr":
        exr = pytest.importorskip("OpenEXR")
        exr.File({"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}, {"RGB": np.ascontiguousarray(rgb)}).write(str(path))
    else:
        assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
    return str(path)


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


def textured(stage, path, files, scale=None, **values):
    """A preview material whose inputs come from images: {input: (file, output)}."""
    made = kit.material(stage, path, (0.1, 0.1, 0.1), **values)
    shader = UsdShade.Shader(stage.GetPrimAtPath(f"{path}/Surface"))
    reader = UsdShade.Shader.Define(stage, f"{path}/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("uv")
    for name, (file, output) in files.items():
        node = UsdShade.Shader.Define(stage, f"{path}/{name}_image")
        node.CreateIdAttr("UsdUVTexture")
        node.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(file)
        node.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        if name == "normal":
            node.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(2, 2, 2, 1))
            node.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(-1, -1, -1, 0))
            node.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("raw")
        kind = Sdf.ValueTypeNames.Float if output in "rgba" else Sdf.ValueTypeNames.Float3
        shader.CreateInput(name, kind).ConnectToSource(node.ConnectableAPI(), output)
    return made


def wall(stage, path, bound, distance=5.0, half=2.0):
    """A square that faces the origin from +x; its image is seen upright, u to the viewer's right."""
    d, h = distance, half
    made = kit.mesh(stage, path, [(d, h, -h), (d, -h, -h), (d, -h, h), (d, h, h)], [(0, 1, 2, 3)], bound)
    uv = UsdGeom.PrimvarsAPI(made).CreatePrimvar("uv", Sdf.ValueTypeNames.TexCoord2fArray, "faceVarying")
    uv.Set([Gf.Vec2f(0, 0), Gf.Vec2f(1, 0), Gf.Vec2f(1, 1), Gf.Vec2f(0, 1)])
    return made


QUARTERS = np.zeros((32, 32, 3), np.uint8)
QUARTERS[:16, :16], QUARTERS[:16, 16:], QUARTERS[16:, :16], QUARTERS[16:, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
CAMERA = kit.pinhole(40, 40, 40.0)


def test_an_image_is_seen_upright_and_in_its_colours(tmp_path):
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    wall(stage, "/World/wall", textured(stage, "/World/look", {"diffuseColor": (write(tmp_path / "a.png", QUARTERS), "rgb")}, ior=1.0))
    frame = kit.render(stage, kit.rig_of(CAMERA, LidarModel(elevation_deg=[10.0, -10.0], columns=36, azimuth_start_deg=5.0)))
    hdr = frame.sensors["camera"].channels["HdrColor"]
    for (y, x), expected in {(12, 12): (1, 0, 0), (12, 27): (0, 1, 0), (27, 12): (0, 0, 1), (27, 27): (1, 1, 1)}.items():
        np.testing.assert_allclose(hdr[y, x, :3], expected, atol=0.02)
    reflectance = frame.sensors["lidar"].channels["reflectance"][:, :, 0]
    np.testing.assert_allclose(reflectance[:, [0, 1]], [[0.2126, 0.7152], [0.0722, 1.0]], atol=0.02)
    assert frame.hints == ["stage: no shape carries a label of the classes car, semantic images are empty"]


def test_scalar_textures_reach_the_surface(tmp_path):
    stage = kit.new_stage()
    grey = write(tmp_path / "a.png", np.full((4, 4, 3), (0, 128, 255), np.uint8))
    files = {"roughness": (grey, "g"), "metallic": (grey, "b"), "emissiveColor": (grey, "rgb")}
    wall(stage, "/World/wall", textured(stage, "/World/look", files))
    arrays = Extraction(stage, {}).run()
    row = arrays.material_table()[0]
    np.testing.assert_allclose(row[3:8], [to_linear(np.array(128 / 255)), 1.0, 0.0, to_linear(np.array(128 / 255)), 1.0], atol=1e-4)
    hdr = kit.render(stage, kit.rig_of(CAMERA)).sensors["camera"].channels["HdrColor"]
    np.testing.assert_allclose(hdr[20, 20, :3], row[5:8], atol=1e-3)


def test_cutouts_let_rays_light_and_lidar_through(tmp_path):
    """The left half of a screen is cut out: behind it the wall is seen, lit by the sun, ranged, and counted as part of no object."""
    mask = np.zeros((32, 32, 3), np.uint8)
    mask[:, 16:] = 255
    path = write(tmp_path / "mask.png", mask)
    stage = kit.new_stage()
    kit.lights(stage, sky=0.0, sun=3.0, sun_direction=(-1, 0, 0.01))
    screen = textured(stage, "/World/screen_look", {"opacity": (path, "r")}, opacityThreshold=0.5)
    holder = kit.mover(stage, "screen", 7, kit.pose(x=0.0))
    wall(stage, f"{holder}/body", screen, 4.0, 1.0)
    white = kit.material(stage, "/World/white", (1.0, 1.0, 1.0), 0.4, ior=1.0)
    wall(stage, "/World/wall", white, 8.0, 8.0)
    lidar = LidarModel(elevation_deg=[0.0], columns=72, azimuth_start_deg=5.0)
    frame = kit.render(stage, kit.rig_of(CAMERA, lidar), smoothing=0, edges=False)
    channels, view = frame.sensors["camera"].channels, frame.sensors["camera"].view
    np.testing.assert_allclose(channels["distance_to_image_plane"][20, [14, 25]], [8.0, 4.0], rtol=1e-5)
    assert channels["instance_segmentation"][20, [14, 25]].tolist() == [0, 7]
    assert view.visible[0] == view.alone[0] == pytest.approx(20 * 10, abs=20) and view.occluded[0] == 0.0
    lit = channels["HdrColor"][20, :, 0]
    assert lit[14] == pytest.approx(3.0 / np.pi, rel=0.01)
    np.testing.assert_allclose(frame.sensors["lidar"].channels["range"][0, [0, 2], 0], np.array([8.0, 4.0]) / np.cos(np.deg2rad(5)), rtol=1e-4)


def test_normal_maps_tilt_the_light(tmp_path):
    """A map that leans by 30 degrees towards +u (the viewer's right, -y) lights the wall as if it were turned there."""
    lean = np.array([np.sin(np.deg2rad(30)), 0, np.cos(np.deg2rad(30))])
    path = write(tmp_path / "n.png", np.full((4, 4, 3), np.round((lean + 1) * 127.5), np.uint8))
    stage = kit.new_stage()
    kit.lights(stage, sky=0.0, sun=2.0, sun_direction=(-1, -1, 0.001))
    look = textured(stage, "/World/look", {"normal": (path, "rgb")}, roughness=0.4, ior=1.0)
    UsdShade.Shader(stage.GetPrimAtPath("/World/look/Surface")).GetInput("diffuseColor").Set(Gf.Vec3f(1, 1, 1))
    wall(stage, "/World/wall", look)
    channels = kit.render(stage, kit.rig_of(CAMERA), smoothing=0, edges=False).sensors["camera"].channels
    np.testing.assert_allclose(channels["normals"][20, 20, :3], [-lean[2], -lean[0], 0], atol=0.01)
    assert channels["HdrColor"][20, 20, 0] == pytest.approx(2.0 / np.pi * np.cos(np.deg2rad(15)), rel=0.01)


@pytest.mark.parametrize("scale", [(1, 1, 1), (1, 4, 1), (1, 0.5, 3), (1, -2, 1)])
def test_normal_maps_on_stretched_objects(tmp_path, scale):
    """The map's axes go along the surface as it is shown; those of a wall's texture run along -y and z of the object."""
    lean = np.array([0.4, 0.3, 0.866])
    path = write(tmp_path / "n.png", np.full((4, 4, 3), np.round((lean + 1) * 127.5), np.uint8))
    stage = kit.new_stage()
    look = textured(stage, "/World/look", {"normal": (path, "rgb")}, roughness=0.4, ior=1.0)
    T = kit.pose(x=4.0)
    T[:3, :3] = np.diag(scale)
    wall(stage, kit.mover(stage, "a", 1, T) + "/body", look, distance=0.0)
    channels = kit.render(stage, kit.rig_of(CAMERA), smoothing=0, edges=False).sensors["camera"].channels
    np.testing.assert_allclose(channels["normals"][20, 20, :3], [-lean[2], -lean[0] * np.sign(scale[1]), lean[1]], atol=0.01)


def test_missing_images_are_named_and_shown_magenta(tmp_path):
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = {"diffuseColor": (str(tmp_path / "absent.png"), "rgb"), "roughness": (str(tmp_path / "broken.png"), "r")}
    wall(stage, "/World/wall", textured(stage, "/World/look", files, ior=1.0))
    frame = kit.render(stage, kit.rig_of(CAMERA))
    assert [n for n in frame.hints if "diffuseColor must come from a readable image" in n and "absent.png" in n]
    assert [n for n in frame.hints if "roughness must come from a readable image" in n and "broken.png" in n]
    np.testing.assert_allclose(frame.sensors["camera"].channels["HdrColor"][20, 20, :3], [1, 0, 1], atol=0.02)


def test_display_colour_reader():
    stage = kit.new_stage()
    made = wall(stage, "/World/wall", kit.material(stage, "/World/look", (0.0, 0.0, 0.0)))
    made.CreateDisplayColorPrimvar("constant").Set([Gf.Vec3f(0.2, 0.4, 0.6)])
    reader = UsdShade.Shader.Define(stage, "/World/look/colour")
    reader.CreateIdAttr("UsdPrimvarReader_float3")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("displayColor")
    UsdShade.Shader(stage.GetPrimAtPath("/World/look/Surface")).GetInput("diffuseColor").ConnectToSource(reader.ConnectableAPI(), "result")
    arrays = Extraction(stage, {}).run()
    np.testing.assert_allclose(arrays.prototypes[0].corner_colour[0, 0], [0.2, 0.4, 0.6], atol=1e-6)
    np.testing.assert_allclose(arrays.material_table()[0, :3], 1.0)
    assert arrays.skipped == []


def mdl(stage, path, name, **values):
    made = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, f"{path}/Shader")
    shader.SetSourceAsset(Sdf.AssetPath(f"{name}.mdl"), "mdl")
    shader.SetSourceAssetSubIdentifier(name, "mdl")
    for key, value in values.items():
        kinds = {tuple: Sdf.ValueTypeNames.Color3f, float: Sdf.ValueTypeNames.Float, bool: Sdf.ValueTypeNames.Bool, str: Sdf.ValueTypeNames.Asset}
        shader.CreateInput(key, kinds[type(value)]).Set(Gf.Vec3f(*value) if isinstance(value, tuple) else value)
    made.CreateSurfaceOutput("mdl").ConnectToSource(shader.ConnectableAPI(), "out")
    return made


def test_omniverse_materials(tmp_path):
    stage = kit.new_stage()
    image = write(tmp_path / "a.png", QUARTERS)
    given = {
        "pbr": ("OmniPBR", {"diffuse_color_constant": (0.5, 0.2, 0.1), "reflection_roughness_constant": 0.3, "metallic_constant": 1.0}),
        "glow": ("OmniPBR", {"enable_emission": True, "emissive_color": (1.0, 0.5, 0.0), "emissive_intensity": 10.0}),
        "image": ("OmniPBR", {"diffuse_texture": image, "diffuse_tint": (0.5, 0.5, 0.5)}),
        "surface": ("OmniSurface", {"diffuse_reflection_color": (0.5, 0.5, 1.0), "metalness": 0.25}),
        "other": ("Clouds", {}),
    }
    for k, (name, (kind, values)) in enumerate(given.items()):
        wall(stage, f"/World/wall_{k}", mdl(stage, f"/World/{name}", kind, **values))
    arrays = Extraction(stage, {}).run()
    table = arrays.material_table()
    np.testing.assert_allclose(table[0, :5], [0.5, 0.2, 0.1, 0.3, 1.0], atol=1e-6)
    np.testing.assert_allclose(table[1, 5:8], [10, 5, 0], atol=1e-5)
    textures, rows = arrays.texture_table()
    assert rows[2].tolist() == [0, -1, -1, -1, -1, -1] and textures[0].scale == (0.5, 0.5, 0.5, 1.0)
    np.testing.assert_allclose(table[3, [0, 2, 4]], [0.4, 0.8, 0.25], atol=1e-6)
    text = "\n".join(arrays.skipped)
    assert "OmniPBR is shown as its nearest" in text and "/World/other: Clouds is not understood, shown grey" in text


def test_occlusion_roughness_and_metal_in_one_image(tmp_path):
    stage = kit.new_stage()
    image = write(tmp_path / "orm.png", np.full((8, 8, 3), (0, 102, 204), np.uint8))
    given = {"enable_ORM_texture": True, "ORM_texture": image, "reflection_roughness_constant": 1.0}
    whole = {"reflection_roughness_texture_influence": 1.0, "metallic_texture_influence": 1.0}
    half = {"reflection_roughness_texture_influence": 0.5, "ao_texture": image}
    for name, more in {"whole": whole, "half": half, "off": {**whole, "enable_ORM_texture": False}}.items():
        wall(stage, f"/World/{name}_wall", mdl(stage, f"/World/{name}", "OmniPBR_ClearCoat", **{**given, **more}))
    arrays = Extraction(stage, {}).run()
    table = {reader.path.rsplit("/", 1)[-1]: arrays.material_table()[row] for row, reader in arrays.readers.items()}
    np.testing.assert_allclose([table[name][3:5] for name in ("whole", "half", "off")], [[0.4, 0.8], [0.7, 0.0], [1.0, 0.0]], atol=1e-6)
    assert "prim /World/half: OmniPBR input ao_texture is not honoured" in arrays.skipped


def test_images_on_inputs_without_an_equivalent_are_named(tmp_path):
    stage = kit.new_stage()
    wall(stage, "/World/wall", kit.material(stage, "/World/look", (1.0, 1.0, 1.0)))
    image = UsdShade.Shader.Define(stage, "/World/look/image")
    image.CreateIdAttr("UsdUVTexture")
    shader = UsdShade.Shader(stage.GetPrimAtPath("/World/look/Surface"))
    for name in ("displacement", "occlusion"):
        shader.CreateInput(name, Sdf.ValueTypeNames.Float).ConnectToSource(image.ConnectableAPI(), "r")
    unseen = [f"prim /World/look: UsdPreviewSurface input {name} is not honoured" for name in ("displacement", "occlusion")]
    assert Extraction(stage, {}).run().skipped == unseen


def test_opacity_is_glass_or_cut():
    """UsdPreviewSurface: opacity takes the body of glass away, not what it mirrors; with presence or a threshold the whole surface."""
    stage = kit.new_stage()
    given = {"glass": {"opacity": 0.3}, "clear": {"opacity": 0.0}, "cut": {"opacity": 0.3, "opacityThreshold": 0.5}, "gone": {"opacity": 0.0}}
    for name, values in given.items():
        wall(stage, f"/World/{name}_wall", kit.material(stage, f"/World/{name}", (1.0, 1.0, 1.0), **values))
    UsdShade.Shader.Get(stage, "/World/gone/Surface").CreateInput("opacityMode", Sdf.ValueTypeNames.Token).Set("presence")
    kinds = {"solid": {}, "thin": {"thin_walled": True}, "body": {"glass_color": (0.25, 1.0, 1.0)}}
    for name, values in kinds.items():
        wall(stage, f"/World/{name}_wall", mdl(stage, f"/World/{name}", "OmniGlass", **values))
    arrays = Extraction(stage, {}).run()
    table = arrays.material_table()
    rows = {reader.path.rsplit("/", 1)[-1]: table[row] for row, reader in arrays.readers.items()}
    assert rows["glass"][11] == 0 and rows["glass"][8] == pytest.approx(0.3) and rows["glass"][PANE] == SHEET
    assert rows["clear"][11] == 0 and rows["clear"][13:17].tolist() == [1.0, 1.0, 1.0, 1.0]
    assert rows["gone"][11] > 1 and rows["cut"][11] > 1 and rows["cut"][PANE] == -1
    assert rows["solid"][PANE] == FACE and rows["thin"][PANE] == SHEET
    np.testing.assert_allclose(rows["body"][13:16], [0.5, 1.0, 1.0], atol=1e-6)
    assert "solid glass does not bend light" in "\n".join(arrays.skipped)


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


@pytest.mark.parametrize(
    "diffuse, specular, base, metallic",
    [
        ((0.0, 0.0, 0.0), (1.0, 0.2, 0.05), (1.0, 0.2, 0.05), 1.0),
        ((0.5, 0.3, 0.1), (0.04, 0.04, 0.01), (0.5, 0.3, 0.1), 0.0),
    ],
)
def test_the_specular_workflow_keeps_its_colours(diffuse, specular, base, metallic):
    """What has no diffuse colour and a strong specular one is a metal of that colour; a weak one changes nothing."""
    stage = kit.new_stage()
    look = kit.material(stage, "/World/look", diffuse, 0.3, specularColor=specular)
    UsdShade.Shader(stage.GetPrimAtPath("/World/look/Surface")).CreateInput("useSpecularWorkflow", Sdf.ValueTypeNames.Int).Set(1)
    kit.box(stage, "/World/box", (0, 0, 0), (1, 1, 1), look)
    row = Extraction(stage, {}).run().material_table()[0]
    np.testing.assert_allclose(row[:3], base, atol=0.03)
    assert row[4] == pytest.approx(metallic, abs=0.05)


@pytest.mark.parametrize(
    "inputs, words",
    [
        ({"ior": -1.0}, "ior must be from 0 to 1000, got -1.0; 0.0 is shown"),
        ({"metallic": 5.0}, "metallic must be from 0 to 1, got 5.0; 1.0 is shown"),
        ({"emissiveColor": (-1.0, 0.0, 0.0)}, "emissiveColor must be from 0 to 1e+20"),
        ({"emissiveColor": (1e38, 0.0, 0.0)}, "emissiveColor must be from 0 to 1e+20"),
    ],
)
def test_inputs_out_of_their_range_are_named_and_brought_within_it(inputs, words):
    stage = kit.new_stage()
    kit.box(stage, "/World/box", (3, -1, -1), (4, 1, 1), kit.material(stage, "/World/look", (0.5, 0.5, 0.5), **inputs))
    arrays = Extraction(stage, {}).run()
    assert words in arrays.skipped[0] and (arrays.material_table() >= -1).all() and np.isfinite(arrays.material_table()).all()
