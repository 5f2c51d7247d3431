"""Textures on surfaces: colours, cut-outs, normal maps and materials of Omniverse, in whole renders against what the images hold."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, UsdShade
from tailgate.config.sensor import LidarModel
from tailgate.stage.extract import Extraction
from tailgate.stage.images import to_linear
from tailgate.stage.materials import FACE, PANE, SHEET
from textured import QUARTERS, textured, wall, write

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
