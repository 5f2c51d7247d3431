"""The kernels of a ray-traced picture against their twins, which test every triangle and integrate over directions."""

from functools import cached_property

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, UsdGeom, UsdLux
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import launch
from tailgate.render.raytrace import camera_kernels, light_twins, scene_twin
from tailgate.render.raytrace.camera import CameraFilm, camera_of
from tailgate.render.raytrace.camera_kernels import Film
from tailgate.render.raytrace.coat_kernel import coat_kernel
from tailgate.render.raytrace.daylight import daylight
from tailgate.render.raytrace.edges import edge_kernel
from tailgate.render.raytrace.image_twins import edge_twin
from tailgate.render.raytrace.live import LiveScene
from tailgate.render.raytrace.pane_kernels import behind_kernel, pane_kernel
from tailgate.stage.materials import FACE, PASSED, SHEET, Surface

MODEL = kit.pinhole(24, 18, 20.0, near=0.5, far=30.0)
COARSE = kit.pinhole(7, 5, 5.8, near=0.5, far=30.0)
TOWARD_SUN = (-0.4, 0.6, 0.5)
TINT = (0.9, 0.5, 0.3, 0.4)
LAMPS = {"lamp": (3.0, 2.5, 2.5), "other": (5.0, -2.0, 3.0)}
CORNERS = np.concatenate([np.eye(3), -np.eye(3)])
EIGHT = [(i, j, k) if (i > 2) ^ (j > 2) ^ (k > 2) else (i, k, j) for i in (0, 3) for j in (1, 4) for k in (2, 5)]
MIRRORED = np.diag([1.0, -1.0, 1.0, 1.0])


def street(stage, names=("matt", "metal", "mirror", "coated", "glow"), lamps=tuple(LAMPS), radius=0.05):
    """Boxes of some makes and an octahedron shaded as a ball on a ground, one of them mirrored, two plates of one mesh, two panes before some of
    them, something too near to be seen, a sun, a sky and small lamps."""
    kit.lights(stage, sky=0.6, sun=2.5, sun_direction=TOWARD_SUN)
    for name in lamps:
        lamp = UsdLux.SphereLight.Define(stage, f"/World/{name}")
        lamp.CreateRadiusAttr(radius)
        lamp.CreateIntensityAttr(2.25 / radius**2)
        lamp.CreateColorAttr(Gf.Vec3f(1.0, 0.8, 0.5) if name == "lamp" else Gf.Vec3f(0.3, 0.5, 1.0))
        UsdGeom.Xformable(lamp).AddTranslateOp().Set(Gf.Vec3d(*LAMPS[name]))
    kit.ground(stage, "/World/ground", kit.material(stage, "/World/grey", (0.4, 0.42, 0.4), 0.8), 60.0, -1.5)
    looks = {
        "matt": kit.material(stage, "/World/matt", (0.7, 0.3, 0.2), 0.9),
        "metal": kit.material(stage, "/World/metal", (0.8, 0.7, 0.5), 0.45, metallic=1.0),
        "mirror": kit.material(stage, "/World/mirror", (0.9, 0.9, 0.9), 0.02, metallic=1.0),
        "coated": kit.material(stage, "/World/coated", (0.1, 0.2, 0.6), 0.6, clearcoat=0.7, clearcoatRoughness=0.02),
        "glow": kit.material(stage, "/World/glow", (0.0, 0.0, 0.0), emissiveColor=(2.0, 1.0, 0.5)),
    }
    for k, name in enumerate(names):
        pose = kit.pose(x=6 + k % 2, y=2.9 - 1.45 * k, z=-0.6 + 0.23 * k, yaw_deg=17 + 31 * k)
        path = kit.mover(stage, name, k + 1, pose @ MIRRORED if name == "metal" else pose)
        if name == "matt":
            ball = kit.mesh(stage, f"{path}/body", CORNERS, EIGHT, looks[name])
            ball.CreateNormalsAttr([Gf.Vec3f(*map(float, n)) for n in CORNERS])
            ball.SetNormalsInterpolation("vertex")
        else:
            kit.box(stage, f"{path}/body", (-0.5, -0.6, -0.7), (0.5, 0.6, 0.7), looks[name])
    plates = [(x, y, z) for x, y0 in ((8.5, -0.6), (9.4, 0.0)) for y, z in ((y0, -0.8), (y0 + 0.6, -0.8), (y0 + 0.6, 1.6), (y0, 1.6))]
    kit.mesh(stage, "/World/plates", plates, [(0, 3, 2, 1), (4, 7, 6, 5)], looks["matt"])
    kit.mesh(stage, "/World/close", [(0.3, 0.02, 0.05), (0.3, -0.04, 0.05), (0.3, 0.0, 0.1)], [(0, 1, 2)], looks["matt"])
    green = kit.material(stage, "/World/green", (0.05, 0.1, 0.05), 0.02, opacity=0.2, ior=1.5)
    red = kit.material(stage, "/World/red", (0.2, 0.02, 0.02), 0.02, opacity=0.4, ior=1.4, metallic=0.5)
    pane = [(0, -0.5, -0.8), (0, 0.5, -0.8), (0, 0.5, 1.3), (0, -0.5, 1.3)]
    for name, x, y, look in (("near", 3.1, 0.8, green), ("far", 4.3, 0.5, red)):
        kit.mesh(stage, f"/World/{name}", pane, [(0, 1, 2, 3)], look, kit.pose(x, y, 0.1, 25))
    hidden = kit.mover(stage, "hidden", 9, kit.pose(x=2.0))
    kit.box(stage, f"{hidden}/body", (-1, -1, -1), (1, 1, 1), looks["matt"])
    UsdGeom.Imageable(stage.GetPrimAtPath(hidden)).MakeInvisible()


