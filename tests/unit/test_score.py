"""What `score` makes of measured sets: verdicts, exit codes, histograms, the cache, the page."""

import json

import numpy as np
import pytest
import tailgate
from scan_folder import Scans
from tailgate.report.score_record import Histogram
from tailgate.runtime.measured import Source, content_key
from tailgate.runtime.score import _verdict
from tailgate.validate.scorecard import Row
from tailgate.validate.sketch import Sketch, Statistic

GAUGE = Statistic("gauge", "m", tuple(np.linspace(0, 1, 101)), ("near", "far"), 10)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    return tmp_path_factory.mktemp("rooms")


@pytest.fixture(scope="module")
def real(rooms):
    return Scans(range(8)).write(rooms / "real")


@pytest.fixture(scope="module")
def refused(rooms, real):
    return tailgate.score(Scans(range(20, 24), noise=0.03).write(rooms / "noisy"), real)


def test_other_rooms_with_the_same_scanner_are_accepted(rooms, real):
    card = tailgate.score(Scans(range(20, 24)).write(rooms / "alike"), real)
    assert (card.verdict, card.exit_code) == ("accepted", 0)
    assert 0.7 < card.ratio.value < 1.5


def test_data_compared_with_themselves_are_named(real):
    assert any("8 of 8 synthetic frames are frames of the reference" in note for note in tailgate.score(real, real).notes)


def test_threefold_noise_is_refused_and_said_in_words(refused):
    assert (refused.verdict, refused.exit_code) == ("rejected", 1)
    assert "range_noise" in {r.metric for r in refused.failed}
    assert refused.sentence.startswith("Refused: LiDAR distances scatter differently")
    found = refused.histograms["range_noise"]
    assert found.typical[1] > 2 * found.typical[0]


def test_json_holds_everything_and_is_plain(refused):
    data = json.loads(json.dumps(refused.to_json(), allow_nan=False))
    assert data["verdict"] == "rejected" and data["exit_code"] == 1 and "range_noise" in data["failed"]
    assert len(data["rows"]) == len(refused.rows)


def test_the_page_needs_nothing_else(refused, tmp_path):
    page = refused.to_html(tmp_path / "score.html").read_text()
    assert "<script" not in page and 'src="http' not in page and page.count("data:image/") == 12
    assert "Refused" in page and "LiDAR range noise" in page and "What was not judged" in page


def test_one_process_or_two_give_the_same(rooms, real, refused, monkeypatch):
    monkeypatch.setattr("tailgate.runtime.measured.FRAMES_PER_WORKER", 1)
    again = tailgate.score(rooms / "noisy", real, workers=2)
    assert again.to_json() == refused.to_json()


def test_cache_key_follows_bytes_options_and_names(real):
    key = content_key(Source(real, "npz"))
    assert key == content_key(Source(real, "npz")) != content_key(Source(real, "npz", {"a": 1}))
    file = real / "sensor.yaml"
    text = file.read_text()
    file.write_text(text + "\n")
    assert content_key(Source(real, "npz")) != key
    file.write_text(text)
    assert content_key(Source(real, "npz")) == key


@pytest.mark.parametrize(
    "rows, classes, verdict",
    [
        ([], {}, "unjudged"),
        ([Row("range_noise", 1.0, verdict="no power")], {}, "unjudged"),
        ([Row("near_duplicates", 0.0, modality="integrity", gates=True, verdict="ok")], {}, "unjudged"),
        ([Row("near_duplicates", 1.0, modality="integrity", gates=True, verdict="failed")], {}, "rejected"),
        ([Row("range_noise", 1.0, gates=True, verdict="ok"), Row("joint", 1.0, verdict="ok")], {}, "accepted"),
        ([Row("range_noise", 1.0, gates=True, verdict="ok"), Row("intensity", 9.0, verdict="failed")], {}, "accepted"),
        ([Row("dogss", 0.1, class_name="car", gates=True, verdict="failed")], {"car": "provisional"}, "unjudged"),
        ([Row("dogss", 0.1, class_name="car", gates=True, verdict="failed")], {"car": "quarantined"}, "rejected"),
    ],
)
def test_verdict(rows, classes, verdict):
    assert _verdict(rows, classes) == verdict


def test_histogram_shows_the_values_between_its_tails():
    def sketch(*values):
        out = Sketch()
        out.add(GAUGE, np.zeros(len(values), int), np.array(values))
        return out

    real = [sketch(*[0.405] * 50, *[0.435] * 50), sketch(*[0.405] * 100)]
    found = Histogram.of(GAUGE, 0, real, sketch(*[0.435] * 30))
    assert found.edges[0] == pytest.approx(0.40) and found.edges[-1] == pytest.approx(0.44)
    assert found.real == pytest.approx((0.75, 0, 0, 0.25)) and found.synthetic == pytest.approx((0, 0, 0, 1))
    assert found.low[0] == pytest.approx(0.525) and found.high[0] == pytest.approx(0.975)
    assert found.typical == pytest.approx((0.4125, 0.435))
