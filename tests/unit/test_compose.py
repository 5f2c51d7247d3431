"""Mixes of real and synthetic frames: ratios per bucket, no repetition, the same for the same seed."""

import json
from types import SimpleNamespace

import pytest
from tailgate.datasets.compose import ComposeOptions, compose, save_mix
from tailgate.datasets.labels.table import LabelRow, Origin, table_of
from tailgate.datasets.manifest import ManifestRow, ManifestWriter
from tailgate.errors import UserError
from tailgate.runtime import mix


@pytest.fixture
def real():
    """100 frames with cars, 20 of them with a van and 30 with a person, 4 with a stroller, 6 frames without anything."""
    rows = [LabelRow("car", f"r{i:03d}") for i in range(100)]
    rows += [LabelRow("van", f"r{i:03d}") for i in range(60, 80)] + [LabelRow("person", f"r{i:03d}") for i in range(30)]
    rows += [LabelRow("stroller", f"r{i:03d}") for i in range(4)]
    return table_of(rows, Origin("labels", "coco", ("dog",), tuple(f"r{i:03d}" for i in range(106))))


@pytest.fixture
def manifest(tmp_path):
    writer = ManifestWriter(tmp_path / "manifest.parquet")
    for i in range(40):
        counted = {"stroller": 1} if i < 30 else {"person": 2, "car": 1}
        writer.add(ManifestRow(f"s{i:03d}", {"coco": [f"coco/images/{i}.png"]}, verdict="failed" if i in (5, 35) else "ok", counted=counted))
    writer.close()
    return tmp_path


def _by(mix):
    return {b.bucket: b for b in mix.buckets}


def test_ratio_holds_per_bucket_and_shortfall_is_said(real, manifest):
    mix = compose(real, manifest)
    found = _by(mix)
    assert (found["tail"].real, found["tail"].available, found["tail"].synthetic, found["tail"].achieved) == (4, 29, 4, 0.5)
    assert found["body"].real == 46 and found["body"].synthetic == 9 and found["body"].shortfall == 37
    assert found["head"].real == 50 and found["head"].synthetic == 0 and found["empty"].real == 6
    assert any(s.startswith("tail: 25 of 29 accepted synthetic frames are not used; a ratio of 0.88 uses all") for s in mix.said)
    assert any("body: 46 synthetic frames would make the ratio 0.5, 9 were accepted: 37 short" in s and "nothing is repeated" in s for s in mix.said)
    ids = [r["id"] for r in mix.rows]
    assert len(ids) == len(set(ids)) == 106 + 4 + 9 and not {"s005", "s035"} & set(ids)


def test_ratio_per_bucket_and_without_strata(real, manifest):
    mix = compose(real, manifest, ComposeOptions(ratio={"tail": 0.85}))
    assert _by(mix)["tail"].synthetic == 23 and _by(mix)["body"].synthetic == 0
    flat = compose(real, manifest, ComposeOptions(ratio=0.2, stratify="none"))
    assert [b.bucket for b in flat.buckets] == ["all"] and flat.buckets[0].synthetic == 27
    assert compose(real, manifest, ComposeOptions(ratio=0.0)).buckets[0].synthetic == 0


def test_the_choice_follows_the_seed(real, manifest):
    chosen = [[r["id"] for r in compose(real, manifest, ComposeOptions(seed=s)).rows] for s in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_renamed_classes_meet(real, manifest):
    renamed = compose(real, manifest, ComposeOptions(rename={"van": "car"}))
    assert {c for r in renamed.rows for c in r["classes"]} == {"car", "person", "stroller"}
    with pytest.raises(UserError, match="no class in common"):
        compose(real, manifest, ComposeOptions(rename={"car": "a", "person": "b", "stroller": "c"}))


def test_saved_mix_reads_back(real, manifest):
    import pyarrow.parquet as pq

    mix = compose(real, manifest)
    parquet, text = save_mix(mix, manifest / "train.parquet")
    assert pq.read_table(parquet).to_pylist() == mix.rows
    held = json.loads(text.read_text())
    assert held["frames"] == mix.rows and held["buckets"][0]["shortfall"] == 0 and held["remarks"] == mix.said


def test_mistakes(real, manifest, tmp_path):
    for options, message in (
        (ComposeOptions(ratio=1.0), "below 1, got 1"),
        (ComposeOptions(ratio={"tial": 0.5}), "did you mean 'tail'"),
        (ComposeOptions(stratify="frequencies"), "did you mean 'frequency'"),
    ):
        with pytest.raises(UserError, match=message):
            compose(real, manifest, options)
    with pytest.raises(UserError, match="no manifest there"):
        compose(real, tmp_path / "absent")
    with pytest.raises(UserError, match="must name frames"):
        compose(table_of([], Origin("x.csv", "csv"), {"a": 3}), manifest)
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(UserError, match="not a readable parquet"):
        compose(real, tmp_path / "bad.parquet")


def test_what_is_no_mix_is_never_replaced(real, manifest, tmp_path):
    """A mix called annotations.parquet has its report beside it, where labels of that name may lie."""
    made, labels = compose(real, manifest), tmp_path / "annotations.json"
    for text in ('{"images": []}', "[1]", "3", "no json"):
        labels.write_text(text)
        with pytest.raises(UserError, match="annotations.json: is no mix of an earlier compose"):
            save_mix(made, tmp_path / "annotations.parquet")
        assert labels.read_text() == text and not (tmp_path / "annotations.parquet").exists()
    with pytest.raises(UserError, match="manifest.parquet: is no mix"):
        save_mix(made, tmp_path / "manifest.parquet")
    save_mix(made, tmp_path / "train.parquet")
    assert all(path.stat().st_size for path in save_mix(made, tmp_path / "train.parquet"))


def test_a_run_is_mixed_with_all_options_into_a_parquet_file(real, manifest, monkeypatch):
    asked = []
    monkeypatch.setattr(mix, "open_spec", lambda run: SimpleNamespace(budget=SimpleNamespace(ontology={"van": SimpleNamespace(output="car")})))
    monkeypatch.setattr(mix, "compose", lambda labels, data, options: asked.append(options) or compose(real, manifest, options))
    mix.mix_run(manifest, manifest, manifest / "train.parquet", ComposeOptions(0.2, seed=3, tail_percentile=5.0, head_percentile=95.0))
    assert asked == [ComposeOptions(0.2, seed=3, rename={"van": "car"}, tail_percentile=5.0, head_percentile=95.0)]
    with pytest.raises(UserError, match="its name must end in .parquet"):
        mix.mix_run(manifest, manifest, manifest / "train.json", ComposeOptions())
