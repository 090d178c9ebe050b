"""What the server does with the updates it got: one rule per file, each a Flower Strategy."""

from strategies.base import RobustStrategy
from strategies.bulyan import Bulyan
from strategies.centered_clipping import CenteredClipping
from strategies.dnc import DnC
from strategies.election import ElectionCoding
from strategies.federation import Federation, FederationError, Participation
from strategies.geometric_median import GeometricMedian
from strategies.krum import Krum, MultiKrum
from strategies.mean import Mean
from strategies.median import CoordinateMedian
from strategies.mixing import Bucketing, NearestNeighbourMixing
from strategies.registry import PRE_AGGREGATIONS, STRATEGIES, aggregate
from strategies.reputation_mv import ReputationMV
from strategies.sign_fd import SignFD
from strategies.sign_mv import SignMV
from strategies.signguard import SignGuard, SignGuardDist, SignGuardSim
from strategies.step import Step
from strategies.trimmed_mean import TrimmedMean
from strategies.updates import Updates

__all__ = [
    "PRE_AGGREGATIONS",
    "STRATEGIES",
    "Bucketing",
    "Bulyan",
    "CenteredClipping",
    "CoordinateMedian",
    "DnC",
    "ElectionCoding",
    "Federation",
    "FederationError",
    "GeometricMedian",
    "Krum",
    "Mean",
    "MultiKrum",
    "NearestNeighbourMixing",
    "Participation",
    "ReputationMV",
    "RobustStrategy",
    "SignFD",
    "SignGuard",
    "SignGuardDist",
    "SignGuardSim",
    "SignMV",
    "Step",
    "TrimmedMean",
    "Updates",
    "aggregate",
]
