"""Scorecards survive JSON and name what failed."""

import json

import pytest
from tailgate.validate.scorecard import Null, Row, Scorecard


def test_round_trip_and_reason_codes():
    rows = [
        Row("range_noise", 0.02, "m", "lidar", stratum="5-10 m", n=900, limit=0.01, null=Null(0.005, 0.01, 400), gates=True, verdict="failed"),
        Row("range_noise", float("nan"), "m", "lidar", gates=True, verdict="failed"),
        Row("hole_rate", 0.1, "share", gates=False, verdict="failed", note="only shown"),
        Row("dogss", 0.9, class_name="pedestrian", gates=True, verdict="ok"),
    ]
    card = Scorecard(rows, "rejected")
    assert card.codes() == ["range_noise"] and len(card.failed()) == 2
    assert card.value("dogss") == 0.9 and card.value("range_noise", "5-10 m") == 0.02 and card.value("absent") is None
    plain = json.loads(json.dumps(card.to_json(), allow_nan=False))
    assert plain[3]["class"] == "pedestrian" and plain[1]["value"] is None and set(plain[0]["null"]) == {"median", "q95", "n"}
    back = Scorecard.from_json(plain, "rejected")
    assert back.rows[0] == rows[0] and back.codes() == card.codes()


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="must be one of"):
        Row("dogss", 0.5, verdict="maybe")
