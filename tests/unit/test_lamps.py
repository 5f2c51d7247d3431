"""Meaning of the UsdLux inputs: normalize, temperature, shaping, several suns, domes; what is not honoured is named."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, UsdGeom, UsdLux, UsdShade
from tailgate.stage.light_checks import light_prims
from tailgate.stage.lights import read_lights
from tailgate.stage.walk import Notes

CAMERA = kit.pinhole(9, 9, 60.0)


def lit(define, samples=64):
    """Radiance of the middle of a white Lambertian wall 4 m ahead whose lights ``define(stage)`` makes."""
    stage = kit.new_stage()
    white = kit.material(stage, "/World/white", (1.0, 1.0, 1.0), 0.4, ior=1.0)
    kit.mesh(stage, "/World/wall", [(4, 30, -30), (4, -30, -30), (4, -30, 30), (4, 30, 30)], [(0, 3, 2, 1)], white)
    define(stage)
    frame = kit.render(stage, kit.rig_of(CAMERA), samples=samples, smoothing=0, edges=False)
    hints = [line for line in frame.hints if "carries a label" not in line]
    return frame.sensors["camera"].channels["HdrColor"][..., :3].mean((0, 1)), hints


def lamp(kind, **values):
    """A light at the origin that looks along +x; sizes and inputs by name."""

    def define(stage):
        prim = stage.DefinePrim("/World/lamp", kind)
        T = np.eye(4)
        T[:3, :3] = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]])
        UsdGeom.Xformable(prim).AddTransformOp().Set(kit.gf(T))
        if any(name.startswith("shaping") for name in values):
            UsdLux.ShapingAPI.Apply(prim)
        for name, value in values.items():
            name = name.replace("__", ":")
            prim.GetAttribute(name if name == "treatAsPoint" else f"inputs:{name}").Set(Gf.Vec3f(*value) if isinstance(value, tuple) else value)

    return define


@pytest.mark.parametrize("kind, size, area", [
    ("SphereLight", {"radius": 0.05}, 4 * np.pi * 0.05**2),
    ("DiskLight", {"radius": 0.1}, np.pi * 0.1**2),
    ("RectLight", {"width": 0.2, "height": 0.3}, 0.06),
    ("CylinderLight", {"radius": 0.02, "length": 0.4}, 2 * np.pi * 0.02 * 0.4),
])  # fmt: skip
def test_small_lamps_far_away(kind, size, area):
    """E = L A cos / d^2 with the projected area A; normalize divides by the emitting area; exposure doubles per stop."""
    projected = {"SphereLight": area / 4, "CylinderLight": area / np.pi}.get(kind, area)
    plain, _ = lit(lamp(kind, intensity=100.0, exposure=1.0, **size))
    assert plain[0] == pytest.approx(200 * projected / 16 / np.pi, rel=0.02)
    normal, _ = lit(lamp(kind, intensity=100.0, normalize=True, **size))
    assert normal[0] == pytest.approx(100 * projected / area / 16 / np.pi, rel=0.02)
    if kind == "SphereLight":
        point, _ = lit(lamp(kind, intensity=100.0, normalize=True, treatAsPoint=True, **size))
        assert point[0] == pytest.approx(normal[0], rel=0.01)


def test_distant_lights():
    """Unnormalized, a disc of radiance L and angular radius a gives L pi sin^2 a; normalized, its intensity is the irradiance."""
    sun, _ = lit(lamp("DistantLight", intensity=1000.0, angle=2.0))
    assert sun[0] == pytest.approx(1000 * np.sin(np.deg2rad(1)) ** 2, rel=1e-3)
    normal, _ = lit(lamp("DistantLight", intensity=3.0, angle=2.0, normalize=True))
    assert normal[0] == pytest.approx(3 / np.pi, rel=1e-3)
    around, _ = lit(lamp("DistantLight", intensity=3.0, angle=360.0, normalize=True))
    assert around[0] == pytest.approx(1.5 / np.pi, rel=1e-3)  # of a whole sphere of light half comes from the front

    def two(stage):
        lamp("DistantLight", intensity=3.0, normalize=True)(stage)
        other = UsdLux.DistantLight.Define(stage, "/World/z")
        other.CreateIntensityAttr(2.0)
        other.CreateNormalizeAttr(True)
        other.AddRotateYOp().Set(-90.0)

    both, hints = lit(two)
    assert both[0] == pytest.approx(5 / np.pi, rel=0.01) and hints == []


@pytest.mark.parametrize("angle", [4.0, 30.0, 90.0, 150.0])
def test_wide_distant_lights(angle):
    """A cone of half angle h around a direction in the wall's own plane gives it L (h - sin h cos h); wholly above the wall, E times the cosine of
    its axis."""

    def define(turn):
        def light(stage):
            lamp("DistantLight", intensity=2.0, angle=angle)(stage)
            UsdGeom.Xformable(stage.GetPrimAtPath("/World/lamp")).AddRotateYOp().Set(turn)

        return light

    h = np.deg2rad(angle / 2)
    if angle > 5:
        level, _ = lit(define(90.0), 512)
        assert level[0] == pytest.approx(2 * (h - np.sin(h) * np.cos(h)) / np.pi, rel=0.03)
    tilted, _ = lit(define(min(angle / 2, 90 - angle / 2)), 64)
    assert tilted[0] == pytest.approx(2 * np.sin(h) ** 2 * np.cos(min(h, np.pi / 2 - h)), rel=0.01)


@pytest.mark.parametrize("kind", ["RectLight", "DiskLight"])
@pytest.mark.parametrize("normalize", [False, True])
def test_sheared_lights(kind, normalize):
    """A flat light shines from the area that its transform makes, square to that."""
    stage = kit.new_stage()
    UsdGeom.Xform.Define(stage, "/World/wide").AddScaleOp().Set(Gf.Vec3f(1, 3, 0.5))
    prim = stage.DefinePrim("/World/wide/lamp", kind)
    UsdGeom.Xformable(prim).AddRotateXYZOp().Set(Gf.Vec3f(20, 30, 40))
    UsdLux.LightAPI(prim).CreateNormalizeAttr(normalize)
    (got,) = read_lights(light_prims(stage, Notes()), UsdGeom.XformCache(), np.eye(4)).lamps
    T = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(0)).T[:3, :3]
    square = np.cross(T[:, 0], T[:, 1])
    area = np.linalg.norm(square) * (np.pi / 4 if kind == "DiskLight" else 1)
    assert got["size"] == pytest.approx(area) and got["radiance"][0] == pytest.approx(1 / area if normalize else 1)
    np.testing.assert_allclose(got["axis"], -square / np.linalg.norm(square), atol=1e-6)


def test_temperature():
    warm, _ = lit(lamp("SphereLight", intensity=100.0, radius=0.05, colorTemperature=3000.0, enableColorTemperature=True))
    plain, _ = lit(lamp("SphereLight", intensity=100.0, radius=0.05, colorTemperature=3000.0))
    np.testing.assert_allclose(warm / plain, UsdLux.BlackbodyTemperatureAsRgb(3000.0), rtol=1e-3)


def test_cone_and_focus():
    """A cone cuts what lies outside; focus n fades as cos^n, read where the wall is seen 45 degrees off the axis."""

    def at(define, y):
        stage = kit.new_stage()
        kit.mesh(stage, "/World/wall", [(4, 30, -30), (4, -30, -30), (4, -30, 30), (4, 30, 30)], [(0, 3, 2, 1)],
                 kit.material(stage, "/World/white", (1.0, 1.0, 1.0), 0.4, ior=1.0))  # fmt: skip
        define(stage)
        angle = np.rad2deg(np.arctan2(y, 4))
        rig = kit.rig_of(CAMERA, T_rig=kit.pose(yaw_deg=angle))
        hdr = kit.render(stage, rig, samples=16, smoothing=0, edges=False).sensors["camera"].channels["HdrColor"]
        return float(hdr[4, 4, 0])

    bare = {"intensity": 100.0, "radius": 0.01}
    full = at(lamp("SphereLight", **bare), 4.0)
    assert at(lamp("SphereLight", **bare, shaping__cone__angle=44.0), 4.0) == 0.0
    assert at(lamp("SphereLight", **bare, shaping__cone__angle=46.0), 4.0) == pytest.approx(full, rel=1e-3)
    soft = at(lamp("SphereLight", **bare, shaping__cone__angle=50.0, shaping__cone__softness=0.2), 4.0)
    assert soft == pytest.approx(0.5 * full, rel=0.01)
    assert at(lamp("SphereLight", **bare, shaping__focus=3.0), 4.0) == pytest.approx(full * np.cos(np.pi / 4) ** 3, rel=0.01)


@pytest.mark.parametrize("samples", [1, 64])
@pytest.mark.parametrize(
    "roughness, metallic, expected", [(0.1, 1.0, 0.9995), (0.3, 1.0, 0.9764), (0.44, 1.0, 0.9177), (0.1, 0.0, 1.0), (0.44, 0.0, 1.0), (1.0, 0.0, 1.0)]
)
def test_white_furnace_by_roughness(roughness, metallic, expected, samples):
    """With many samples highlights are integrated, one takes their share from a table. A white metal ball under a uniform sky reflects all but what
    its micro-facets shadow: the mean of Smith's masking over visible normals, integrated over the disc without a renderer; a dielectric's body takes
    up what its coat does not."""
    stage = kit.new_stage()
    kit.lights(stage, sky=0.7)
    ball = UsdGeom.Sphere.Define(stage, "/World/ball")
    ball.AddTranslateOp().Set(Gf.Vec3d(5, 0, 0))
    look = kit.material(stage, "/World/white", (1.0, 1.0, 1.0), roughness, metallic=metallic)
    UsdShade.MaterialBindingAPI.Apply(ball.GetPrim()).Bind(look)
    channels = kit.render(stage, kit.rig_of(kit.pinhole(24, 24, 54.0)), samples=samples, smoothing=0, edges=False).sensors["camera"].channels
    seen = np.isfinite(channels["distance_to_camera"])
    assert channels["HdrColor"][seen][:, :3].mean() / 0.7 == pytest.approx(expected, abs=0.01)
    assert channels["HdrColor"][~seen][:, :3].mean() == pytest.approx(0.7, rel=1e-3)


def test_dome_image_orientation(tmp_path):
    """One bright texel in an 8 x 4 image is seen in the direction that OpenEXR's convention says, turned with the light."""
    import cv2

    image = np.full((32, 64, 3), 0.5, np.float32)
    image[8:12, 16:20] = 8.0  # longitude +79 degrees: towards +x of the light; latitude +34 degrees
    cv2.imwrite(str(tmp_path / "sky.hdr"), image)
    stage = kit.new_stage()
    dome = UsdLux.DomeLight.Define(stage, "/World/dome")
    dome.CreateTextureFileAttr(str(tmp_path / "sky.hdr"))
    dome.AddRotateXOp().Set(90.0)
    lon, lat = np.deg2rad(90 - 11.25), np.deg2rad(45 - 11.25)
    local = np.array([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)])
    world = np.array([local[0], -local[2], local[1]])
    azimuth, elevation = np.arctan2(world[1], world[0]), np.arcsin(world[2])
    T = kit.pose(yaw_deg=np.rad2deg(azimuth))
    pitch = np.eye(4)
    pitch[np.ix_([0, 2], [0, 2])] = [[np.cos(elevation), -np.sin(elevation)], [np.sin(elevation), np.cos(elevation)]]
    hdr = kit.render(stage, kit.rig_of(kit.pinhole(61, 61, 60.0), T_rig=T @ pitch)).sensors["camera"].channels["HdrColor"][..., 0]
    assert hdr[30, 30] == pytest.approx(8.0, rel=0.01)
    y, x = np.nonzero(hdr > 4)
    assert abs(y.mean() - 30) < 1.5 and abs(x.mean() - 30) < 1.5
    np.testing.assert_allclose(hdr[[0, -1]][:, [0, -1]], 0.5, rtol=0.01)


