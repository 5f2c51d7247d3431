"""Readable numpy twins of the camera's light kernels, for tests of small scenes: light is an integral over directions, taken by a fixed rule, where
the kernels draw a few at random. They know the sun, a smooth sky without clouds and image, and small spherical lamps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tailgate.render.raytrace.albedo import ggx_shares
from tailgate.render.raytrace.image_twins import sky_twin
from tailgate.render.raytrace.scene_twin import F0, METALLIC, ROUGHNESS, Met, Soup, arriving, glow_of, meet, pane_of
from tailgate.render.raytrace.shading import Light
from tailgate.stage.images import LUMINANCE
from tailgate.stage.materials import COAT, PANE


@dataclass(frozen=True)
class Lighting:
    """The light of a frame; colours are RGB [3], see ``shading.Light``.

    Attributes:
        toward_sun: unit direction.
        sun: irradiance of what faces the sun, 0 for none.
        sun_radius: of its disc [rad].
        mean_sky, zenith, horizon, ground, glow, haze: radiances.
        fog: extinction [1/m].
        lamps: position, radius and radiance of each, float64 [L, 7].
    """

    toward_sun: np.ndarray
    sun: np.ndarray
    sun_radius: float
    mean_sky: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    ground: np.ndarray
    glow: np.ndarray
    haze: np.ndarray
    fog: float
    lamps: np.ndarray


def lighting_of(light: Light) -> Lighting:
    """A renderer's light as the twins see it."""
    names = ("sun_direction", "sun", "mean_sky", "zenith", "horizon", "ground", "glow", "haze")
    direction, sun, *sky = (np.array(list(getattr(light, name)), np.float64) for name in names)
    lamps = np.zeros((0, 7))
    if light.lamps:
        rows = light.lamp.numpy()
        lamps = np.column_stack([rows["position"], rows["radius"], rows["radiance"]]).astype(np.float64)
    radius = float(light.sun_radius)
    return Lighting(direction, sun * (radius >= 0), max(radius, 0.0), *sky, float(light.fog), lamps)


@dataclass(frozen=True)
class Facets:
    """Surfaces that N pixels show.

    Attributes:
        position: [N, 3] m.
        normal, face_normal, view: unit vectors, the last to the viewer, [N, 3].
        base, glow: diffuse colour and emitted radiance, [N, 3].
        f0: reflectance head-on, [N, 3].
        roughness, metallic: [N].
    """

    position: np.ndarray
    normal: np.ndarray
    face_normal: np.ndarray
    view: np.ndarray
    base: np.ndarray
    glow: np.ndarray
    f0: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray


def facets_of(soup: Soup, met: Met, directions: np.ndarray) -> Facets:
    """The surfaces that rays met."""
    material = soup.material[met.face]
    metallic, f0 = material[:, METALLIC, None], material[:, F0, None]
    view = -directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    return Facets(
        met.position, met.normal, met.face_normal, view, met.colour, glow_of(soup, met), f0 * (1 - metallic) + met.colour * metallic,
        np.maximum(material[:, ROUGHNESS], 0.03), material[:, METALLIC],
    )  # fmt: skip


def sky(light: Lighting, directions: np.ndarray) -> np.ndarray:
    """Radiance of the smooth sky in unit directions [N, 3]: the gradient, the ground's below, and haze around the sun."""
    down = np.clip(-6 * directions[:, 2:], 0, 1)
    above = sky_twin(directions, light.zenith, light.horizon)
    below = light.horizon * (1 - down) + light.ground * down
    near = np.maximum(directions @ light.toward_sun, 0.0)[:, None]
    return np.where(directions[:, 2:] < 0, below, above) + light.glow * (near**8 / 4 + near**200)


def seen_sky(light: Lighting, directions: np.ndarray) -> np.ndarray:
    """``sky`` with the sun's disc."""
    disc = (directions @ light.toward_sun > np.cos(light.sun_radius)) & (light.sun_radius > 0)
    return sky(light, directions) + disc[:, None] * light.sun * 0.003 / max(light.sun_radius**2, 1e-6)


