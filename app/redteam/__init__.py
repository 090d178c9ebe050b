"""The worst that an attack can do to a rule: a search over the attack's options."""

from signfed.app.redteam.search import Trial, red_team, worst

__all__ = ["Trial", "red_team", "worst"]
