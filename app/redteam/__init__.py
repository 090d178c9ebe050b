"""The worst that an attack can do to a rule: a search over the attack's parameters."""

from app.redteam.search import Trial, red_team, worst
from app.redteam.space import SPACE, Choice, Range

__all__ = ["SPACE", "Choice", "Range", "Trial", "red_team", "worst"]
