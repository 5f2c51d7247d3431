"""Direct light of every kind of lamp on a diffuse and a rough metal sphere against mitsuba's figures (``tests/oracles/direct_light.py``)."""

import asyncio
import json
import sys

import numpy as np
import pytest
import stage_kit as kit
from checkout import ORACLES
from pxr import Gf, UsdGeom, UsdLux, UsdShade
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend

sys.path.insert(0, str(ORACLES))
import direct_light as oracle

TABLE = json.loads((ORACLES / "direct_light.json").read_text())
REPEATS, SAMPLES = 12, 192


def place(position, target=oracle.CENTRE):
    """T_world_light whose -z looks at the target and whose x axis is level."""
    z = np.array(position, float) - target
    z /= np.linalg.norm(z)
    x = np.cross([0, 0, 1.0], z)
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.stack([x, np.cross(z, x), z], 1), position
    return kit.gf(T)


def colour(light, rgb):
    """The radiance as colour, intensity and exposure: 10 = (10 / 4) * 2^2."""
    top = max(rgb)
    light.CreateColorAttr(Gf.Vec3f(*(float(c / top) for c in rgb)))
    light.CreateIntensityAttr(top / 4)
    light.CreateExposureAttr(2.0)


def add_light(stage, name, folder):
    """One of the oracle's lights as a UsdLux prim."""
    given = oracle.LIGHTS[name]
    kind = {"point": "SphereLight", "distant": "DistantLight"}.get(name, f"{name.title()}Light")
    prim = stage.DefinePrim("/World/light", kind)
    light = UsdLux.LightAPI(prim)
    if name == "dome":
        UsdGeom.Xformable(prim).AddTransformOp().Set(place((1.0, 2.0, 0.5), np.zeros(3)))
        UsdLux.DomeLight(prim).CreateTextureFileAttr(str(write_sky(prim, folder)))
        return
    if name == "distant":
        UsdGeom.Xformable(prim).AddTransformOp().Set(place(given["toward"], np.zeros(3)))
        colour(light, given["irradiance"])
        prim.GetAttribute("inputs:angle").Set(0.0)
        return
    UsdGeom.Xformable(prim).AddTransformOp().Set(place(given["position"]))
    for size in ("radius", "width", "height", "length"):
        if size in given:
            prim.GetAttribute(f"inputs:{size}").Set(given[size])
    if name == "point":
        UsdLux.SphereLight(prim).CreateTreatAsPointAttr(True)
        light.CreateNormalizeAttr(True)
        colour(light, tuple(4 * c for c in given["intensity"]))
    else:
        colour(light, given["radiance"])


def write_sky(prim, folder):
    """The oracle's sky as a latitude-longitude image in the light's own frame (OpenEXR: +z at the centre, +x to the left, +y up)."""
    import cv2

    v, u = np.mgrid[:128, :256]
    lon, lat = (0.5 - (u + 0.5) / 256) * 2 * np.pi, (0.5 - (v + 0.5) / 128) * np.pi
    local = np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)], -1)
    R = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(0)).T[:3, :3]
    image = oracle.sky(local @ R.T).astype(np.float32)
    path = folder / "sky.hdr"
    assert cv2.imwrite(str(path), np.repeat(image[..., None], 3, -1))
    return path


def measured(name, coat, folder, samples, repeats):
    """Radiance of the oracle's pixels in each of several clips, float64 [repeats, N, 3]."""
    stage = kit.new_stage()
    add_light(stage, name, folder)
    more = {"ior": 1.0} if coat == "diffuse" else {"metallic": 1.0}
    bound = kit.material(stage, "/World/look", oracle.MATERIALS[coat], oracle.ROUGHNESS, **more)
    ball = UsdGeom.Sphere.Define(stage, "/World/ball")
    ball.CreateRadiusAttr(1.0)
    ball.AddTranslateOp().Set(Gf.Vec3d(*oracle.CENTRE))
    UsdShade.MaterialBindingAPI.Apply(ball.GetPrim()).Bind(bound)
    backend = WarpBackend(samples=samples, smoothing=0, edges=False)
    backend.open(stage, kit.rig_of(kit.pinhole(oracle.SIZE, oracle.SIZE, oracle.FOCAL)), {})
    rows, columns = np.array(TABLE["pixels"]).T
    got = []
    for clip in range(repeats):
        backend.apply(Sample(FrameId("test", 0, clip)))
        frame = asyncio.run(backend.capture())
        got.append(frame.sensors["camera"].channels["HdrColor"][rows, columns, :3].astype(np.float64))
    backend.close()
    assert frame.hints == []
    return np.array(got)


@pytest.mark.parametrize("coat", list(oracle.MATERIALS))
@pytest.mark.parametrize("name", list(oracle.LIGHTS))
def test_light_agrees_with_mitsuba(tmp_path, name, coat):
    """A z-test over pixels and colours (|z| < 5: the standard errors come from 12 repeats, so their tails are those of t with 11 degrees), beside
    1 % of a pixel and 0.1 % of the brightest one for what is no noise: our sphere has facets, the sky's image 8-bit mantissas."""
    got = measured(name, coat, tmp_path, SAMPLES, REPEATS)
    mean, error = np.mean(got, 0), np.std(got, 0, ddof=1) / np.sqrt(REPEATS)
    expected = np.array(TABLE["radiance"][f"{name} on {coat}"]["mean"])
    theirs = np.array(TABLE["radiance"][f"{name} on {coat}"]["error"])
    slack = 0.01 * expected + 0.001 * expected.max()
    z = np.maximum(np.abs(mean - expected) - slack, 0) / np.sqrt(error**2 + theirs**2 + 1e-12)
    print(f"{name} on {coat}: largest z {z.max():.1f}, mean ratio {mean.sum() / expected.sum():.4f}, error {100 * error.mean() / mean.mean():.2f} %")
    assert z.max() < 5 and mean.sum() / expected.sum() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("coat", list(oracle.MATERIALS))
@pytest.mark.parametrize("name", list(oracle.LIGHTS))
def test_one_sample_keeps_the_brightness(tmp_path, name, coat):
    """The mean of many clips of one sample. Lamps' centres stand for them in highlights, which costs most with a tube as long as it is far."""
    got = measured(name, coat, tmp_path, 1, 64)
    expected = np.array(TABLE["radiance"][f"{name} on {coat}"]["mean"])
    error = got.sum((1, 2)).std(ddof=1) / 8 / expected.sum()
    slack = 0.2 if (name, coat) == ("cylinder", "metal") else 0.05
    print(f"{name} on {coat}: mean ratio {got.mean(0).sum() / expected.sum():.3f}, error {error:.3f}")
    assert got.mean(0).sum() / expected.sum() == pytest.approx(1.0, abs=slack + 3 * error)