def corner(stage):
    """Less of it, for integrals."""
    street(stage, ("matt", "glow", "metal"), ("lamp",))


class Taken:
    """One picture of the street as the kernels see it, and what its twins need."""

    def __init__(self, author=street, model=MODEL, **hints):
        stage, self.model = kit.new_stage(), model
        author(stage)
        self.live = LiveScene(stage, {"car": 3}, "cpu")
        self.state = self.live.read()
        self.state.materials[:, PASSED] *= TINT
        self.live.place(self.state)
        pose = kit.pose(yaw_deg=3.0) @ kit.T_FORWARD_OPTICAL
        self.camera, self.film, self.count = camera_of(model, pose), CameraFilm(model.width, model.height, "cpu"), model.width * model.height
        self.light = daylight(self.state.lights, {"cloud_cover": 0.0, **hints}, 5, "cpu")
        self.lighting = light_twins.lighting_of(self.light)
        self.pose = pose
        self.origins, self.directions = self.ways(0.0, 0.0)
        self.lit = Film()
        self.lit.diffuse, self.lit.lamps, self.lit.mirrored, self.lit.hdr = (wp.zeros(self.count, dtype=wp.vec4, device="cpu") for _ in range(4))

    @cached_property
    def soup(self):
        return scene_twin.soup_of(self.live.watch.arrays, self.state)

    def ways(self, right, down):
        """Rays so far beside the pixels' centres [px], one metre long along the axis."""
        model = self.model
        v, u = np.mgrid[: model.height, : model.width].reshape(2, -1)
        local = np.stack([(u + right - model.cx) / model.fx, (v + down - model.cy) / model.fy, np.ones(self.count)], -1)
        return np.broadcast_to(self.pose[:3, 3], local.shape), local @ self.pose[:3, :3].T

    def run(self, kernel, *inputs):
        launch(kernel, self.count, list(inputs), [], "cpu")

    def see(self, behind=True):
        self.run(camera_kernels.see_kernel, *self.base, self.film.pixels, self.film.truth)
        if behind:
            self.run(behind_kernel, *self.base, self.film.pixels)
        return self

    @property
    def base(self):
        return self.live.scene.scene, self.live.scene.tables, self.camera

    @property
    def to_light(self):
        return *self.base, self.film.pixels, self.light, self.lit

    def met(self, kept):
        """The surfaces behind all panes that some pixels show, and their facets."""
        met = scene_twin.meet(self.soup, self.origins[kept], self.directions[kept], between=(0.5, 1e6))
        return met, light_twins.facets_of(self.soup, met, self.directions[kept])

    def surfaces(self):
        return np.flatnonzero(self.film.pixels.t.numpy() > 0)


@pytest.fixture(scope="module")
def taken():
    return Taken().see()


def fields(struct, names):
    return {name: getattr(struct, name).numpy() for name in names}