def fogged(light: Lighting, colour: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Radiance [N, 3] through so much air [m] (Koschmieder 1924)."""
    clear = np.exp(-light.fog * distance)[:, None]
    return colour * clear + light.haze * (1 - clear)


def ggx(f0: np.ndarray, roughness: np.ndarray, f: Facets, to_light: np.ndarray) -> np.ndarray:
    """D G F / (4 cos cos) times the cosine at the light (Walter et al. 2007; Schlick 1994): [N, 3]."""
    a2 = np.maximum(roughness**2, 0.003) ** 2
    half = f.view + to_light
    half /= np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-12)
    n_l, n_v, n_h, v_h = ((p * q).sum(-1) for p, q in ((f.normal, to_light), (f.normal, f.view), (f.normal, half), (f.view, half)))
    n_l, n_v, n_h = np.maximum(n_l, 0), np.maximum(n_v, 1e-3), np.maximum(n_h, 0)
    facets = a2 / (np.pi * (n_h**2 * (a2 - 1) + 1) ** 2)
    unmasked = [2 * c / (c + np.sqrt(a2 + (1 - a2) * c**2)) for c in (np.maximum(n_l, 1e-12), n_v)]
    lobe = facets * unmasked[0] * unmasked[1] / (4 * n_v)
    return schlick(f0, v_h) * np.where(n_l > 0, lobe, 0.0)[:, None]


def schlick(f0: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Fresnel reflectance, from that head-on to 1 at grazing incidence, but for what hardly reflects at all: [N, 3]."""
    edge = np.minimum(50 * f0 @ LUMINANCE, 1.0)[:, None]
    return f0 + (edge - f0) * ((1 - np.clip(cosine, 0, 1)) ** 5)[:, None]


def mirrored_share(f0: np.ndarray, roughness: np.ndarray, f: Facets) -> np.ndarray:
    """Share of a uniform environment that is mirrored, by the rule itself where the renderer looks it up in a table: [N, 3]."""
    shares = ggx_shares(np.clip((f.normal * f.view).sum(-1), 0.02, 1.0), roughness)
    return f0 * shares[:, :1] + np.minimum(50 * f0 @ LUMINANCE, 1.0)[:, None] * shares[:, 1:]


def sun_twin(soup: Soup, light: Lighting, f: Facets, disc: np.ndarray) -> np.ndarray:
    """Twin of ``sun_kernel``: what panes add to the colour of the sun's light (irradiance / pi) and the share of its disc that is visible, [N, 4].

    Args:
        disc: unit directions to points spread evenly over the sun, [D, 3].
    """
    clear = np.mean([arriving(soup, f.position, np.broadcast_to(d, f.position.shape)) for d in disc], 0)
    lit = (np.minimum(f.normal @ light.toward_sun, f.face_normal @ light.toward_sun) > 0) & light.sun.any()
    clear *= lit[:, None]
    visible = clear @ LUMINANCE
    tint = light.sun * (clear - visible[:, None]) * (f.normal @ light.toward_sun / np.pi)[:, None]
    return np.column_stack([tint, visible])


def lamps_on(soup: Soup, light: Lighting, position: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Irradiance / pi that spherical lamps give, pi L (r / d)^2 cos in the open, [N, 3]; and the share of them that is visible, [N]."""
    total, seen = np.zeros_like(position), np.zeros(len(position))
    for lamp in light.lamps:
        way = lamp[:3] - position
        distance = np.linalg.norm(way, axis=-1)
        toward = way / distance[:, None]
        cosine = np.maximum((normal * toward).sum(-1), 0.0)
        clear = arriving(soup, position, toward, distance - lamp[3])
        total += clear * lamp[4:] * (lamp[3] ** 2 / distance**2 * cosine)[:, None]
        seen += clear @ LUMINANCE * (cosine > 0) / len(light.lamps)
    return total, seen


def hemisphere(count: int) -> np.ndarray:
    """Directions about +z spread by the cosine, [count, 3]: Fibonacci's spiral."""
    k = np.arange(count) + 0.5
    r, phi = np.sqrt(k / count), np.pi * (3 - np.sqrt(5)) * k
    return np.stack([r * np.cos(phi), r * np.sin(phi), np.sqrt(1 - r**2)], -1)


def about(normals: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Directions [N, 3] about +z, each turned about its normal, [N, 3] or one for all [3]."""
    normals = np.broadcast_to(normals, local.shape)
    across = np.cross(normals, np.eye(3)[np.abs(normals).argmin(1)])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return local[:, :1] * across + local[:, 1:2] * np.cross(normals, across) + local[:, 2:] * normals


def scattered(soup: Soup, light: Lighting, met: Met) -> np.ndarray:
    """Radiance that the surfaces met send anywhere: emission, and what they scatter of the sun, of lamps, and of the sky or what glows in one
    direction each, which are spread evenly over all of them, [N, 3]."""
    count = len(met.t)
    up = about(met.normal, hemisphere(count)[np.random.default_rng(1).permutation(count)])
    beyond = meet(soup, met.position, up)
    around = beyond.tint * np.where(beyond.hit[:, None], glow_of(soup, beyond), sky(light, up))
    albedo = met.colour * (1 - 0.5 * soup.material[met.face, METALLIC, None])
    return glow_of(soup, met) + albedo * (around + sun_on(soup, light, met) + lamps_on(soup, light, met.position, met.normal)[0])


def sun_on(soup: Soup, light: Lighting, met: Met) -> np.ndarray:
    """Irradiance / pi that the middle of the sun gives the surfaces met, [N, 3]."""
    clear = arriving(soup, met.position, np.broadcast_to(light.toward_sun, met.position.shape))
    return light.sun * clear * (np.maximum(met.normal @ light.toward_sun, 0.0) / np.pi)[:, None]


def sky_light_twin(soup: Soup, light: Lighting, f: Facets, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Twin of ``sky_kernel`` without highlights: irradiance / pi of sky and surfaces, [N, 3], and of lamps with the share of them that is visible,
    [N, 4]; ``count`` directions from a facet."""
    body = np.zeros_like(f.position)
    for k, (position, normal) in enumerate(zip(f.position, f.normal, strict=True)):
        ways = about(normal, hemisphere(count))
        met = meet(soup, position, ways)
        body[k] = (met.tint * np.where(met.hit[:, None], scattered(soup, light, met), sky(light, ways))).mean(0)
    lamps, seen = lamps_on(soup, light, f.position, f.normal)
    return body, np.column_stack([lamps, seen])


def lobe_twin(soup: Soup, light: Lighting, f: Facets, count: int) -> np.ndarray:
    """Twin of ``mirror_kernel`` for many samples: the highlight of sky and surfaces over what it is of a uniform environment, [N, 3]."""
    out = np.zeros_like(f.position)
    for k, (position, normal) in enumerate(zip(f.position, f.normal, strict=True)):
        ways = about(normal, hemisphere(count))
        met = meet(soup, position, ways)
        radiance = met.tint * np.where(met.hit[:, None], scattered(soup, light, met), sky(light, ways))
        one = Facets(*(np.repeat(getattr(f, name)[k : k + 1], count, 0) for name in Facets.__dataclass_fields__))
        weight = ggx(one.f0, one.roughness, one, ways) * np.pi / (ways @ normal)[:, None]
        out[k] = (weight * radiance).mean(0)
    return out / np.maximum(mirrored_share(f.f0, f.roughness, f), 0.01)


def plain(soup: Soup, light: Lighting, met: Met) -> np.ndarray:
    """Radiance that surfaces send as mirrors show them, [N, 3]: emission, lamps, the sun, and a part of the mean sky where they are open upwards."""
    up = met.normal + [0.0, 0.0, 1.0]
    up /= np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-12)
    free = arriving(soup, met.position, up) * ((up * met.face_normal).sum(-1) > 0)[:, None]
    sky_part = light.mean_sky * free * (0.35 + 0.25 * met.normal[:, 2:])
    return glow_of(soup, met) + met.colour * (lamps_on(soup, light, met.position, met.normal)[0] + sky_part + sun_on(soup, light, met))


def mirror_twin(soup: Soup, light: Lighting, f: Facets) -> np.ndarray:
    """Twin of ``mirror_kernel`` for one sample, of smooth surfaces: the radiance in the mirrored direction, [N, 3]."""
    ways = 2 * (f.view * f.normal).sum(-1, keepdims=True) * f.normal - f.view
    met = meet(soup, f.position, ways)
    shown = np.zeros_like(ways)
    shown[met.hit] = plain(soup, light, Met(*(getattr(met, name)[met.hit] for name in Met.__dataclass_fields__)))
    return met.tint * np.where(met.hit[:, None], shown, seen_sky(light, ways))


def highlights(light: Lighting, f: Facets) -> np.ndarray:
    """What facets mirror of all lamps in the open: of each the light from its centre, before a lobe that is wider by a fifth of the square of its
    angular radius, at least that of roughness 0.12; [N, 3]."""
    out = np.zeros_like(f.position)
    for lamp in light.lamps:
        way = lamp[:3] - f.position
        distance = np.linalg.norm(way, axis=-1)
        wide = (np.maximum(f.roughness, 0.12) ** 4 + 0.2 * (lamp[3] / distance) ** 2) ** 0.25
        out += ggx(f.f0, np.minimum(wide, 1), f, way / distance[:, None]) * lamp[4:] * (np.pi * (lamp[3] / distance) ** 2)[:, None]
    return out


@dataclass(frozen=True)
class Filmed:
    """Light that reaches N pixels, [N, 4] each; see ``camera_kernels.Film``."""

    diffuse: np.ndarray
    lamps: np.ndarray
    mirrored: np.ndarray


def radiance_twin(light: Lighting, f: Facets, film: Filmed, many: bool) -> np.ndarray:
    """Twin of ``radiance_kernel`` before fog: what surfaces send of the light that reaches them, by ``many`` samples or by one, [N, 3]."""
    share = mirrored_share(f.f0, f.roughness, f)
    around, visible, mirror = film.diffuse[:, :3], film.diffuse[:, 3:], film.mirrored[:, :3]
    from_sun = light.sun * visible
    scattered_light = around + film.lamps[:, :3] + from_sun * np.maximum(f.normal @ light.toward_sun, 0)[:, None] / np.pi
    out = f.glow + f.base * (1 - f.metallic[:, None]) * (1 - share) * scattered_light
    out += ggx(f.f0, f.roughness, f, np.broadcast_to(light.toward_sun, f.view.shape)) * from_sun
    if many:
        return out + mirror * np.maximum(share, 0.01)
    above = sky(light, 2 * (f.view * f.normal).sum(-1, keepdims=True) * f.normal - f.view)
    rough, open_to = f.roughness[:, None], np.clip(around @ LUMINANCE / max(light.mean_sky @ LUMINANCE, 1e-9), 0, 1)[:, None]
    blurred = around * rough + (above * open_to + around * (1 - open_to)) * (1 - rough)
    sharp = np.clip((0.3 - rough) / 0.1, 0, 1)
    return out + (blurred * (1 - sharp) + mirror * sharp) * share + highlights(light, f) * film.lamps[:, 3:]


def coat_twin(soup: Soup, light: Lighting, met: Met, directions: np.ndarray, below: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Twin of ``coat_kernel`` for smooth coats, before fog: a second, white mirror over what surfaces send, which takes from them what it mirrors.

    Args:
        met, directions: the surfaces and the rays that met them.
        below: what surfaces send without a coat, [N, 3].
        seen: shares of the sun and of the lamps that are visible, [N, 2].
    """
    amount, roughness, f0 = soup.material[met.face, COAT : COAT + 3].T
    bare, white = facets_of(soup, met, directions), np.repeat(f0[:, None], 3, 1)
    f = replace(bare, f0=white, roughness=np.maximum(roughness, 0.03))
    cosine = np.clip((f.normal * f.view).sum(-1), 0.02, 1)
    sharp = np.clip((0.3 - f.roughness) * 5, 0, 1)[:, None]
    share = mirrored_share(white, f.roughness, f) * (1 - sharp) + schlick(white, cosine) * sharp
    sun = ggx(white, f.roughness, f, np.broadcast_to(light.toward_sun, f.view.shape)) * light.sun * seen[:, :1]
    shine = share * mirror_twin(soup, light, f) + sun + highlights(light, f) * seen[:, 1:]
    return below * (1 - amount[:, None] * share) + amount[:, None] * shine


def pane_kernel_twin(soup: Soup, light: Lighting, rays: tuple[np.ndarray, np.ndarray], behind: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Twin of ``pane_kernel`` for smooth panes: light comes from behind to the front, through air, pane, air, pane …, [N, 3].

    Args:
        rays: origins and unit directions, [N, 3].
        behind: what is behind all panes, before fog, [N, 3].
        distance: to there [m], [N].
    """
    out = np.empty_like(behind)
    for k, (origin, direction) in enumerate(zip(*rays, strict=True)):
        panes, start = [], 1e-6
        while True:
            met = meet(soup, origin[None], direction[None], behind=False, between=(start, distance[k]))
            if not met.hit[0] or soup.material[met.face[0], PANE] < 0:
                break
            panes.append(met)
            start = met.t[0] + OFF_PANE
        colour, far = behind[k : k + 1], distance[k]
        for met in reversed(panes):
            colour, far = fogged(light, colour, np.array([far - met.t[0]])), met.t[0]
            f = facets_of(soup, met, direction[None])
            mirrored, passed = (share[:, :3] for share in pane_of(soup.material[met.face[0]], (f.normal * f.view).sum(-1)))
            white = np.ones((1, 3))
            clear = arriving(soup, f.position, light.toward_sun[None]) * (f.normal @ light.toward_sun > 0)
            glint = ggx(white, f.roughness, f, light.toward_sun[None]) * light.sun * clear
            colour = mirrored * (mirror_twin(soup, light, f) + glint) + plain(soup, light, met) + passed * colour
        out[k] = fogged(light, colour, np.array([far]))[0]
    return out


OFF_PANE = 1e-4
"""Two panes on one ray are further apart than this [m]."""
