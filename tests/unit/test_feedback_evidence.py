"""What a round tells feedback: a clip once, however many frames it has."""

import json

from tailgate.runtime.judge import _by_clip


def frame(clip, tick, **scores):
    return {
        "id": f"street-r001-{clip:06d}-a00-t{tick:02d}",
        "sample": json.dumps({"draws": {"a": float(clip), "kind": "word"}}),
        "scores": json.dumps(scores),
    }


def test_frames_of_a_clip_are_averaged():
    evidence = _by_clip([frame(0, 0, noise=1.0), frame(0, 1, noise=2.0, holes=4.0), frame(1, 0, noise=0.1)])
    assert evidence.draws == [{"a": 0.0}, {"a": 1.0}]
    assert evidence.deviations == [{"noise": 1.5, "holes": 4.0}, {"noise": 0.1}]
