"""A 640 x 480 frame with all channels, a 32-beam LiDAR sweep, and the update of 200 moved objects: CPU time, the least of several runs.

Peers: the same frame through Warp's own trees, and mitsuba's scalar path tracer where it is installed.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pxr import Sdf
from tailgate.config.rig import T_FORWARD_OPTICAL, MountedSensor, ResolvedRig, load_sensor
from tailgate.frames import FrameId, Sample
from tailgate.render.raytrace import WarpBackend

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import stage_kit as kit

OBJECTS = 200
POSE = kit.pose(x=-6, z=1.7)
"""Where the sensors stand."""


def street() -> object:
    """A street of buildings with 200 objects of 12 to 1,000 triangles on it."""
    stage, rng = kit.new_stage(), np.random.default_rng(1)
    kit.lights(stage, 0.2, 3.0, (-1, 0.6, 1.2))
    kit.ground(stage, "/World/ground", kit.material(stage, "/World/asphalt", (0.1, 0.1, 0.1), 0.8))
    brick = kit.material(stage, "/World/brick", (0.4, 0.25, 0.2), 0.9)
    for k in range(40):
        x, side = 8.0 * (k // 2) - 20, 1 if k % 2 else -1
        kit.box(stage, f"/World/house_{k}", (x, 9 * side - 3, 0), (x + 7, 9 * side + 3, float(rng.uniform(5, 12))), brick)
    ball = kit.sphere(32)
    paint = [kit.material(stage, f"/World/paint_{k}", tuple(map(float, rng.uniform(0.05, 0.7, 3))), 0.25 + 0.2 * k) for k in range(4)]
    for k in range(OBJECTS):
        path = kit.mover(stage, f"thing_v0_{k}", k + 1, kit.pose(x=2 + 0.4 * k, y=float(rng.uniform(-5, 5)), z=0.5, scale=0.5))
        kit.mesh(stage, f"{path}/body", *ball, paint[k % 4]) if k % 2 else kit.box(stage, f"{path}/body", (-1, -1, -1), (1, 1, 1), paint[k % 4])
    return stage


def cpu_ms(action: Callable, repeats: int = 7, before: Callable = lambda: None) -> float:
    """Least CPU time of a call [ms], all threads together: what a loaded machine does not stretch. Neither the first call nor ``before`` counts."""
    spent = []
    for _ in range(repeats + 1):
        before()
        start = time.process_time()
        action()
        spent.append(time.process_time() - start)
    return min(spent[1:]) * 1e3


def opened(stage: object, sensors: dict[str, MountedSensor]) -> WarpBackend:
    """A backend on the street."""
    backend = WarpBackend()
    backend.open(stage, ResolvedRig("bench", sensors), {"car": 1})
    backend.apply(Sample(FrameId("bench", 0, 0)))
    return backend


def sensors_at(T: np.ndarray) -> dict[str, MountedSensor]:
    """The two sensors whose frames are timed, by the name of their figure."""
    lidar, name = load_sensor("vlp32c")
    camera = MountedSensor(kit.pinhole(640, 480, 500.0), "test", T @ T_FORWARD_OPTICAL)
    return {"frame_640x480": camera, "lidar_vlp32c": MountedSensor(lidar, name, T)}


def stock_ms(label: str) -> float:
    """CPU time of a frame through Warp's own trees [ms], in a process of its own, as which trees are walked is compiled in."""
    return float(subprocess.run([sys.executable, __file__, label], capture_output=True, text=True, check=True).stdout)


def print_stock(label: str) -> None:
    """What ``stock_ms`` reads."""
    from tailgate.geometry import wide_check

    wide_check.wide_trees_work = lambda: False
    print(capture_ms(opened(street(), {label: sensors_at(POSE)[label]})))


def capture_ms(backend: WarpBackend) -> float:
    """CPU time of one captured frame [ms]."""
    loop = asyncio.new_event_loop()
    spent = cpu_ms(lambda: loop.run_until_complete(backend.capture()))
    loop.close()
    return spent


