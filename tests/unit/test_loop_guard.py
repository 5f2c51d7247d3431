"""The loop acts on the guard: feedback stops and the best round's settings come back; a weak hold-out only warns."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from tailgate.config.setting import Setting, to_plain
from tailgate.distributions import Constant
from tailgate.ledger.ledger import Ledger
from tailgate.runtime.events import Events
from tailgate.runtime.loop import Loop


def setting(value: float) -> Setting:
    return Setting(dist=Constant(value=value), role="calibrated")


class Judge:
    """Scores by script: the feedback part comes closer, the hold-out recedes after round 1."""

    def __init__(self, weak: bool):
        self.reference, self.asked = SimpleNamespace(weak=weak), []

    def round(self, frames):
        n = len(self.asked)
        ratio = {"feedback": [3.0, 2.0, 1.6, 1.4, 1.2, 1.1][n], "holdout": [3.0, 2.0, 2.3, 2.4, 2.6, 2.7][n]}
        self.asked.append(False)
        return {"summary": {"distance_ratio": ratio}, "ratio_error": {"holdout": 0.05}}

    def feedback(self, number, settings, frames, tick):
        self.asked[-1] = True
        return {"a": setting(number + 1.0)}, []


@pytest.mark.parametrize("weak", [False, True])
def test_guard(tmp_path, weak):
    ledger, notes, judge = Ledger(tmp_path, {}), Events(), Judge(weak)
    told = []
    notes.subscribe(lambda e: told.append(e.data["text"]) if e.kind == "note" else None)
    spec = SimpleNamespace(out=tmp_path, backend="warp", budget=SimpleNamespace(cells=[], name="x", output=SimpleNamespace(keep_rejected=0)))
    loop = Loop(spec, ledger, None, judge, notes)
    settings = {"a": setting(0.0)}
    for number in range(6):
        ledger.insert("rounds", [{"round": number, "state": "open", "settings": to_plain(settings), "allocation": []}])
        asyncio.run(loop._close_round(number, settings))
        settings = loop._next_settings(number, settings)
    assert len(told) == 1
    guard = ledger.meta("guard")
    assert (guard["round"], guard["best"], guard["stopped"]) == (4, 1, not weak)
    if weak:
        assert "the hold-out is weak, so feedback goes on" in told[0]
        assert judge.asked == [True] * 6 and settings["a"].dist.value == 6.0
    else:
        assert "the settings of round 1 are restored" in told[0]
        assert judge.asked == [True] * 4 + [False] * 2
        held = json.loads(ledger.rows("select settings from rounds where round = 1")[0]["settings"])
        assert settings["a"] == Setting.model_validate(held["a"]) and settings["a"].dist.value == 1.0