def test_time_samples_and_hidden_lights():
    stage = kit.new_stage()
    light = UsdLux.SphereLight.Define(stage, "/World/lamp")
    light.GetIntensityAttr().Set(7.0, 5)
    light.GetIntensityAttr().Set(9.0, 6)
    UsdLux.DiskLight.Define(stage, "/World/off").CreateVisibilityAttr("invisible")
    lights = read_lights(light_prims(stage, Notes()), UsdGeom.XformCache(), np.eye(4))
    assert len(lights.lamps) == 1 and lights.lamps[0]["radiance"].tolist() == [7, 7, 7]


def test_lights_without_numbers_copied_ones_and_old_ones_are_named():
    stage = kit.new_stage()
    UsdLux.RectLight.Define(stage, "/World/nowhere").AddTranslateOp().Set((float("nan"), 0, 0))
    UsdLux.DistantLight.Define(stage, "/World/wide").CreateAngleAttr(float("nan"))
    UsdLux.SphereLight.Define(stage, "/World/endless").CreateIntensityAttr(float("inf"))
    UsdLux.SphereLight.Define(stage, "/World/blinding").CreateExposureAttr(200.0)
    UsdLux.DiskLight.Define(stage, "/World/negative").CreateRadiusAttr(-2.0)
    UsdGeom.PointInstancer.Define(stage, "/World/many")
    UsdLux.SphereLight.Define(stage, "/World/many/lamp")
    UsdLux.SphereLight.Define(stage, "/World/many_more").GetPrim().CreateAttribute("intensity", Sdf.ValueTypeNames.Float).Set(5.0)
    notes = Notes()
    assert [str(p.GetPath()) for p in light_prims(stage, notes)] == ["/World/many_more"]
    assert notes.sorted() == [
        "light /World/blinding: colour, intensity and exposure must make less than 1e+20, got 1.60694e+60; the light is not honoured",
        "light /World/endless: inputs:intensity must be a finite number, got inf; the light is not honoured",
        "light /World/many/lamp: lights that a PointInstancer copies are not honoured",
        "light /World/many_more: intensity is of an old schema and is not read, inputs:intensity is",
        "light /World/negative: inputs:radius must be from 0 to 1e9, got -2; the light is not honoured",
        "light /World/nowhere: its transform must be finite; the light is not honoured",
        "light /World/wide: inputs:angle must be a finite number, got nan; the light is not honoured",
    ]


