"""A clear coat over what a pixel shows: a second, white highlight, and so much less of what lies under it.

UsdPreviewSurface adds the lobe of Burley 2012 ("Physically-Based Shading at Disney") with GGX and the surface's own index. Here what it mirrors does
not reach the surface below, so that a coated white surface in even light stays as bright as the light.
"""

from __future__ import annotations

from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import Scene
from tailgate.render.raytrace.bounces import reflected_light
from tailgate.render.raytrace.camera_kernels import Camera, Film, Pixels, camera_origin, facet_of
from tailgate.render.raytrace.direct import CLEAN, highlight
from tailgate.render.raytrace.scene import Tables
from tailgate.render.raytrace.shading import Light, environment_brdf, ggx, hash01, schlick

wp.set_module_options({"enable_backward": False})


@wp.kernel
def coat_kernel(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int):
    """Lay the clear coats over the radiance of the pixels that show one."""
    for k in range(wp.tid() * camera.strip, (wp.tid() + 1) * camera.strip):
        if pixels.t[k] > 0.0:
            material = tables.slot[pixels.slot[k]][0]
            if tables.material[material, 17] > 0.0:
                colour = coated(scene, tables, camera, pixels, light, film, samples, k)
                film.hdr[k] = wp.vec4(colour[0], colour[1], colour[2], 1.0)


@wp.func
def coated(scene: Scene, tables: Tables, camera: Camera, pixels: Pixels, light: Light, film: Film, samples: int, k: int) -> wp.vec3:
    """Radiance of a pixel with its coat; fog dims both alike."""
    material = tables.slot[pixels.slot[k]][0]
    origin = camera_origin(camera, float(k / camera.width))
    facet = facet_of(pixels, k, origin)
    facet.roughness = wp.max(tables.material[material, 18], 0.03)
    f0 = tables.material[material, 19]
    facet.f0 = wp.vec3(f0, f0, f0)
    cosine = wp.clamp(wp.dot(facet.normal, facet.view), 0.02, 1.0)
    sharp = wp.clamp((0.3 - facet.roughness) * 5.0, 0.0, 1.0)
    share = environment_brdf(light, facet.f0, facet.roughness, cosine) * (1.0 - sharp) + schlick(facet.f0, cosine) * sharp
    count = wp.where(facet.roughness > CLEAN, samples, 1)
    mirror = wp.vec3()
    for s in range(count):
        u = wp.vec3(hash01(k, s + 701, light.seed), hash01(k, s + 809, light.seed), hash01(k, s + 1009, light.seed))
        mirror += reflected_light(scene, tables, light, facet, u)
    shine = wp.cw_mul(share, mirror) / float(count)
    shine += wp.cw_mul(ggx(facet.f0, facet.roughness, facet.normal, facet.view, light.sun_direction), light.sun) * film.diffuse[k][3]
    for lamp in range(light.lamps):
        shine += highlight(light, lamp, facet) * film.lamps[k][3]
    amount = tables.material[material, 17]
    clear = wp.exp(-light.fog * wp.length(pixels.way[k]))
    haze = light.haze * (1.0 - clear)
    below = wp.vec3(film.hdr[k][0], film.hdr[k][1], film.hdr[k][2]) - haze
    return haze + below - wp.cw_mul(share, below) * amount + shine * (amount * clear)
