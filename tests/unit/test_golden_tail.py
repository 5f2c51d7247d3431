"""The tail against golden values: threshold, classes, deficits and hours."""

import json

import golden
import pytest
from tailgate.datasets.labels import tail_classes, tail_threshold
from tailgate.plan.rate import Rate
from tailgate.plan.tail import deficits, select


def _cases():
    folder = golden.folder()
    if folder is None:
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason="no golden values here: set TAILGATE_GOLDEN to their folder"))]
    found = json.loads((folder / "metrics.json").read_text())["cases"]
    return [pytest.param(c, id=c["id"]) for c in found if c["id"].startswith("tail/")]


@pytest.mark.parametrize("case", _cases())
def test_tail_as_expected(case):
    expected = case["expected"]
    counts = expected["counts"]
    assert tail_threshold(counts, expected["percentile"]) == pytest.approx(expected["threshold"], abs=case["atol"])
    assert tail_classes(counts, expected["percentile"]) == expected["tail"]
    selection = select(counts, expected["target"], expected["percentile"], include_zero=True)
    assert selection.tail == selection.chosen == expected["tail"]
    missing = deficits(counts, selection.chosen, expected["target"])
    assert missing == expected["deficit"] and sum(missing.values()) == expected["deficit_total"]
    rate = Rate(per_hour=1000, acceptance=1.0)
    assert {c: rate.hours(n) for c, n in missing.items()} == pytest.approx(expected["hours"], abs=0.0051)
    assert select(counts, expected["target"], classes=("all",), include_zero=True).chosen == expected["all_below_target"]
