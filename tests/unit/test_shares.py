"""Shares of a budget add up to it, and differ in name and seed."""

import pytest
from tailgate.config.budget import Budget
from tailgate.config.load import Source, validate
from tailgate.config.rig import configs_root
from tailgate.errors import UserError
from tailgate.runtime.final import _again as again
from tailgate.runtime.shares import share_overrides

BUDGET = configs_root() / "budgets" / "quickstart.yaml"


def read(overrides=()):
    source = Source(BUDGET, overrides)
    return validate(Budget, source.data, source)


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_shares_add_up(parts):
    whole, shares = read(), [read(share_overrides(BUDGET, f"{i + 1}/{parts}", [])) for i in range(parts)]
    assert [sum(targets) for targets in zip(*([c.target for c in s.cells] for s in shares), strict=True)] == [c.target for c in whole.cells]
    assert len({s.seed for s in shares} | {whole.seed}) == parts + 1 and len({s.name for s in shares}) == parts


def test_no_follow_up_of_a_share_has_the_seed_of_another():
    shares = [read(share_overrides(BUDGET, f"{i + 1}/3", [])) for i in range(3)]
    budgets = [read(), *shares]
    assert len({b.seed for b in (*budgets, *(again(b, {}) for b in budgets))}) == 8


@pytest.mark.parametrize("share", ["0/3", "4/3", "1", "a/b", "-1/2"])
def test_a_wrong_share_is_said(share):
    with pytest.raises(UserError, match="--share: must be I/N with I from 1 to N"):
        share_overrides(BUDGET, share, [])


def test_too_many_parts():
    with pytest.raises(UserError, match="use fewer parts"):
        share_overrides(BUDGET, "1/1000", [])
