"""What UsdLux lets lamps do besides shining alike on everything: show an image, light some surfaces only, scatter more than they mirror."""

import asyncio

import cv2
import numpy as np
import pytest
import stage_kit as kit
from pxr import UsdGeom, UsdLux, UsdShade
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend
from tailgate.stage.images import to_linear
from tailgate.stage.light_checks import light_prims
from tailgate.stage.light_links import SETS, light_links
from tailgate.stage.walk import Notes

WIDTH, HEIGHT = 4.0, 3.0


def screen(stage, file=None, kind="RectLight"):
    """A rectangle at the origin that shines on the wall."""
    light = stage.DefinePrim("/World/screen", kind)
    UsdGeom.Xformable(light).AddTransformOp().Set(kit.gf(kit.T_FORWARD_LIGHT))
    UsdLux.LightAPI(light).GetIntensityAttr().Set(3.0)
    if kind == "RectLight":
        light.GetAttribute("inputs:width").Set(WIDTH)
        light.GetAttribute("inputs:height").Set(HEIGHT)
    if file:
        light.GetAttribute("inputs:texture:file").Set(str(file))
    return light


def wall(stage, **look):
    """A square 3 m ahead that faces the camera."""
    bound = kit.material(stage, "/World/look", (1.0, 1.0, 1.0), **{"roughness": 0.5, "ior": 1.0, **look})
    kit.mesh(stage, "/World/wall", [(3, 9, -9), (3, -9, -9), (3, -9, 9), (3, 9, 9)], [(0, 3, 2, 1)], bound)


def seen(stage, size=32, **quality):
    """Radiance of the wall over a field of view of 90 degrees, [size, size, 3], and what the frame says."""
    frame = kit.render(stage, kit.rig_of(kit.pinhole(size, size, size / 2)), {}, **{**kit.EXACT, **quality})
    hints = [line for line in frame.hints if "carries a label" not in line]
    return frame.sensors["camera"].channels["HdrColor"][..., :3].astype(np.float64), hints


def integral(image, size, parts=24):
    """Twin: radiance of the wall under a rectangle of linear texels [H, W, 3], upright for who looks into it; each texel as parts^2 points."""
    height, width = image.shape[:2]
    x, y = ((np.arange(n * parts) + 0.5) / (n * parts) - 0.5 for n in (width, height))
    texels = image.repeat(parts, 0).repeat(parts, 1)
    points = np.stack([np.zeros(texels.shape[:2]), *np.meshgrid(x * WIDTH, -y * HEIGHT)], -1)
    v, u = np.mgrid[:size, :size]
    seen_at = np.stack([np.full((size, size), 3.0), (size / 2 - 0.5 - u) / size * 6, (size / 2 - 0.5 - v) / size * 6], -1)
    out = np.zeros((size, size, 3))
    for k in np.ndindex(size, size):
        way = points - seen_at[k]
        d2 = (way**2).sum(-1)
        out[k] = (texels * (9.0 / d2**2)[..., None]).sum((0, 1))
    return 3.0 * out / np.pi * WIDTH * HEIGHT / (texels.shape[0] * texels.shape[1])


