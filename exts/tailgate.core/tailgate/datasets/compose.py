"""Mix real and synthetic frames into one training manifest, bucket by bucket of class frequency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from tailgate.atomic import replacing, write_atomically
from tailgate.datasets.labels import Buckets, LabelTable, buckets, read_labels
from tailgate.datasets.manifest import ManifestRow, read_manifest
from tailgate.errors import UserError, unknown
from tailgate.packages import need
from tailgate.rng import rng

BUCKETS = ("tail", "body", "head", "empty")
STRATIFY = ("frequency", "none")
COLUMNS = ("source", "id", "bucket", "classes", "files")
LISTS = ("classes", "files")
"""Columns of a mix, and those that hold several names."""


@dataclass(frozen=True)
class ComposeOptions:
    """How to mix.

    Attributes:
        ratio: share of synthetic frames in the mix, 0..1 (below 1), for every bucket or per bucket name.
        stratify: "frequency" keeps the ratio in each class-frequency bucket; "none" only over all frames.
        seed: of the choice among more synthetic frames than needed.
        rename: real class -> output class, where the ontology renames.
        tail_percentile, head_percentile: limits of the buckets, as percentiles of the real class counts.
    """

    ratio: float | Mapping[str, float] = 0.5
    stratify: str = "frequency"
    seed: int = 0
    rename: Mapping[str, str] = field(default_factory=dict)
    tail_percentile: float = 20.0
    head_percentile: float = 80.0


@dataclass(frozen=True)
class BucketMix:
    """One bucket of the mix; ``wanted`` synthetic frames would give the ratio asked for, ``available`` were accepted, ``synthetic`` are used."""

    bucket: str
    classes: list[str]
    real: int
    available: int
    wanted: int
    synthetic: int
    ratio: float
    achieved: float

    @property
    def shortfall(self) -> int:
        """Synthetic frames missing."""
        return self.wanted - self.synthetic


@dataclass(frozen=True)
class Mix:
    """The mixed manifest: rows in training-file order, and what each bucket got.

    Attributes:
        rows: {"source": "real" | "synthetic", "id", "bucket", "classes", "files"}; no frame occurs twice.
        buckets: in the order tail, body, head, empty; only those with frames.
        said: sentences for the user.
    """

    rows: list[dict]
    buckets: list[BucketMix]
    said: list[str]


def compose(real: LabelTable | str | Path, manifest: str | Path, options: ComposeOptions | None = None) -> Mix:
    """Mix all real frames with as many synthetic ones as the ratio asks for.

    A frame belongs to the bucket of its rarest class: tail at or below the tail percentile of the real class counts, head at or above the head
    percentile, body between, empty without objects. Where synthetic frames are too few, nothing is repeated: the shortfall is stated.

    Args:
        real: labels of the real data set.
        manifest: ``manifest.parquet``, the data set's folder or the run's folder.
        options: see ComposeOptions.

    Raises:
        UserError: an option out of range, labels without frames (csv), no accepted synthetic frame, or no class in common.
    """
    options = options or ComposeOptions()
    ratios = _ratios(options)
    table = real if isinstance(real, LabelTable) else read_labels(real)
    if not table.frames:
        raise UserError("labels must name frames to be mixed; a class,count table does not", table.source)
    path = find_manifest(Path(manifest))
    rows = [r for r in read_manifest(path) if r.verdict == "ok"]
    if not rows:
        raise UserError("holds no accepted frame", path)
    renamed = [options.rename.get(c, c) for c in table.classes]
    counts: dict[str, int] = {}
    for name, n in zip(renamed, np.bincount(table.class_index, minlength=len(renamed)).tolist(), strict=True):
        counts[name] = counts.get(name, 0) + n
    made = sorted({c for r in rows for c in r.counted})
    if made and not set(made) & set(counts):
        raise UserError(f"no class in common: the real labels have {', '.join(sorted(counts)[:5])}, the run has {', '.join(made[:5])}", path)
    groups = buckets({c: n for c, n in counts.items() if n}, options.tail_percentile, options.head_percentile)
    return _mix(_real_rows(table, renamed, groups), [_synthetic_row(r, groups) for r in rows], (groups, ratios, options))


def find_manifest(path: Path) -> Path:
    """The manifest of a run folder, a data set folder, or the file itself."""
    candidates = [path / "dataset" / "manifest.parquet", path / "manifest.parquet"] if path.is_dir() else [path]
    return next((c for c in candidates if c.is_file()), candidates[0])


def save_mix(mix: Mix, out: str | Path) -> list[Path]:
    """Write ``out`` (.parquet, one row per frame) and a JSON file beside it (buckets, remarks and rows); returns both paths.

    Raises:
        UserError: a file of either name is there that is no mix, or they cannot be written.
    """
    pa, pq = need("pyarrow"), need("pyarrow.parquet")
    paths = [Path(out), Path(out).with_suffix(".json")]
    foreign = next((path for path in paths if path.exists() and not _is_mix(path)), None)
    if foreign:
        raise UserError("is no mix of an earlier compose and is left alone; name another file with -o", foreign)
    names = pa.list_(pa.string())
    table = pa.table({n: [r[n] for r in mix.rows] for n in COLUMNS}, schema=pa.schema((n, names if n in LISTS else pa.string()) for n in COLUMNS))
    report = {"buckets": [{**asdict(b), "shortfall": b.shortfall} for b in mix.buckets], "remarks": mix.said, "frames": mix.rows}
    try:
        write_atomically(paths[1], json.dumps(report, indent=1) + "\n")
        with replacing(paths[0]) as temporary:
            pq.write_table(table, temporary)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror or error}", out) from None
    return paths


def _is_mix(path: Path) -> bool:
    """Whether ``save_mix`` wrote a file."""
    try:
        if path.suffix == ".json":
            return set(json.loads(path.read_bytes())) == {"buckets", "remarks", "frames"}
        return need("pyarrow.parquet").read_schema(path).names == list(COLUMNS)
    except (ValueError, TypeError, OSError):
        return False


def _ratios(options: ComposeOptions) -> dict[str, float]:
    if options.stratify not in STRATIFY:
        raise unknown("stratify", options.stratify, STRATIFY)
    given = dict(options.ratio) if isinstance(options.ratio, Mapping) else dict.fromkeys(BUCKETS, options.ratio)
    for name, ratio in given.items():
        if name not in BUCKETS:
            raise unknown("bucket", name, BUCKETS)
        if not 0 <= ratio < 1:
            raise UserError(f"ratio is the share of synthetic frames and must be at least 0 and below 1, got {ratio:g}")
    return {b: given.get(b, 0.0) for b in BUCKETS}


def _real_rows(table: LabelTable, renamed: list[str], groups: Buckets) -> list[dict]:
    held: list[set[str]] = [set() for _ in table.frames]
    for frame, c in zip(table.frame_index.tolist(), table.class_index.tolist(), strict=True):
        held[frame].add(renamed[c])
    return [
        {"source": "real", "id": name, "bucket": groups.rarest(list(classes)), "classes": sorted(classes), "files": [name]}
        for name, classes in zip(table.frames, held, strict=True)
    ]


def _synthetic_row(row: ManifestRow, groups: Buckets) -> dict:
    classes = sorted(c for c, n in row.counted.items() if n)
    files = [f for name in sorted(row.files) for f in row.files[name]]
    return {"source": "synthetic", "id": row.id, "bucket": groups.rarest(classes), "classes": classes, "files": files}


def _mix(real: list[dict], synthetic: list[dict], how: tuple[Buckets, dict[str, float], ComposeOptions]) -> Mix:
    groups, ratios, options = how
    strata = BUCKETS if options.stratify == "frequency" else ("all",)
    rows, report, said = list(real), [], []
    for bucket in strata:
        mine = [r for r in real if bucket in ("all", r["bucket"])]
        pool = sorted((r for r in synthetic if bucket in ("all", r["bucket"])), key=lambda r: r["id"])
        ratio = ratios["tail" if bucket == "all" else bucket]
        wanted = round(len(mine) * ratio / (1 - ratio))
        order = rng(options.seed, "compose", 0, 0, 0, bucket).permutation(len(pool))[:wanted]
        chosen = [pool[i] for i in sorted(order.tolist())]
        if mine or pool:
            classes = sorted(c for c, b in groups.of.items() if bucket in ("all", b))
            achieved = len(chosen) / max(len(mine) + len(chosen), 1)
            report.append(BucketMix(bucket, classes, len(mine), len(pool), wanted, len(chosen), ratio, achieved))
            said += _say(report[-1])
        rows += chosen
    return Mix(rows, report, said)


def _say(mix: BucketMix) -> list[str]:
    if mix.shortfall:
        return [
            f"{mix.bucket}: {mix.wanted:,} synthetic frames would make the ratio {mix.ratio:g}, {mix.available:,} were accepted: "
            f"{mix.shortfall:,} short, the ratio is {mix.achieved:.2f}; nothing is repeated"
        ]
    unused = mix.available - mix.synthetic
    if unused:
        full = mix.available / max(mix.available + mix.real, 1)
        return [f"{mix.bucket}: {unused:,} of {mix.available:,} accepted synthetic frames are not used; a ratio of {full:.2f} uses all"]
    return []
