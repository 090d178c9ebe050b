"""What the papers prove about a vote of signs, as functions, and the exact truth beside them.

One file per paper, `exact` for what the bounds bound, `table` for all of them by name. A form that
is printed but does not hold is there too, never as the default.
"""

from signfed.strategies.bounds.byzantine_fault_tolerance import (
    alpha_max,
    p_wrong_max,
    sign_noise_max,
    vote_failure_bound,
    vote_failure_cantelli,
    vote_rate_bound,
)
from signfed.strategies.bounds.domain import Numbers
from signfed.strategies.bounds.election import (
    alpha_ok,
    det_redundancy,
    election_rate_bound,
    p_star,
    q_local,
    q_star,
)
from signfed.strategies.bounds.exact import majority_vote_error, weighted_vote_error
from signfed.strategies.bounds.federated_defense import (
    error_exponent,
    fd_bound,
    fd_bound_special,
    fd_bound_ssfa,
    kearns_saul,
    mv_bound,
    mv_bound_ssfa,
    mv_epsilon,
    rate_bound,
    ssfa,
)
from signfed.strategies.bounds.signguard import (
    eta_max,
    honest_mean_bound,
    honest_spread,
    signguard_rate_bound,
)
from signfed.strategies.bounds.table import BOUNDS, Bound

__all__ = [
    "BOUNDS",
    "Bound",
    "Numbers",
    "alpha_max",
    "alpha_ok",
    "det_redundancy",
    "election_rate_bound",
    "error_exponent",
    "eta_max",
    "fd_bound",
    "fd_bound_special",
    "fd_bound_ssfa",
    "honest_mean_bound",
    "honest_spread",
    "kearns_saul",
    "majority_vote_error",
    "mv_bound",
    "mv_bound_ssfa",
    "mv_epsilon",
    "p_star",
    "p_wrong_max",
    "q_local",
    "q_star",
    "rate_bound",
    "sign_noise_max",
    "signguard_rate_bound",
    "ssfa",
    "vote_failure_bound",
    "vote_failure_cantelli",
    "vote_rate_bound",
    "weighted_vote_error",
]
