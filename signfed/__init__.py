"""Byzantine-robust federated learning at one bit per coordinate, on Flower.

Everything here is loaded when it is first asked for, so that a device loads no more than it needs.

>>> from signfed import aggregate
>>> aggregate("sign-mv", [[1.0, -2.0], [3.0, -4.0], [-5.0, 6.0]])
array([ 1., -1.], dtype=float32)
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not (Path(__file__).parent / "strategies").is_dir():
    # In a checkout, and in the app that Flower carries, the four folders lie beside this one.
    __path__.append(str(Path(__file__).parent.parent))

if TYPE_CHECKING:
    from signfed.app.engines.launch import run as run
    from signfed.app.errors import ConfigError as ConfigError
    from signfed.app.federation.admission import admission as admission
    from signfed.app.report.making import report as report
    from signfed.app.runs.recorder import RunRecorder as RunRecorder
    from signfed.app.task import Dataset as Dataset
    from signfed.app.task import Spec as Spec
    from signfed.attacks import Findings as Findings
    from signfed.attacks import View as View
    from signfed.attacks import attack as attack
    from signfed.attacks import craft as craft
    from signfed.clients.mods.byzantine import byzantine as byzantine
    from signfed.clients.mods.one_bit import OneBit as OneBit
    from signfed.clients.mods.one_bit import one_bit as one_bit
    from signfed.clients.mods.one_bit import one_bit_both as one_bit_both
    from signfed.strategies.arc import ARC as ARC
    from signfed.strategies.bucketing import Bucketing as Bucketing
    from signfed.strategies.bulyan import Bulyan as Bulyan
    from signfed.strategies.caf import CAF as CAF
    from signfed.strategies.centered_clipping import CenteredClipping as CenteredClipping
    from signfed.strategies.cge import CGE as CGE
    from signfed.strategies.clipping import Clipping as Clipping
    from signfed.strategies.core.updates import Updates as Updates
    from signfed.strategies.dnc import DnC as DnC
    from signfed.strategies.election import ElectionCoding as ElectionCoding
    from signfed.strategies.fedseca import FedSECA as FedSECA
    from signfed.strategies.fltrust import FLTrust as FLTrust
    from signfed.strategies.geometric_median import GeometricMedian as GeometricMedian
    from signfed.strategies.krum import Krum as Krum
    from signfed.strategies.lasa import LASA as LASA
    from signfed.strategies.mda import MDA as MDA
    from signfed.strategies.meamed import MeaMed as MeaMed
    from signfed.strategies.mean import Mean as Mean
    from signfed.strategies.median import CoordinateMedian as CoordinateMedian
    from signfed.strategies.monna import MoNNA as MoNNA
    from signfed.strategies.multi_krum import MultiKrum as MultiKrum
    from signfed.strategies.nnm import NearestNeighbourMixing as NearestNeighbourMixing
    from signfed.strategies.probit_plus import ProbitPlus as ProbitPlus
    from signfed.strategies.registry import aggregate as aggregate
    from signfed.strategies.reputation_mv import ReputationMV as ReputationMV
    from signfed.strategies.robust_lr import RobustLR as RobustLR
    from signfed.strategies.server.nodes import NodeOptions as NodeOptions
    from signfed.strategies.server.strategy import RobustStrategy as RobustStrategy
    from signfed.strategies.sign_fd import SignFD as SignFD
    from signfed.strategies.sign_fv import SignFV as SignFV
    from signfed.strategies.sign_mv import SignMV as SignMV
    from signfed.strategies.signguard import SignGuard as SignGuard
    from signfed.strategies.signguard_dist import SignGuardDist as SignGuardDist
    from signfed.strategies.signguard_sim import SignGuardSim as SignGuardSim
    from signfed.strategies.smea import SMEA as SMEA
    from signfed.strategies.trimmed_mean import TrimmedMean as TrimmedMean

# Where each public name is defined; a test holds this equal to the imports above.
_HOMES = {
    "ARC": "strategies.arc",
    "Bucketing": "strategies.bucketing",
    "Bulyan": "strategies.bulyan",
    "CAF": "strategies.caf",
    "CGE": "strategies.cge",
    "CenteredClipping": "strategies.centered_clipping",
    "Clipping": "strategies.clipping",
    "ConfigError": "app.errors",
    "CoordinateMedian": "strategies.median",
    "Dataset": "app.task",
    "DnC": "strategies.dnc",
    "ElectionCoding": "strategies.election",
    "FLTrust": "strategies.fltrust",
    "FedSECA": "strategies.fedseca",
    "Findings": "attacks",
    "GeometricMedian": "strategies.geometric_median",
    "Krum": "strategies.krum",
    "LASA": "strategies.lasa",
    "MDA": "strategies.mda",
    "MeaMed": "strategies.meamed",
    "Mean": "strategies.mean",
    "MoNNA": "strategies.monna",
    "MultiKrum": "strategies.multi_krum",
    "NearestNeighbourMixing": "strategies.nnm",
    "NodeOptions": "strategies.server.nodes",
    "OneBit": "clients.mods.one_bit",
    "ProbitPlus": "strategies.probit_plus",
    "ReputationMV": "strategies.reputation_mv",
    "RobustLR": "strategies.robust_lr",
    "RobustStrategy": "strategies.server.strategy",
    "RunRecorder": "app.runs.recorder",
    "SMEA": "strategies.smea",
    "SignFD": "strategies.sign_fd",
    "SignFV": "strategies.sign_fv",
    "SignGuard": "strategies.signguard",
    "SignGuardDist": "strategies.signguard_dist",
    "SignGuardSim": "strategies.signguard_sim",
    "SignMV": "strategies.sign_mv",
    "Spec": "app.task",
    "TrimmedMean": "strategies.trimmed_mean",
    "Updates": "strategies.core.updates",
    "View": "attacks",
    "admission": "app.federation.admission",
    "aggregate": "strategies.registry",
    "attack": "attacks",
    "byzantine": "clients.mods.byzantine",
    "craft": "attacks",
    "one_bit": "clients.mods.one_bit",
    "one_bit_both": "clients.mods.one_bit",
    "report": "app.report.making",
    "run": "app.engines.launch",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'signfed' has no attribute {name!r}")
    return getattr(import_module(f"signfed.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
