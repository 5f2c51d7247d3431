"""FIGURE apply_200_objects_ms: draw and write one clip of 200 objects (pose, visibility and one colour each).

Ours: one random stream per object, cached attribute specs, one change block. Peer: the same draws written by ``Attr.Set`` through the stage.
"""

import time
from statistics import median

import numpy as np
from tailgate.distributions import Ranged
from tailgate.randomize.protocol import Streams
from tailgate.stage.layers import IDENTITY, SceneLayers, _convert, pose_matrix

OBJECTS, CLIPS = 200, 31
SETTINGS = {"x": Ranged(low=-40, high=40), "y": Ranged(low=-6, high=6), "yaw": Ranged(low=-180, high=180), "red": Ranged(low=0, high=1)}


def build():
    """A stage with 200 objects in the pool, each with a material."""
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateInMemory()
    UsdGeom.Xform.Define(stage, "/World")
    layers = SceneLayers(stage)
    for i in range(OBJECTS):
        path = f"/Tailgate/Objects/car_v0_{i}"
        layers.pool.define(path)
        layers.pool.single_transform(path)
        layers.pool.define(f"{path}/Looks/paint/Surface", "Shader")
        layers.frame.declare(f"{path}.xformOp:transform", "matrix4d", IDENTITY)
        layers.frame.declare(f"{path}.visibility", "token", "invisible")
        layers.frame.declare(f"{path}/Looks/paint/Surface.inputs:diffuseColor", "color3f", [0.5, 0.5, 0.5])
    layers.attach()
    return stage, layers


def draw(clip: int) -> list[tuple]:
    """Path, pose and colour of every object; every other one is hidden in turn."""
    streams = Streams(1, "bench", 0, clip, 0, "placement.contexts")
    out = []
    for i in range(OBJECTS):
        generator = streams(f"car_v0_{i}")
        x, y, yaw, red = (dist.sample(generator) for dist in SETTINGS.values())
        out.append((f"/Tailgate/Objects/car_v0_{i}", pose_matrix(x, y, 0.0, yaw), "inherited" if (i + clip) % 2 else "invisible", [red, 0.2, 0.2]))
    return out


def ours(layers: SceneLayers, clip: int) -> None:
    """Through the frame layer."""
    with layers.frame.update() as frame:
        for path, pose, visibility, color in draw(clip):
            frame.write(f"{path}.xformOp:transform", pose)
            frame.write(f"{path}.visibility", visibility)
            frame.write(f"{path}/Looks/paint/Surface.inputs:diffuseColor", color)


def peer(stage, clip: int) -> None:
    """Through the stage, attribute by attribute."""
    for path, pose, visibility, color in draw(clip):
        stage.GetAttributeAtPath(f"{path}.xformOp:transform").Set(_convert("matrix4d", pose))
        stage.GetAttributeAtPath(f"{path}.visibility").Set(visibility)
        stage.GetAttributeAtPath(f"{path}/Looks/paint/Surface.inputs:diffuseColor").Set(_convert("color3f", color))


def main() -> None:
    """Interleave both and print the medians."""
    (_, layers), (stage, other_layers) = build(), build()
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for clip in range(CLIPS):
        for name, run, target in (("ours", ours, layers), ("peer", peer, stage)):
            start = time.perf_counter()
            run(target, clip)
            times[name].append(1e3 * (time.perf_counter() - start))
    layers.close()
    other_layers.close()
    mine, other = (median(times[k][1:]) for k in ("ours", "peer"))
    print(f"FIGURE apply_200_objects_ms value={mine:.2f} unit=ms peer={other:.2f} ratio={other / mine:.2f}")


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
