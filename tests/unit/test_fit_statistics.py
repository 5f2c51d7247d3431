"""Statistics that serve the fit alone."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.evidence import STATISTICS
from tailgate.validate.fit_statistics import FINER, FIT_STATISTICS, LOSS, fit_sketches
from tailgate.validate.sketch import Sketch


@pytest.fixture(scope="module")
def street():
    model = load_sensor("hdl64e")[0].model_copy(update={"columns": 720})
    return model, street_scan(model, 2, boxes=0, relief=0.0)


def responded(street, **params):
    model, scan = street
    return Sketch.total(fit_sketches(replace(scan, channels=respond_lidar(scan, model, params, 5))))


def losses(sketch, words):
    """Share of losses and count, over the strata whose names hold all these words."""
    picked = [k for k, stratum in enumerate(LOSS.strata) if all(word in stratum for word in words)]
    counts = sketch.counts[LOSS.name][picked].sum(0)
    return counts[1] / counts.sum(), counts.sum()


def middle(sketch, statistic, stratum):
    """Median of a statistic in the stratum of this name."""
    counts = sketch.counts[statistic.name][statistic.strata.index(stratum)]
    assert counts.sum() > 500
    return np.interp(0.5, np.concatenate([[0.0], np.cumsum(counts) / counts.sum()]), statistic.edges)


def test_they_gate_nothing():
    own = {LOSS.name, *(s.name for s in FINER.values())}
    assert own <= set(FIT_STATISTICS) and not own & set(STATISTICS)


def test_noise_is_told_apart_by_incidence_where_the_gate_pours_it_together(street):
    """Noise of incidence grows with tan θ along the beam, so with sin θ across the surface."""
    found = responded(street, noise_incidence=0.02)
    steep, upright = (middle(found, FINER["beam_noise"], f"17-25 m, {angles} deg") for angles in ("28-40", "16-28"))
    assert steep / upright == pytest.approx(np.sin(np.deg2rad(34)) / np.sin(np.deg2rad(22)), rel=0.2)


def test_noise_is_counted_where_the_gate_counts_it(street):
    found = responded(street, noise_sigma=0.02, drop_base=0.05)
    for name, finer in FINER.items():
        assert found.counts[finer.name].sum() == found.counts[name].sum() > 0


def test_losses_of_the_signal_are_of_dark_surfaces_and_others_of_all(street):
    anywhere, by_signal = (responded(street, **p) for p in ({"drop_base": 0.05}, {"range_10pct": 20.0, "signal_incidence": 0.0}))
    dark, bright = (["20-26 m", "intensity 0.12"], ["20-26 m", "intensity 0.25"])
    (even_dark, few), (even_bright, n) = losses(anywhere, dark), losses(anywhere, bright)
    assert few > 500 and n > 1000 and even_dark == pytest.approx(0.05, abs=0.02) and even_bright == pytest.approx(0.05, abs=0.02)
    assert losses(by_signal, dark)[0] > 3 * losses(by_signal, bright)[0]


def test_without_intensity_they_are_not_counted(street):
    model, scan = street
    dark = replace(scan, channels={**scan.channels, "intensity": np.zeros_like(scan.channel("intensity"))})
    counted = set(Sketch.total(fit_sketches(dark)).counts)
    assert LOSS.name not in counted and FINER["beam_noise"].name in counted
