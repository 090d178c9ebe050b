"""What the server does with the updates it got: one rule per file, each a Flower Strategy."""

from strategies.base import Federation, RobustStrategy
from strategies.election import ElectionCoding
from strategies.mean import Mean
from strategies.registry import STRATEGIES, aggregate
from strategies.sign_fd import SignFD
from strategies.sign_mv import SignMV
from strategies.step import Step
from strategies.transport.intake import FederationError
from strategies.updates import Updates

__all__ = [
    "STRATEGIES",
    "ElectionCoding",
    "Federation",
    "FederationError",
    "Mean",
    "RobustStrategy",
    "SignFD",
    "SignMV",
    "Step",
    "Updates",
    "aggregate",
]
