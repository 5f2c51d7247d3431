"""From a real data set's labels to a budget: what is rare, by how much, and where it stands."""

from tailgate.plan.budget import PlanOptions, PlanResult, Survey, make_budget, plan, survey
from tailgate.plan.show import print_plan, print_survey

__all__ = ["PlanOptions", "PlanResult", "Survey", "make_budget", "plan", "print_plan", "print_survey", "survey"]