def test_what_lights_cannot_do_is_named(tmp_path):
    stage = kit.new_stage()
    dome = UsdLux.DomeLight.Define(stage, "/World/dome")
    dome.CreateTextureFileAttr("absent.hdr")
    dome.CreateDiffuseAttr(0.5)
    shaped = UsdLux.SphereLight.Define(stage, "/World/ies")
    UsdLux.ShapingAPI.Apply(shaped.GetPrim()).CreateShapingIesFileAttr("a.ies")
    UsdLux.DiskLight.Define(stage, "/World/none").CreateRadiusAttr(0.0)
    UsdLux.RectLight.Define(stage, "/World/screen").CreateTextureFileAttr("a.png")
    UsdLux.PortalLight.Define(stage, "/World/portal")
    UsdLux.LightAPI.Apply(kit.box(stage, "/World/glow", (0, 0, 0), (1, 1, 1)).GetPrim())
    shadow = UsdLux.ShadowAPI.Apply(UsdLux.RectLight.Define(stage, "/World/shadow").GetPrim())
    shadow.CreateShadowColorAttr(Gf.Vec3f(1, 0, 0))
    shadow.CreateShadowDistanceAttr(2.0)
    UsdLux.ShadowAPI.Apply(UsdLux.RectLight.Define(stage, "/World/plain").GetPrim()).CreateShadowEnableAttr(True)
    UsdLux.CylinderLight.Define(stage, "/World/line").CreateTreatAsLineAttr(True)
    UsdLux.ShapingAPI.Apply(UsdLux.DistantLight.Define(stage, "/World/far").GetPrim()).CreateShapingConeAngleAttr(20.0)
    dome.CreatePortalsRel().AddTarget("/World/portal")
    stage.GetPrimAtPath("/World/glow").CreateAttribute("inputs:intensity", Sdf.ValueTypeNames.Float).Set(1.0)
    notes = Notes()
    lights = read_lights(light_prims(stage, notes), UsdGeom.XformCache(), np.eye(4))
    text = "\n".join(notes.sorted())
    for words in ("dome: texture must be a readable image", "dome: inputs:diffuse is not honoured", "screen: texture must be a readable image",
                  "ies: inputs:shaping:ies:file must be a profile of type C", "none: a light without an area", "portal: PortalLight",
                  "glow: Mesh is no light", "shadow: inputs:shadow:color is not", "shadow: inputs:shadow:distance is not",
                  "line: treatAsLine is not", "far: inputs:shaping:cone:angle is not", "dome: portals are not"):  # fmt: skip
        assert words in text
    assert "plain" not in text.replace("shadows are plain", "") and lights.dome is None and np.isfinite(lights.lamps["radiance"]).all()


