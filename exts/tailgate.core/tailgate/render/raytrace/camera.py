"""Render one camera: launch the camera and image kernels in order and hand back Replicator-shaped channels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tailgate.config.sensor import CameraModel
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import launch, strips
from tailgate.render.raytrace.bounces import MIRROR_BELOW
from tailgate.render.raytrace.camera_kernels import Camera, Film, Pixels, Truth, mirror_kernel, radiance_kernel, see_kernel, sky_kernel, sun_kernel
from tailgate.render.raytrace.coat_kernel import coat_kernel
from tailgate.render.raytrace.daylight import auto_exposure
from tailgate.render.raytrace.edges import edge_kernel
from tailgate.render.raytrace.lens import fisheye_of
from tailgate.render.raytrace.pane_kernels import behind_kernel, pane_kernel
from tailgate.render.raytrace.scene import DeviceScene
from tailgate.render.raytrace.shading import Light
from tailgate.render.raytrace.smoothing import Pass, smooth_kernel
from tailgate.render.raytrace.tone import add_kernel, tone_map


@dataclass(frozen=True)
class Quality:
    """How much work a pixel gets and how it is exposed.

    Attributes:
        samples: rays to the sun, the sky and the lamps per pixel.
        smoothing: passes of the filter over the sampled light, 0 for none.
        edges: blend the pixels at edges by coverage.
        exposure: factor on radiance before the tone curve; None chooses it from the image.
        key: brightness the automatic exposure aims for, as a share of a day's.
    """

    samples: int = 1
    smoothing: int = 3
    edges: bool = True
    exposure: float | None = None
    key: float = 1.0


def lens_points(count: int) -> np.ndarray:
    """Points [count, 2] spread evenly over the unit disc (Vogel's spiral, 1979): the centre in the middle, inner and outer ones in turns."""
    k = np.arange(count)
    points = np.sqrt(k / max(count - 0.5, 1.0))[:, None] * np.stack([np.cos(2.399963 * k), np.sin(2.399963 * k)], 1)
    stride = next(s for s in range(round(0.618 * count), 2 * count) if math.gcd(s, count) == 1)
    return points[(k - count // 2) * stride % count]


def camera_of(
    model: CameraModel,
    T_world_camera: np.ndarray,
    rays: wp.array | None = None,
    T_last_row: np.ndarray | None = None,
    lens_point: np.ndarray | None = None,
) -> Camera:
    """Put a camera model into the world.

    Args:
        model: the camera.
        T_world_camera: its pose [4, 4] when the first row was taken.
        rays: its ``lens.ray_table``, left out for a pinhole.
        T_last_row: its pose when the last row was taken, left out for a global shutter.
        lens_point: place in the opening that light passes, [2] in units of its radius; left out for its centre.
    """
    out = Camera()
    if model.focus and lens_point is not None:
        aside = lens_point * 0.5e-3 * model.focus.opening_mm
        out.aside, out.shear = wp.vec2(*map(float, aside)), wp.vec2(*map(float, aside / model.focus.distance))
    if T_last_row is not None and not np.array_equal(T_last_row, T_world_camera):
        out.rolls = 1
        out.T_change = wp.mat44(*map(float, (T_last_row - T_world_camera).ravel()))
    if rays is not None:
        out.rays = rays
        out.fisheye = fisheye_of(model.intrinsics.distortion, str(rays.device))
    out.width, out.height, out.strip = model.width, model.height, 1
    out.fx, out.fy, out.cx, out.cy = model.fx, model.fy, model.cx, model.cy
    out.near, out.far = model.clipping
    out.T_world_camera = wp.mat44(*map(float, T_world_camera.ravel()))
    return out


def smoothing_pass(step: int, sharp: float = 0.0, colour_sparse: int = 0, fourth_sparse: int = 0, roughest: float = 1.0) -> Pass:
    """Fill a ``Pass``."""
    out = Pass()
    out.step, out.sharp, out.colour_sparse, out.fourth_sparse, out.roughest = step, sharp, colour_sparse, fourth_sparse, roughest
    return out


class CameraFilm:
    """The device buffers of one camera size, kept from frame to frame.

    Args:
        width, height: [px].
        device: Warp device.
    """

    def __init__(self, width: int, height: int, device: str):
        self.width, self.height, self.device = width, height, device
        n = width * height
        self.pixels, self.truth = Pixels(), Truth()
        kinds = {"t": wp.float32, "instance": wp.int32, "slot": wp.int32, "pane": wp.int32, "way": wp.vec3, "normal": wp.vec3, "face_normal": wp.vec3}
        for name, kind in {**kinds, "base": wp.vec3, "emissive": wp.vec3, "material": wp.vec3}.items():
            setattr(self.pixels, name, wp.zeros(n, dtype=kind, device=device))
        truth = {"distance_to_image_plane": wp.float32, "distance_to_camera": wp.float32, "normals": wp.vec4}
        for name, kind in {**truth, "semantic": wp.uint32, "instance": wp.uint32, "mover": wp.int32}.items():
            setattr(self.truth, name, wp.zeros(n, dtype=kind, device=device))
        self.light = [wp.zeros(n, dtype=wp.vec4, device=device) for _ in range(4)]
        self.hdr = [wp.zeros(n, dtype=wp.vec4, device=device) for _ in range(2)]
        self.rgb = wp.zeros((n, 4), dtype=wp.uint8, device=device)

    def expose(self, scene: DeviceScene, cameras: list[Camera], light: Light, quality: Quality) -> dict[str, Any]:
        """Render and return the channels: the mean radiance of the views of an exposure (moments, places in the opening); what is exact comes from
        the view in the middle."""
        middle, exposure, total = len(cameras) // 2, quality.exposure, None
        for camera in [*cameras[:middle], *cameras[middle + 1 :], cameras[middle]]:
            hdr, exposure = self._radiance(scene, camera, light, replace(quality, exposure=exposure))
            if len(cameras) > 1:
                total = total or wp.zeros_like(hdr)
                wp.launch(add_kernel, dim=hdr.shape, inputs=[hdr, 1.0 / len(cameras), total], device=self.device)
        hdr = total or hdr
        tone_map(hdr, exposure, self.rgb)
        return {**self._channels(hdr), "exposure": np.array([exposure], np.float32)}

    def distances(self, scene: DeviceScene, camera: Camera) -> np.ndarray:
        """Distance to what each pixel shows [m], inf for the sky, [H, W]."""
        threads, camera.strip = strips(self.width * self.height, self.device, self.width)
        launch(see_kernel, threads, [scene.scene, scene.tables, camera], [self.pixels, self.truth], self.device)
        return self.truth.distance_to_camera.numpy().reshape(self.height, self.width)

    def _radiance(self, scene: DeviceScene, camera: Camera, light: Light, quality: Quality) -> tuple[wp.array, float]:
        """Radiance at one moment and its exposure."""
        threads, camera.strip = strips(self.width * self.height, self.device, self.width)

        def run(kernel: Any, inputs: list, outputs: list) -> None:
            launch(kernel, threads, inputs, outputs, self.device)

        run(see_kernel, [scene.scene, scene.tables, camera], [self.pixels, self.truth])
        if scene.tables.panes:
            run(behind_kernel, [scene.scene, scene.tables, camera], [self.pixels])
        diffuse, lamps, mirrored, spare = self.light
        film = Film()
        film.diffuse, film.lamps, film.mirrored, film.hdr = diffuse, lamps, mirrored, self.hdr[0]
        sparse = int(quality.samples <= 1 and quality.smoothing > 0)
        lit, samples = [scene.scene, scene.tables, camera, self.pixels, light, film], max(quality.samples, 1)
        run(sun_kernel, [*lit, samples, sparse], [])
        run(sky_kernel, [*lit, samples, sparse], [])
        run(mirror_kernel, [*lit, samples], [])
        for number in range(quality.smoothing):
            how = smoothing_pass(2**number, float(number > 1), colour_sparse=sparse * (number == 0))
            run(smooth_kernel, [camera, self.pixels, how, diffuse], [spare])
            diffuse, spare = spare, diffuse
            if light.lamps:
                how.fourth_sparse = how.colour_sparse
                run(smooth_kernel, [camera, self.pixels, how, lamps], [spare])
                lamps, spare = spare, lamps
        for number in range(min(quality.smoothing, 2 if light.lamps and samples > 1 else 1)):
            how = smoothing_pass(1 + number, roughest=1.0 if samples > 1 else float(MIRROR_BELOW))
            run(smooth_kernel, [camera, self.pixels, how, mirrored], [spare])
            mirrored, spare = spare, mirrored
        hdr, other = self.hdr
        film.diffuse, film.lamps, film.mirrored = diffuse, lamps, mirrored
        run(radiance_kernel, [camera, self.pixels, light, film, samples], [])
        if scene.tables.coats:
            run(coat_kernel, [scene.scene, scene.tables, camera, self.pixels, light, film, samples], [])
        if scene.tables.panes:
            run(pane_kernel, [scene.scene, scene.tables, camera, self.pixels, light, samples], [hdr])
        exposure = quality.exposure
        if exposure is None:
            exposure = auto_exposure(hdr.numpy(), self.pixels.t.numpy() > 0, light, quality.key)
        if quality.edges:
            run(edge_kernel, [scene.scene, scene.tables, camera, self.pixels, float(exposure), hdr], [other])
            hdr = other
        return hdr, float(exposure)

    def _channels(self, hdr: wp.array) -> dict[str, Any]:
        """The channels, copied into one block of memory: of a large one the system hands out large pages, many times faster than small ones."""
        truth = self.truth
        buffers = {
            "rgb": self.rgb,
            "HdrColor": hdr,
            "distance_to_image_plane": truth.distance_to_image_plane,
            "distance_to_camera": truth.distance_to_camera,
            "normals": truth.normals,
            "semantic_segmentation": truth.semantic,
            "instance_segmentation": truth.instance,
        }
        held = {name: buffer.numpy() for name, buffer in buffers.items()}
        ends = np.cumsum([values.nbytes for values in held.values()])
        block, out = np.empty(ends[-1], np.uint8), {}
        for (name, values), end in zip(held.items(), ends, strict=True):
            out[name] = block[end - values.nbytes : end].view(values.dtype).reshape(self.height, self.width, *values.shape[1:])
            out[name][...] = values.reshape(out[name].shape)
        return out