def blocks(image, n=4):
    """Means of n x n blocks."""
    return image.reshape(n, image.shape[0] // n, n, image.shape[1] // n, 3).mean((1, 3))


@pytest.mark.parametrize("samples", [1, 4])
def test_a_white_image_is_no_image(tmp_path, samples):
    cv2.imwrite(str(tmp_path / "white.png"), np.full((3, 5, 3), 255, np.uint8))
    shown = []
    for file in (None, tmp_path / "white.png"):
        stage = kit.new_stage()
        screen(stage, file)
        wall(stage, roughness=0.2, metallic=0.5)
        shown.append(seen(stage, samples=samples)[0])
    np.testing.assert_array_equal(*shown)
    assert shown[0].max() > 0.1


@pytest.mark.parametrize("size, samples", [(128, 1), (32, 64)])
@pytest.mark.parametrize("suffix", ["png", "hdr"])
def test_a_rectangle_shows_its_image(tmp_path, suffix, size, samples):
    """Light on the wall against the sum over the texels of an image whose quarters differ: which side is up, left, and which values are decoded."""
    codes = np.array([[[255, 0, 0], [0, 0, 0], [0, 255, 0]], [[0, 0, 255], [128, 128, 128], [40, 200, 90]]], np.uint8)
    file = tmp_path / f"screen.{suffix}"
    assert cv2.imwrite(str(file), codes if suffix == "png" else codes.astype(np.float32) / 32)
    texels = to_linear(codes / 255) if suffix == "png" else codes / 32
    stage = kit.new_stage()
    screen(stage, file)
    wall(stage)
    got, hints = seen(stage, size, samples=samples)
    np.testing.assert_allclose(blocks(got), blocks(integral(texels[..., ::-1], 32)), rtol=0.04, atol=0.01 * got.max())
    assert hints == []


def test_a_black_image_and_one_that_cannot_be_read(tmp_path):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no image")
    shown = {}
    for name in ("black", "broken"):
        stage = kit.new_stage()
        screen(stage, tmp_path / f"{name}.png")
        wall(stage)
        shown[name], hints = seen(stage)
        assert [("must be a readable image" in line) for line in hints] == [True] * (name == "broken")
    assert shown["black"].max() == 0 and shown["broken"].min() > 0


def refined(samples, kind="SphereLight", clearcoat=0.0, **factors):
    """A shiny wall under one lamp with factors on what it scatters and mirrors."""
    stage = kit.new_stage()
    light = screen(stage, kind=kind)
    for name, value in factors.items():
        light.GetAttribute(f"inputs:{name}").Set(value)
    wall(stage, roughness=0.3, ior=1.5, clearcoat=clearcoat)
    return seen(stage, samples=samples)


@pytest.mark.parametrize("samples, kind, clearcoat", [(1, "SphereLight", 0.0), (1, "DistantLight", 1.0), (4, "RectLight", 0.0)])
def test_diffuse_and_specular_factors(samples, kind, clearcoat):
    """What is scattered and what is mirrored add up; factors scale each alone."""
    (whole, hints), (body, _), (shine, _), (none, _) = (
        refined(samples, kind, clearcoat, diffuse=d, specular=s) for d, s in ((0.999999, 1.0), (2.0, 0.0), (0.0, 0.5), (0.0, 0.0))
    )
    assert hints == [] and none.max() == 0 and body.max() > 0 and shine.max() > 0
    np.testing.assert_allclose(whole, body / 2 + 2 * shine, rtol=1e-4, atol=1e-6)


def linked_stage(kind="SphereLight"):
    """Two walls side by side, the left one without a light that is meant for the right one."""
    stage = kit.new_stage()
    light = screen(stage, kind=kind)
    look = kit.material(stage, "/World/look", (1.0, 1.0, 1.0), 0.3)
    for name, y in (("left", 9), ("right", -9)):
        kit.mesh(stage, f"/World/{name}", [(3, y, -9), (3, 0, -9), (3, 0, 9), (3, y, 9)], [(0, 1, 2, 3)], look)
    UsdLux.LightAPI(light).GetLightLinkCollectionAPI().ExcludePath("/World/left")
    return stage


@pytest.mark.parametrize("kind", ["SphereLight", "RectLight", "DistantLight"])
@pytest.mark.parametrize("samples", [1, 4])
def test_a_lamp_lights_what_it_is_linked_to(kind, samples):
    got, hints = seen(linked_stage(kind), samples=samples)
    assert hints == [] and got[:, :15].max() == 0 and got[:, 17:].min() > 0


def test_lights_may_be_linked_to_parts_and_to_other_ones_while_a_stage_is_open():
    stage = kit.new_stage()
    wall(stage)
    light = screen(stage, kind="SphereLight")
    subset = UsdGeom.Subset.Define(stage, "/World/wall/part")
    subset.CreateIndicesAttr([0])
    subset.CreateFamilyNameAttr("materialBind")
    UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(UsdShade.Material.Get(stage, "/World/look"))
    collection = UsdLux.LightAPI(light).GetLightLinkCollectionAPI()
    collection.CreateIncludeRootAttr(False)
    backend = WarpBackend(**kit.EXACT)
    backend.open(stage, kit.rig_of(kit.pinhole(8, 8, 4.0)), {})
    shown = []
    for clip, path in enumerate((None, "/World/wall/part", "/World/other")):
        if path:
            collection.GetIncludesRel().SetTargets([path])
        backend.apply(Sample(FrameId("test", 0, clip)))
        shown.append(asyncio.run(backend.capture()).sensors["camera"].channels["HdrColor"][..., 0].max())
    backend.close()
    assert shown[0] == 0 and shown[1] > 0 and shown[2] == 0


def test_more_sets_than_bits_and_linked_domes_are_named():
    stage = kit.new_stage()
    for k in range(SETS + 2):
        kit.box(stage, f"/World/box{k:02d}", (0, 0, 0), (1, 1, 1))
        light = UsdLux.SphereLight.Define(stage, f"/World/light{k:02d}")
        UsdLux.LightAPI(light).GetLightLinkCollectionAPI().ExcludePath(f"/World/box{k:02d}")
    dome = UsdLux.DomeLight.Define(stage, "/World/sky")
    UsdLux.LightAPI(dome).GetLightLinkCollectionAPI().ExcludePath("/World/box00")
    UsdLux.LightAPI(dome).GetShadowLinkCollectionAPI().ExcludePath("/World/box00")
    notes = Notes()
    links = light_links(light_prims(stage, notes), [f"/World/box{k:02d}" for k in range(SETS + 2)], notes)
    assert len(set(links.lit.values())) == SETS and [(of < 0) for of in links.of_slot].count(True) == 0
    text = "\n".join(notes.sorted())
    for words in ("light32: it lights everything, lights may be linked to 31", "sky: it lights everything, light linking of domes",
                  "sky: everything throws its shadow"):  # fmt: skip
        assert words in text


def shaded_stage(kind, plate=True):
    """The wall, lit from the left past the view, and beside the view a black plate whose shadow falls into the middle of it."""
    stage = kit.new_stage()
    wall(stage)
    light = screen(stage, kind=kind)
    aside, along = np.eye(4), np.array([1.0, -2.0]) / np.sqrt(5.0)
    aside[:2, :2], aside[1, 3] = [[along[0], -along[1]], [along[1], along[0]]], 6.0
    UsdGeom.Xformable(light).GetOrderedXformOps()[0].Set(kit.gf(aside @ kit.T_FORWARD_LIGHT))
    if plate:
        corners = [(1.5, 4, -1), (1.5, 2, -1), (1.5, 2, 1), (1.5, 4, 1)]
        kit.mesh(stage, "/World/plate", corners, [(0, 1, 2, 3)], kit.material(stage, "/World/black", (0.0, 0.0, 0.0), 0.9))
    return stage, light


@pytest.mark.parametrize("kind", ["SphereLight", "RectLight", "DistantLight"])
@pytest.mark.parametrize("how", ["shadowLink", "shadow:enable"])
def test_light_passes_what_throws_no_shadow(kind, how):
    free, _ = seen(shaded_stage(kind, plate=False)[0])
    stage, light = shaded_stage(kind)
    dark, _ = seen(stage)
    if how == "shadowLink":
        UsdLux.LightAPI(light).GetShadowLinkCollectionAPI().ExcludePath("/World/plate")
    else:
        UsdLux.ShadowAPI.Apply(light).CreateShadowEnableAttr(False)
    lit, hints = seen(stage)
    assert hints == [] and dark[16, 16].max() < 0.6 * free[16, 16].min()
    np.testing.assert_allclose(lit, free, rtol=0.01 if kind == "DistantLight" else 1e-4)  # no longer the sun, but a lamp whose cosine is sampled


def test_only_what_is_linked_throws_a_shadow():
    """Of two plates behind each other the one that is linked throws the same shadow as alone."""
    stage, light = shaded_stage("SphereLight")
    alone, _ = seen(stage)
    kit.box(stage, "/World/other", (0.6, 4.2, -2), (0.9, 5.2, 2), UsdShade.Material.Get(stage, "/World/black"))
    UsdLux.LightAPI(light).GetShadowLinkCollectionAPI().ExcludePath("/World/other")
    both, hints = seen(stage)
    assert hints == []
    np.testing.assert_allclose(both, alone, rtol=1e-4)