@pytest.mark.parametrize("asks", [False, True])
def test_a_dome_beside_a_sun_is_as_authored_unless_it_asks_for_a_sky(asks):
    stage = kit.new_stage()
    dome = UsdLux.DomeLight.Define(stage, "/World/dome")
    dome.CreateIntensityAttr(0.5)
    dome.GetPrim().CreateAttribute("tailgate:sky", Sdf.ValueTypeNames.Bool).Set(asks)
    sun = UsdLux.DistantLight.Define(stage, "/World/sun")
    sun.CreateIntensityAttr(2.0)
    sun.CreateNormalizeAttr(True)
    hdr = kit.render(stage, kit.rig_of(CAMERA)).sensors["camera"].channels["HdrColor"][..., :3]
    assert (np.ptp(hdr) > 0.1) == asks
    if not asks:
        np.testing.assert_allclose(hdr, 0.5, rtol=1e-5)


def behind(**values):
    """The same lamp, a sphere, turned so that the wall is behind it."""

    def define(stage):
        lamp("SphereLight", intensity=100.0, radius=0.05, **values)(stage)
        UsdGeom.Xformable(stage.GetPrimAtPath("/World/lamp")).AddRotateYOp().Set(180.0)

    return define


def test_shaping_lets_a_sphere_shine_forward_alone():
    """UsdLux: nothing beyond the cone's angle, 90 degrees where none is given; focus takes the absolute cosine, so that 180 degrees shine behind."""
    plain, _ = lit(behind())
    for cone in (90.0, 120.0):
        assert lit(behind(shaping__cone__angle=cone))[0].max() == 0.0
    assert lit(behind(shaping__focus=2.0))[0].max() == 0.0
    for focus in (0.0, 2.0):
        assert lit(behind(shaping__cone__angle=180.0, shaping__focus=focus))[0] == pytest.approx(plain, rel=0.02)


