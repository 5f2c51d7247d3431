"""From a real data set's labels to a budget: what is rare, by how much, and where it stands."""

from tailgate.plan.budget import PlanOptions, PlanResult, make_budget, plan
from tailgate.plan.show import print_plan

__all__ = ["PlanOptions", "PlanResult", "make_budget", "plan", "print_plan"]
