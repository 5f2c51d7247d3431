"""Truth test of ``calibrate sensor``: hidden responses are drawn, simulated on scenes of their own, and estimated on others.

    python benchmarks/truth.py hdl64e kinect_v1 d435 kitti_cam2 --draws 4
    python benchmarks/truth.py vlp16 --scenes yard --places 3    # intervals without ``bench.ELSEWHERE``

For every setting: how often it counts as identified, how far an identified one is from the truth, and how often its 95 % interval holds the truth.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from places import room_scan, yard_scan
from tailgate.calibrate import camera, lidar
from tailgate.calibrate.bench import STREETS, VIEWS
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.indirect import Fit
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.distributions import Ranged
from tailgate.frames import SensorFrame
from tailgate.sensors import nominal

OTHERS = 1000
"""First of the scenes that the hidden response is seen on."""
INSIDE = (0.15, 0.85)
"""Shares of the bounds between which hidden values are drawn."""


SCENES = {"street": street_scan, "yard": yard_scan, "room": room_scan}
"""What a hidden response of a LiDAR is seen on; it is always estimated on streets."""


def truth(name: str, seed: int, kind: str = "street", scenes: int = 12) -> tuple[dict[str, float], Fit]:
    """Hidden values by setting, and what is found of them."""
    model, _ = load_sensor(name)
    seen_by = lidar.SEEN_BY if model.type == "lidar" else camera.SEEN_BY
    free = {n: s.dist for n, s in model.response.items() if n in seen_by and s.role == "calibrated" and isinstance(s.dist, Ranged)}
    draw = np.random.default_rng(seed)
    hidden = {n: free[n]._from_unit(float(draw.uniform(*INSIDE))) for n in sorted(free)}
    params, first = {**nominal(model), **hidden}, OTHERS + 100 * seed
    if model.type == "lidar":
        return hidden, _lidar(model, params, [SCENES[kind](model, first + k) for k in range(scenes)], first)
    return hidden, _camera(model, params, first, scenes)


def _lidar(model: LidarModel, params: Mapping[str, float], places: list[SensorFrame], first: int) -> Fit:
    blocks = [b for scene in lidar.simulated_scans(places, model, params, first) for b in scene]
    return lidar.fit_response(blocks, [street_scan(model, k) for k in range(STREETS)], model, model.response)


def _camera(model: CameraModel, params: Mapping[str, float], first: int, scenes: int) -> Fit:
    reference = camera.simulated_views(camera.perfect_views(model, 4 * scenes, first), model, params, first)
    return camera.fit_camera(reference, camera.perfect_views(model, VIEWS), model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sensors", nargs="+")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--scenes", choices=sorted(SCENES), default="street", help="what a LiDAR sees; fits are always on streets")
    parser.add_argument("--places", type=int, default=12, help="how many of them")
    parser.add_argument("--each", action="store_true", help="also print every estimate beside its hidden value")
    args = parser.parse_args()
    for name in args.sensors:
        start = time.process_time()
        rows: dict[str, list[tuple[float, Estimate]]] = defaultdict(list)
        for seed in range(args.draws):
            hidden, fit = truth(name, seed, args.scenes, args.places)
            for n, e in fit.estimates.items():
                rows[n].append((hidden[n], e))
                if args.each:
                    print(f"  {name} {seed} {n:20s} {hidden[n]:9.4g}  {e.value:9.4g}  {e.low:9.4g} ... {e.high:9.4g}  {e.state}", flush=True)
        every = [pair for pairs in rows.values() for pair in pairs]
        print(f"\n{name}: {args.draws} hidden responses, {time.process_time() - start:.0f} s of CPU")
        for n, pairs in [*rows.items(), ("all", every)]:
            _print(n, pairs)


def _print(name: str, pairs: list[tuple[float, Estimate]]) -> None:
    sharp = [abs(e.value / t - 1) for t, e in pairs if e.state == "identified"]
    held = [e.low <= t <= e.high for t, e in pairs if e.identifiable]
    rough = sum(e.state == "roughly" for _, e in pairs)
    far = f"off by {max(sharp):5.1%} at most, {np.mean(np.array(sharp) <= 0.1):4.0%} within 10 %" if sharp else ""
    inside = f"intervals hold {np.mean(held):4.0%}" if held else ""
    print(f"  {name:20s} identified {len(sharp):3d}, roughly {rough:3d} of {len(pairs):3d}  {inside:20s} {far}", flush=True)


if __name__ == "__main__":
    main()