def test_what_pixels_see_matches_the_twin():
    """First surfaces, panes among them; what is hidden or nearer than the near plane is not seen, what is further than the far one has no depth."""
    made = Taken()
    made.run(camera_kernels.see_kernel, *made.base, made.film.pixels, made.film.truth)
    expected = scene_twin.see_twin(made.soup, made.origins, made.directions, MODEL.clipping)
    got = fields(made.film.truth, expected)
    assert np.isinf(got["distance_to_camera"]).any() and len(set(got["mover"])) >= 5 and 9 not in got["instance"]
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-5, atol=2e-5, err_msg=name)


def test_what_is_behind_panes_matches_the_twin(taken):
    expected = scene_twin.behind_twin(taken.soup, taken.origins, taken.directions, MODEL.clipping[0])
    got = fields(taken.film.pixels, expected)
    assert len(set(got["pane"])) == 3 and (got["pane"][got["t"] < 0] >= 0).any()
    surface = expected["slot"] >= 0
    for name in ("t", "way", "instance", "slot", "pane", "normal"):
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=2e-5, err_msg=name)
    for name in ("base", "emissive", "material"):
        np.testing.assert_allclose(got[name][surface], expected[name][surface], rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_scene_of_nothing_shows_nothing():
    made = Taken(lambda stage: kit.lights(stage)).see()
    assert (made.film.pixels.t.numpy() == -1).all() and np.isinf(made.film.truth.distance_to_camera.numpy()).all()


@pytest.mark.parametrize("radius, samples", [(0.0, 1), (0.05, 512)])
def test_the_suns_share_matches_the_twin(taken, radius, samples):
    """A point exactly; of a disc the means of 512 rays here and 60 there, which lie within 3 % in a penumbra."""
    light = taken.light
    kept, light.sun_radius = taken.surfaces()[:: 4 if radius else 1], radius
    taken.run(camera_kernels.sun_kernel, *taken.to_light, samples, 0)
    spread = light_twins.hemisphere(60)[:, :2] * radius
    disc = light_twins.about(taken.lighting.toward_sun, np.column_stack([spread, np.ones(60)])[: 60 if radius else 1])
    disc /= np.linalg.norm(disc, axis=1, keepdims=True)
    expected = light_twins.sun_twin(taken.soup, taken.lighting, taken.met(kept)[1], disc)
    got = taken.lit.diffuse.numpy()[kept]
    light.sun_radius = taken.lighting.sun_radius
    assert 0.1 < expected[:, 3].mean() < 0.95 and np.abs(expected[:, :3]).max() > 0.01
    np.testing.assert_allclose(got, expected, atol=0.03 if radius else 2e-5)


def test_light_of_sky_surfaces_and_lamps_matches_the_twin():
    """4096 samples of one bounce against an integral over 600 ways: each within 3 % of the brightest."""
    made = Taken(corner, COARSE).see()
    kept = made.surfaces()[::2]
    made.run(camera_kernels.sun_kernel, *made.to_light, 1, 0)
    sun = made.lit.diffuse.numpy().copy()
    made.run(camera_kernels.sky_kernel, *made.to_light, 4096, 0)
    body, lamps = (made.lit.diffuse.numpy() - sun)[kept, :3], made.lit.lamps.numpy()[kept]
    expected, expected_lamps = light_twins.sky_light_twin(made.soup, made.lighting, made.met(kept)[1], 600)
    np.testing.assert_allclose(body, expected, atol=0.03 * expected.max())
    assert body.mean() == pytest.approx(expected.mean(), rel=0.01)
    np.testing.assert_allclose(lamps[:, :3], expected_lamps[:, :3], rtol=0.02, atol=0.01 * expected_lamps[:, :3].max())
    assert (expected_lamps[:, :3] > 0).any() and (expected_lamps[:, :3] == 0).any()


def test_what_smooth_surfaces_mirror_matches_the_twin(taken):
    """One ray, which leans by less than a milliradian: only what it meets at an edge may be another thing."""
    taken.lit.mirrored.zero_()
    taken.run(camera_kernels.mirror_kernel, *taken.to_light, 1)
    kept = taken.surfaces()
    kept = kept[taken.film.pixels.material.numpy()[kept, 0] < 0.3]
    expected, got = light_twins.mirror_twin(taken.soup, taken.lighting, taken.met(kept)[1]), taken.lit.mirrored.numpy()[kept, :3]
    wrong = (np.abs(got - expected) > 0.01 * expected + 1e-3).any(1)
    assert len(kept) > 12 and wrong.mean() < 0.1
    rough = taken.film.pixels.material.numpy()[:, 0] >= 0.3
    assert (taken.lit.mirrored.numpy()[rough] == 0).all()


def test_highlights_by_many_samples_match_the_integral():
    """Without the lamp: its highlights come with its light."""
    made = Taken(lambda stage: (corner(stage), stage.RemovePrim("/World/lamp")), COARSE).see()
    kept = made.surfaces()
    kept = kept[made.film.pixels.material.numpy()[kept, 0] >= 0.4][::3]
    made.run(camera_kernels.mirror_kernel, *made.to_light, 4096)
    expected, got = light_twins.lobe_twin(made.soup, made.lighting, made.met(kept)[1], 800), made.lit.mirrored.numpy()[kept, :3]
    np.testing.assert_allclose(got, expected, atol=0.06 * expected.max())
    assert got.mean() == pytest.approx(expected.mean(), rel=0.02)


def filmed(made, rng):
    """Any light on every pixel."""
    drawn = [rng.uniform(0, 1, (made.count, 4)).astype(np.float32) for _ in range(3)]
    drawn[0][::5, 3] = drawn[1][::3, 3] = 0.0
    made.lit.diffuse, made.lit.lamps, made.lit.mirrored = (wp.array(a, dtype=wp.vec4, device="cpu") for a in drawn)
    return light_twins.Filmed(*(a.astype(np.float64) for a in drawn))


@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize("fog", [0.0, 0.05])
def test_radiance_of_given_light_matches_the_twin(samples, fog):
    """With large lamps. The share that a surface mirrors comes from a table there and from its rule here."""
    made = Taken(lambda stage: street(stage, radius=0.4), fog_extinction=fog).see()
    film, kept = filmed(made, np.random.default_rng(8)), made.surfaces()
    made.run(camera_kernels.radiance_kernel, made.camera, made.film.pixels, made.light, made.lit, samples)
    some = light_twins.Filmed(film.diffuse[kept], film.lamps[kept], film.mirrored[kept])
    met, facets = made.met(kept)
    distance = met.t * np.linalg.norm(made.directions[kept], axis=1)
    expected = light_twins.fogged(made.lighting, light_twins.radiance_twin(made.lighting, facets, some, samples > 1), distance)
    got = made.lit.hdr.numpy()
    np.testing.assert_allclose(got[kept, :3], expected, rtol=5e-3, atol=2e-3)
    sky = np.setdiff1d(np.arange(made.count), kept)
    unit = made.directions[sky] / np.linalg.norm(made.directions[sky], axis=1, keepdims=True)
    above = light_twins.fogged(made.lighting, light_twins.seen_sky(made.lighting, unit), np.full(len(sky), 400.0))
    np.testing.assert_allclose(got[sky, :3], above, rtol=1e-4)


@pytest.mark.parametrize("fog", [0.0, 0.05])
def test_coats_match_the_twin(fog):
    made = Taken(fog_extinction=fog).see()
    film = filmed(made, np.random.default_rng(9))
    below = np.random.default_rng(10).uniform(0, 2, (made.count, 4))
    met, _ = made.met(np.arange(made.count))
    way = met.t * np.linalg.norm(made.directions, axis=1)
    coated = met.hit & (made.soup.material[met.face, light_twins.COAT] > 0)
    assert coated.sum() > 8
    kept = np.flatnonzero(coated)
    given = below[:, :3].copy()
    given[kept] = light_twins.fogged(made.lighting, below[kept, :3], way[kept])
    made.lit.hdr = wp.array(np.column_stack([given, np.ones(made.count)]).astype(np.float32), dtype=wp.vec4, device="cpu")
    made.run(coat_kernel, *made.to_light, 1)
    seen = np.column_stack([film.diffuse[kept, 3], film.lamps[kept, 3]])
    shown = light_twins.coat_twin(made.soup, made.lighting, made.met(kept)[0], made.directions[kept], below[kept, :3], seen)
    got, expected = made.lit.hdr.numpy()[:, :3], light_twins.fogged(made.lighting, shown, way[kept])
    wrong = (np.abs(got[kept] - expected) > 5e-3 * expected + 2e-3).any(1)
    assert wrong.mean() < 0.1, "a ray that leans by a milliradian may meet another thing at an edge"
    np.testing.assert_array_equal(got[~coated], given[~coated].astype(np.float32))


@pytest.mark.parametrize("fog", [0.0, 0.05])
def test_panes_match_the_twin(fog):
    """From the back to the front there, from the front to the back in the kernel."""
    made = Taken(fog_extinction=fog).see()
    kept = np.flatnonzero(made.film.pixels.pane.numpy() >= 0)
    behind = np.random.default_rng(11).uniform(0, 2, (made.count, 3))
    length = np.linalg.norm(made.directions, axis=1)
    met, _ = made.met(np.arange(made.count))
    distance = np.where(met.hit, met.t * length, 400.0)
    given = light_twins.fogged(made.lighting, behind, distance)
    hdr = wp.array(np.column_stack([given, np.ones(made.count)]).astype(np.float32), dtype=wp.vec4, device="cpu")
    made.run(pane_kernel, *made.base, made.film.pixels, made.light, 1, hdr)
    rays = made.origins[kept], made.directions[kept] / length[kept, None]
    expected = light_twins.pane_kernel_twin(made.soup, made.lighting, rays, behind[kept], distance[kept])
    wrong = (np.abs(hdr.numpy()[kept, :3] - expected) > 5e-3 * expected + 2e-3).any(1)
    assert len(kept) > 60 and wrong.mean() < 0.1, "a ray that leans by a milliradian may meet another thing at an edge"
    np.testing.assert_array_equal(np.delete(hdr.numpy()[:, :3], kept, 0), np.delete(given.astype(np.float32), kept, 0))


def test_edges_match_the_twin(taken):
    hdr = np.random.default_rng(12).uniform(0, 4, (taken.count, 4)).astype(np.float32)
    hdr[:, 3] = 1.0
    out = wp.zeros(taken.count, dtype=wp.vec4, device="cpu")
    given = wp.array(hdr, dtype=wp.vec4, device="cpu")
    taken.run(edge_kernel, *taken.base, taken.film.pixels, 0.7, given, out)
    image = hdr[:, :3].astype(np.float64).reshape(MODEL.height, MODEL.width, 3)
    expected = edge_twin(taken.soup, taken.ways, image, 0.7, MODEL.near).reshape(-1, 3)
    changed = (out.numpy() != hdr).any(1)
    assert 0.2 < changed.mean() < 0.9
    np.testing.assert_allclose(out.numpy()[:, :3], expected, rtol=1e-4, atol=1e-4)


def test_edges_show_how_much_of_a_pixel_each_side_covers():
    """A glowing square of 40 px that leans, before nothing, too dark to be weighed: quarters at its edge, in all its area."""
    stage, (s, c) = kit.new_stage(), np.sin([0.3, 0.3 + np.pi / 2])
    glow = kit.material(stage, "/World/glow", (0.0, 0.0, 0.0), emissiveColor=(1.0, 1.0, 1.0), ior=1.0)
    kit.mesh(stage, "/World/square", [(10, c * y - s * z, s * y + c * z) for y, z in ((1, -1), (-1, -1), (-1, 1), (1, 1))], [(0, 3, 2, 1)], glow)
    rig = kit.rig_of(kit.pinhole(64, 64, 200.0))
    shown = kit.render(stage, rig, {}, {"exposure": 1e-6}, smoothing=0).sensors["camera"].channels["HdrColor"][..., 0]
    assert set(np.round(4 * shown[shown > 1e-3], 4)) == {1.0, 2.0, 3.0, 4.0}
    assert shown.sum() == pytest.approx(1600, abs=4)


@pytest.mark.parametrize("metal", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", [FACE, SHEET])
def test_a_pane_mirrors_and_passes_no_more_than_all(kind, metal):
    """Of clear glass that is partly metal; without any it is all of the light."""
    material = np.array(Surface((0.5, 0.7, 0.9), 0.0, metal, opacity=0.0, pane=kind, tint=(1.0, 1.0, 1.0), infrared=1.0).row())
    mirrored, passed = scene_twin.pane_of(material, np.linspace(0.01, 1.0, 50))
    assert (mirrored + passed <= 1 + 1e-12).all() and (metal or np.allclose(mirrored + passed, 1.0))
