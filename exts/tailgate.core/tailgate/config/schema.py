"""JSON Schema of every file a user writes, for editors that complete and check YAML: ``python -m tailgate.config.schema FOLDER`` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tailgate.config.budget import Budget
from tailgate.config.gate import GateFile
from tailgate.config.scenario import Scenario
from tailgate.config.sensor import CameraModel, LidarModel, Rig

FILES: dict[str, Any] = {"budget": Budget, "scenario": Scenario, "rig": Rig, "sensor": LidarModel | CameraModel, "gate": GateFile}
"""Schema file stem -> model."""


def schemas() -> dict[str, str]:
    """File name -> JSON text."""
    made = {name: TypeAdapter(model).json_schema(by_alias=True) for name, model in FILES.items()}
    return {f"{name}.schema.json": json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n" for name, schema in made.items()}


def main() -> None:
    """Write all schemas into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
