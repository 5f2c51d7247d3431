"""Light by way of other surfaces, straight and in mirrors: none comes through walls, and a hidden lamp adds nothing."""

import asyncio

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, UsdGeom, UsdLux, UsdShade
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend

CAMERA = kit.pinhole(24, 18, 15.0)


def room(stage, look):
    """A closed room of 4 x 4 x 3 m around the origin, its walls 10 cm thick."""
    for k, (axis, half) in enumerate(zip((0, 1, 2), (2.0, 2.0, 1.5), strict=True)):
        for side in (-1, 1):
            low, high = np.array([-2.1, -2.1, -1.6]), np.array([2.1, 2.1, 1.6])
            low[axis], high[axis] = sorted((side * half, side * (half + 0.1)))
            kit.box(stage, f"/World/wall_{k}_{side + 1}", tuple(low), tuple(high), look)


def ball(stage, place, radius, look):
    made = UsdGeom.Sphere.Define(stage, "/World/ball")
    made.CreateRadiusAttr(radius)
    made.AddTranslateOp().Set(Gf.Vec3d(*place))
    UsdShade.MaterialBindingAPI.Apply(made.GetPrim()).Bind(look)


def lamp(stage, kind, path="/World/lamp", place=(4.0, 0.0, 0.0), intensity=50.0):
    """A light that looks along -x."""
    prim = stage.DefinePrim(path, kind)
    UsdGeom.Xformable(prim).AddTranslateOp().Set(Gf.Vec3d(*place))
    UsdGeom.Xformable(prim).AddRotateYOp().Set(90.0)
    UsdLux.LightAPI(prim).CreateIntensityAttr(intensity)


def radiance(stage, samples, pose, clips=1):
    """Mean over clips, float64 [H, W]."""
    backend = WarpBackend(samples=samples, smoothing=0, edges=False)
    backend.open(stage, kit.rig_of(CAMERA, T_rig=pose), {})
    total = 0.0
    for clip in range(clips):
        backend.apply(Sample(FrameId("test", 0, clip)))
        total = total + asyncio.run(backend.capture()).sensors["camera"].channels["HdrColor"][..., :3].astype(np.float64).mean(-1) / clips
    backend.close()
    return total


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("kind", ["RectLight", "SphereLight", "DistantLight", "DomeLight"])
@pytest.mark.parametrize("roughness", [0.02, 0.25, 0.5])
def test_closed_rooms_are_dark(kind, samples, roughness):
    """A white room with a metal ball in it and a light outside."""
    stage = kit.new_stage()
    room(stage, kit.material(stage, "/World/white", (0.9, 0.9, 0.9), ior=1.0))
    ball(stage, (1.2, 0.0, 0.0), 0.5, kit.material(stage, "/World/metal", (0.9, 0.9, 0.9), roughness, metallic=1.0))
    lamp(stage, kind)
    assert radiance(stage, samples, kit.pose(x=-1.5)).max() == 0.0


def test_a_sun_outside_takes_no_glow_away():
    """Light of a panel behind a baffle comes by two bounces."""

    def mean(sun):
        stage = kit.new_stage()
        white = kit.material(stage, "/World/white", (0.8, 0.8, 0.8), ior=1.0)
        room(stage, white)
        kit.box(stage, "/World/baffle", (0.5, -2, -1.5), (0.6, 2, 0.9), white)
        kit.box(stage, "/World/panel", (1, -1, -1.5), (1.8, 1, -1.45), kit.material(stage, "/World/glow", (0.0,) * 3, emissiveColor=(5.0,) * 3))
        if sun:
            kit.lights(stage, 0.0, sun, (0.3, 0.2, 0.9))
        return radiance(stage, 256, kit.pose(x=-1.5), 12).mean()  # half of the bounces look at the panel in vain

    assert mean(5.0) == pytest.approx(mean(0.0), rel=0.03)


@pytest.mark.parametrize("roughness", [0.2, 0.3, 0.5])
def test_a_hidden_lamp_leaves_no_highlight(roughness):
    """One sample of a metal ball that sees one lamp; another one stands behind a black wall. Many clips agree with and without it."""

    def shown(hidden):
        stage = kit.new_stage()
        ball(stage, (5.0, 0.0, 0.0), 1.0, kit.material(stage, "/World/metal", (0.9, 0.9, 0.9), roughness, metallic=1.0))
        black = kit.material(stage, "/World/black", (0.0, 0.0, 0.0), ior=1.0)
        kit.box(stage, "/World/wall", (1, -1.55, -3), (4.2, -1.5, 3), black)
        kit.box(stage, "/World/end", (4.15, -6, -3), (4.2, -1.5, 3), black)
        lamp(stage, "SphereLight", "/World/seen", (2.0, 2.0, 1.0))
        if hidden:
            lamp(stage, "SphereLight", "/World/hidden", (2.5, -2.5, 0.5))
        return radiance(stage, 1, kit.pose(), 48)

    without, with_it = shown(False), shown(True)
    # Where both lamps' highlights are alike, a coin per clip tells which of them is asked: 48 leave some 2 % of the brightest.
    assert np.abs(with_it - without).max() < 0.05 * without.max() and with_it.sum() == pytest.approx(without.sum(), rel=0.02)
