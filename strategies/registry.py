"""Every rule by name, and one call of it on a matrix."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

from signfed.strategies.bulyan import Bulyan
from signfed.strategies.caf import CAF
from signfed.strategies.centered_clipping import CenteredClipping
from signfed.strategies.cge import CGE
from signfed.strategies.core.matrix import Row
from signfed.strategies.core.options import known
from signfed.strategies.dnc import DnC
from signfed.strategies.election import ElectionCoding
from signfed.strategies.fedseca import FedSECA
from signfed.strategies.fltrust import FLTrust
from signfed.strategies.geometric_median import GeometricMedian
from signfed.strategies.krum import Krum
from signfed.strategies.lasa import LASA
from signfed.strategies.mda import MDA
from signfed.strategies.meamed import MeaMed
from signfed.strategies.mean import Mean
from signfed.strategies.median import CoordinateMedian
from signfed.strategies.monna import MoNNA
from signfed.strategies.multi_krum import MultiKrum
from signfed.strategies.pre_aggregations import PRE_AGGREGATIONS, chosen
from signfed.strategies.probit_plus import ProbitPlus
from signfed.strategies.reputation_mv import ReputationMV
from signfed.strategies.robust_lr import RobustLR
from signfed.strategies.server.strategy import RobustStrategy
from signfed.strategies.sign_fd import SignFD
from signfed.strategies.sign_fv import SignFV
from signfed.strategies.sign_mv import SignMV
from signfed.strategies.signguard import SignGuard
from signfed.strategies.signguard_dist import SignGuardDist
from signfed.strategies.signguard_sim import SignGuardSim
from signfed.strategies.smea import SMEA
from signfed.strategies.trimmed_mean import TrimmedMean

STRATEGIES: dict[str, type[RobustStrategy]] = {
    "mean": Mean,
    "sign-mv": SignMV,
    "sign-fd": SignFD,
    "election": ElectionCoding,
    "reputation-mv": ReputationMV,
    "sign-fv": SignFV,
    "fedseca": FedSECA,
    "robust-lr": RobustLR,
    "probit-plus": ProbitPlus,
    "signguard": SignGuard,
    "signguard-sim": SignGuardSim,
    "signguard-dist": SignGuardDist,
    "median": CoordinateMedian,
    "trimmed-mean": TrimmedMean,
    "geometric-median": GeometricMedian,
    "krum": Krum,
    "multi-krum": MultiKrum,
    "bulyan": Bulyan,
    "dnc": DnC,
    "centered-clipping": CenteredClipping,
    "fltrust": FLTrust,
    "lasa": LASA,
    "mda": MDA,
    "meamed": MeaMed,
    "monna": MoNNA,
    "caf": CAF,
    "smea": SMEA,
    "cge": CGE,
}


def build(
    kind: Callable[..., RobustStrategy],
    *inner: RobustStrategy,
    n_byzantine: int,
    seed: int,
    **options: object,
) -> RobustStrategy:
    """Make a rule; `n_byzantine` and `seed` reach those whose constructor asks for them.

    Parameters
    ----------
    kind : callable
        A class of `STRATEGIES` or `PRE_AGGREGATIONS`, or a user's own.
    *inner : RobustStrategy
        The rule behind a pre-aggregation.
    n_byzantine, seed : int
    **options
        Of the constructor.

    Raises
    ------
    OptionError
        For an option that is out of its range.
    """
    asked = inspect.signature(kind).parameters
    common = {"n_byzantine": n_byzantine, "seed": seed}.items()
    return kind(*inner, **{name: value for name, value in common if name in asked}, **options)


def before(
    rule: RobustStrategy,
    mixing: Sequence[tuple[str, Mapping[str, object]]],
    *,
    n_byzantine: int,
    seed: int,
) -> RobustStrategy:
    """Put pre-aggregations before a rule.

    Parameters
    ----------
    rule : RobustStrategy
    mixing : sequence of (str, mapping)
        A name of `PRE_AGGREGATIONS` and its options each, in the order in which they see the rows.
    n_byzantine, seed : int
        As for `build`.

    Returns
    -------
    RobustStrategy
        The first of them, around the others and the rule.
    """
    for name, options in reversed(mixing):
        rule = build(PRE_AGGREGATIONS[name], rule, n_byzantine=n_byzantine, seed=seed, **options)
    return rule


def aggregate(
    name: str,
    matrix: np.ndarray | Tensor | Sequence[Row],
    *,
    n_byzantine: int = 0,
    seed: int = 0,
    pre_aggregation: str = "none",
    pre_aggregation_options: Mapping[str, object] | None = None,
    reference: Row | None = None,
    edges: Sequence[int] = (),
    **options: object,
) -> np.ndarray | Tensor:
    """Call a rule by its name on the rows of a matrix.

    As in a federation, rows with a value that is not finite are dropped, and when the rule does not
    admit the number of rows that are left, their coordinate-wise median, or plain vote, answers in
    its place. A rule with memory sees its first round. A rule on signs takes the signs of the rows.
    To call one rule object several times, see `Rule.__call__`.

    Parameters
    ----------
    name : str
        A key of `STRATEGIES`.
    matrix : ndarray or Tensor, numeric [n, N], or list or tuple of n rows
        One row per worker: an array, a tensor or a sequence of N numbers. It is not changed.
    n_byzantine : int
        f, how many rows may be Byzantine.
    seed : int
        Of what the rule draws.
    pre_aggregation : str
        What changes the rows before the rule gets them: keys of `PRE_AGGREGATIONS` with commas
        between, "clipping,nnm" for rows that are clipped and then mixed; or "none".
    pre_aggregation_options : mapping, optional
        Their options, {"size": 3}; {"clipping.threshold": 1.0} names the owner.
    reference : ndarray, Tensor or sequence of N numbers, optional
        The server's own gradient, for a rule that needs one (fltrust, sign-fv, and monna with
        trusted="server").
    edges : sequence of int, optional
        Where the model's parameter tensors begin and end, from 0 to N, for a rule that looks at
        layers (lasa); one layer by default.
    **options
        Options of the rule, by the names of its constructor.

    Returns
    -------
    ndarray or Tensor, float32 [N]
        A tensor on the same device where a tensor or a list of tensors was given, else an array.

    Raises
    ------
    OptionError
        For an option that the rule or the pre-aggregation does not have, or out of its range; a
        ValueError.
    TypeError
        When the matrix is none of these types.
    ValueError
        For an unknown name, rows that form no matrix, an n and f that the rule does not admit, a
        matrix without a finite row, or a reference that is missing or does not fit.

    Examples
    --------
    >>> aggregate("sign-mv", np.array([[1.0, -2], [3, -4], [-5, 6]]))
    array([ 1., -1.], dtype=float32)
    >>> aggregate("krum", [[0.0], [1.0], [9.0]], neighbours=1)
    array([0.], dtype=float32)
    """
    if name not in STRATEGIES:
        raise ValueError(f"unknown rule {name!r}; expected one of {', '.join(STRATEGIES)}")
    known(STRATEGIES[name], name, options)
    rule = build(STRATEGIES[name], n_byzantine=n_byzantine, seed=seed, **options)
    mixing = chosen(pre_aggregation, pre_aggregation_options or {})
    mixed = before(rule, mixing, n_byzantine=n_byzantine, seed=seed)
    return mixed(matrix, reference=reference, edges=edges)