@pytest.mark.parametrize("scale, same", [((10, 1, 1), {"length": 1.0, "radius": 0.02}), ((1, 3, 3), {"length": 0.1, "radius": 0.06})])
def test_scaled_tubes_shine_as_tubes_of_that_size(scale, same):
    def scaled(stage):
        lamp("CylinderLight", intensity=100.0, length=0.1, radius=0.02)(stage)
        UsdGeom.Xformable(stage.GetPrimAtPath("/World/lamp")).AddScaleOp().Set(Gf.Vec3f(*scale))

    got, hints = lit(scaled)
    assert got[0] == pytest.approx(lit(lamp("CylinderLight", intensity=100.0, **same))[0][0], rel=0.01) and hints == []


@pytest.mark.parametrize(
    "kind, scale, words",
    [
        ("SphereLight", (1, 1, 4), "an ellipsoid or oval, it shines as a sphere does"),
        ("CylinderLight", (1, 1, 4), "an ellipsoid or oval, it shines as a cylinder does"),
        ("RectLight", (0, 1, 1), "a light without an area emits nothing"),
        ("DiskLight", (1, 0, 1), "a light without an area emits nothing"),
        ("SphereLight", (0, 1, 1), "a light without an area emits nothing unless inputs:normalize is set"),
    ],
)
def test_lamps_that_their_transform_deforms_are_named(kind, scale, words):
    stage = kit.new_stage()
    UsdGeom.Xformable(stage.DefinePrim("/World/lamp", kind)).AddScaleOp().Set(Gf.Vec3f(*scale))
    notes = Notes()
    light_prims(stage, notes)
    assert len(notes.sorted()) == 1 and words in notes.sorted()[0]


@pytest.mark.parametrize("hide", ["invisible", "dark", "lost", ""])
def test_of_domes_with_images_the_first_that_shines_is_shown(tmp_path, hide):
    import cv2

    cv2.imwrite(str(tmp_path / "sky.hdr"), np.full((8, 16, 3), 1.0, np.float32))
    stage = kit.new_stage()
    domes = [UsdLux.DomeLight.Define(stage, f"/World/{name}") for name in ("first", "second")]
    for dome, intensity in zip(domes, (2.0, 3.0), strict=True):
        dome.CreateTextureFileAttr(str(tmp_path / "sky.hdr"))
        dome.CreateIntensityAttr(intensity)
    if hide == "invisible":
        UsdGeom.Imageable(domes[0]).MakeInvisible()
    if hide == "dark":
        domes[0].GetIntensityAttr().Set(0.0)
    if hide == "lost":
        domes[0].GetTextureFileAttr().Set("lost.hdr")
    notes = Notes()
    lights = read_lights(light_prims(stage, notes), UsdGeom.XformCache(), np.eye(4))
    assert lights.dome.tint[0] == (3.0 if hide else 2.0)
    assert any("only one dome with an image is honoured, /World/first" in line for line in notes.sorted()) == (not hide)
