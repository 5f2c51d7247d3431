"""The committed table is what the full API list says."""

import json
from pathlib import Path

import pytest
from standin import table

SHARED = Path(__file__).resolve().parents[3] / "shared" / "isaac" / "api.json"


def test_table_equals_the_full_list():
    if not SHARED.is_file():
        pytest.skip("the full list of Isaac Sim's API is not here")
    full = table.compact(json.loads(SHARED.read_text()))
    assert table.table() == full
    assert table.written(full) == table.PATH.read_text()


@pytest.mark.parametrize("flavour", table.FLAVOURS)
def test_every_signature_can_be_read(flavour):
    for rows in table.table().values():
        for row in rows.values():
            text = table.text_of(row, flavour)
            if row["kind"] != "setting" and text is not None:
                assert list(table.signature_of(text).parameters) or text == "", row


def test_flavours_differ_where_the_list_says_so():
    full = "isaacsim.core.simulation_manager.SimulationManager.step"
    assert table.text_of(table.find(full), "5.1") == "render=False"
    assert table.text_of(table.find(full), "6.0") == "*, steps=1, callback=None, update_fabric=False"
    assert "isaacsim.sensors.experimental.rtx" not in table.members("5.1")
