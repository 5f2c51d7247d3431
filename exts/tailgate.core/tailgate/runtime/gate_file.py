"""Write and read ``gate.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tailgate.atomic import write_atomically
from tailgate.config.gate import GateFile
from tailgate.config.load import Source as Document
from tailgate.config.load import dump, inside, validate
from tailgate.errors import UserError, unknown
from tailgate.runtime.measured import Source, fingerprint
from tailgate.runtime.spec import RunSpec
from tailgate.validate.evidence import STATISTICS

HEADER = """\
# Limits of the batch gate, calibrated real against real by `tailgate calibrate gate`.
# Calibrate again when the reference changes (its fingerprint is checked), when the sensor or its firmware changes, or when a version of tailgate
# measures other statistics or strata (an error says so). Do not edit: change a limit in the budget, under gate.statistics.
#
# sizes: by batch size in blocks (a depth image, an azimuth sector of a sweep); a batch is judged by the largest size it reaches.
# Every false_rejects and power comes from places that had no part in the limits. power runs from the weakest strength to the strongest.
# A statistic's limit is joint x null.rms. One with gates: false has shown too little power at this size and decides nothing.

"""


def write_gate(gate: GateFile, out: Path) -> None:
    """Write the file, numbers to six digits."""
    write_atomically(out, HEADER + dump(_rounded(gate.model_dump(mode="json", by_alias=True))))


def read_gate(path: Path, reference: str) -> GateFile:
    """Read a gate for the reference with this fingerprint.

    Raises:
        UserError: not a gate file (with the line), a statistic this version does not know or counts otherwise, or another reference.
    """
    source = Document(path)
    gate = validate(GateFile, source.data, source)
    for modality, own in gate.batch.items():
        for i, limits in enumerate(own.sizes):
            for name, statistic in limits.statistics.items():
                where = source.where(("batch", modality, "sizes", i, "statistics", name))
                if name not in STATISTICS:
                    raise unknown("statistic", name, STATISTICS, where)
                held = len(STATISTICS[name].strata)
                if len(statistic.weights) != held or len(statistic.strata) != held:
                    raise UserError(f"must have {held} strata as in this version, got {len(statistic.weights)}; calibrate the gate again", where)
    if gate.reference.fingerprint != reference:
        calibrated, used = gate.reference.fingerprint[:16], reference[:16]
        message = f"must be the fingerprint of the reference in use, {used}; this gate was calibrated on another one, {calibrated}"
        raise UserError(message, source.at("reference.fingerprint"))
    return gate


def calibrated_gate(spec: RunSpec) -> GateFile | None:
    """The gate that a budget names, checked against its reference; None where it names none."""
    cfg = spec.budget.reference
    if not spec.budget.gate.file:
        return None
    root = inside(spec.data, cfg.root)
    return read_gate(Path(spec.budget.gate.file), fingerprint(Source(root, cfg.kind, dict(cfg.options))))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