def world_triangles(backend: WarpBackend) -> np.ndarray:
    """All triangles of the placed stage, float32 [F, 3, 3]."""
    state, arrays, parts = backend._live.watch.update(), backend._live.watch.arrays, []
    poses = np.concatenate([state.T_world_mover, np.eye(4)[None]])
    for number, mover, own in zip(arrays.instance_prototype, arrays.instance_mover, arrays.instance_pose, strict=True):
        T, prototype = poses[mover] @ own, arrays.prototypes[number]
        parts.append((prototype.points @ T[:3, :3].T + T[:3, 3])[prototype.triangles])
    return np.concatenate(parts).astype(np.float32)


def mitsuba_ms(triangles: np.ndarray, T_world_camera: np.ndarray) -> float:
    """CPU time of mitsuba for one sample per pixel with two bounces and depth, normal and id [ms]; nan where it is not installed."""
    if not importlib.util.find_spec("mitsuba"):
        return float("nan")
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    mesh = mi.Mesh("street", 3 * len(triangles), len(triangles))
    values = mi.traverse(mesh)
    values["vertex_positions"] = triangles.ravel()
    values["faces"] = np.arange(3 * len(triangles), dtype=np.uint32)
    values.update()
    origin, forward = T_world_camera[:3, 3].tolist(), (T_world_camera[:3, 3] + T_world_camera[:3, 2]).tolist()
    film = {"type": "hdrfilm", "width": 640, "height": 480, "rfilter": {"type": "box"}}
    to_world = mi.ScalarTransform4f().look_at(origin, forward, [0, 0, 1])
    scene = {
        "type": "scene",
        "integrator": {"type": "aov", "aovs": "d:depth,n:sh_normal,i:shape_index", "image": {"type": "path", "max_depth": 3}},
        "sensor": {"type": "perspective", "fov": 65.2, "to_world": to_world, "film": film, "sampler": {"type": "independent"}},
        "sky": {"type": "constant", "radiance": 0.2},
        "sun": {"type": "directional", "direction": [1, -0.6, -1.2], "irradiance": 3.0},
        "street": mesh,
    }
    loaded = mi.load_dict(scene)
    return cpu_ms(lambda: mi.render(loaded, spp=1))


def figure(name: str, value: float, peer: str, other: float) -> None:
    """Print one FIGURE line [ms]; the ratio is above 1 where ours is faster."""
    print(f"FIGURE {name} value={value:.2f} unit=ms peer={peer} ratio={other / value:.2f}", flush=True)


def main() -> None:
    """Print the FIGURE lines of this benchmark."""
    stage = street()
    for label, sensor in sensors_at(POSE).items():
        ours = opened(stage, {label: sensor})
        spent = capture_ms(ours)
        figure(label, spent, "warp_trees", stock_ms(label))
        if sensor.model.type == "camera":
            figure(label, spent, "mitsuba", mitsuba_ms(world_triangles(ours), POSE @ T_FORWARD_OPTICAL))
        ours.close()
    backend = opened(stage, {})
    attributes = [stage.GetPrimAtPath(f"/Tailgate/Objects/thing_v0_{k}").GetAttribute("xformOp:transform") for k in range(OBJECTS)]
    heights = itertools.cycle((0.5, 0.6))

    def move() -> None:
        z = next(heights)
        with Sdf.ChangeBlock():
            for k, attribute in enumerate(attributes):
                attribute.Set(kit.gf(kit.pose(x=2 + 0.4 * k, z=z, scale=0.5)))

    figure("update_200_objects", cpu_ms(lambda: backend.apply(Sample(FrameId("bench", 0, 0))), 20, before=move), "none", float("nan"))
    tracer, state = backend._live.scene.tracer, backend._live.watch.update()
    ids, T_world = np.array(backend._live.watch.arrays.instance_prototype), np.concatenate([np.eye(4)[None], state.T_world_mover])[: OBJECTS + 1]
    figure("tree_over_200_objects", cpu_ms(lambda: tracer.set_instances(ids[: len(T_world)], T_world), 20), "none", float("nan"))
    backend.close()


if __name__ == "__main__":
    print_stock(sys.argv[1]) if len(sys.argv) > 1 else main()
