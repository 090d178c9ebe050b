"""All bounds and exact values by name, for a command line to list and call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from signfed.strategies.bounds import byzantine_fault_tolerance as bft
from signfed.strategies.bounds import election, exact, signguard
from signfed.strategies.bounds import federated_defense as fd

FD, BFT = "Park & Lee 2024", "Mengoli et al. 2025"
EC, SG = "Sohn et al. 2020", "Xu et al. 2022"
WORKERS = "p in (0, 1), one per worker"
FLIPPERS = f"{WORKERS}, without the attack; 0 <= L <= M flip, the first of p"
WEIGHTS = "dmin in [0, 1); dmax >= 0"
LIARS = "Q >= 1; p in (1/2, 1]; alpha in [0, 1 - 1/(2p))"
OBJECTIVE = "T >= 1; L1 > 0"
FILTER = "beta in [0, 1/2); delta in [0, beta), or 0 with beta = 0"


@dataclass(frozen=True)
class Bound:
    """A function of this package, and what a person needs to call it.

    summary: one line. domain: its arguments with their ranges. example: arguments of a call, as
    key=value. reference: where it is printed. invalid: pairs (form, why it is not a bound).
    """

    function: Callable[..., object]
    summary: str
    domain: str
    example: str
    reference: str
    invalid: tuple[tuple[str, str], ...] = ()


BOUNDS: dict[str, Bound] = {
    "rate_bound": Bound(
        fd.rate_bound,
        "mean gradient norm of any sign vote with decoding errors up to PE",
        f"PE in [0, 1/2); f1 >= fstar; {OBJECTIVE}",
        "PE=0.1 f1=2.3 fstar=0 L1=100 T=1000",
        f"{FD}, Theorem 4.3",
    ),
    "error_exponent": Bound(
        fd.error_exponent,
        "g(p), what one worker adds to the exponent of federated defense",
        "p in (0, 1)",
        "p=0.2",
        f"{FD}, Theorem 4.6",
    ),
    "fd_bound": Bound(
        fd.fd_bound,
        "decoding error of federated defense",
        f"{WORKERS}; {WEIGHTS}",
        "p=0.2x9,0.8x6",
        f"{FD}, Theorem 4.4",
    ),
    "mv_bound": Bound(
        fd.mv_bound,
        "decoding error of the majority vote",
        "p in [0, 1], one per worker; form valid or printed",
        "p=0.2x15",
        f"{FD}, Theorem 4.5",
        (("printed", "for a mean p above 1/2: p=0.8x15 gives .377, the truth is .996"),),
    ),
    "ssfa": Bound(
        fd.ssfa,
        "cross-over probability of a worker under a stochastic sign flip attack",
        "p in [0, 1]; r in [0, 1]",
        "p=0.2 r=1",
        f"{FD}, eq. 11",
    ),
    "fd_bound_ssfa": Bound(
        fd.fd_bound_ssfa,
        "decoding error of federated defense under a stochastic sign flip attack",
        f"{FLIPPERS}; r in [0, 1]; {WEIGHTS}",
        "p=0.2x15 L=6 r=0.5",
        f"{FD}, Theorem 4.6",
    ),
    "fd_bound_special": Bound(
        fd.fd_bound_special,
        "the same in closed form for r = 1 and r = 1/2",
        f"{FLIPPERS}; r 1 or 0.5; {WEIGHTS}; form valid or printed",
        "p=0.2x15 L=6 r=1",
        f"{FD}, Corollary 4.7",
        (("printed", "for unequal p: p=1e-6x6,0.45x9 L=6 r=0.5 gives 4e-6, the truth is .379"),),
    ),
    "mv_epsilon": Bound(
        fd.mv_epsilon,
        "the eps that Theorem 4.8 calls small",
        f"{FLIPPERS}; r in [0, 1]",
        "p=0.1x15 L=6 r=1",
        f"{FD}, eq. 54",
    ),
    "mv_bound_ssfa": Bound(
        fd.mv_bound_ssfa,
        "decoding error of the majority vote under a stochastic sign flip attack",
        f"{FLIPPERS}; r in [0, 1]; form valid, printed or without-eps",
        "p=0.05x15 L=6 r=0.5",
        f"{FD}, Theorem 4.8",
        (
            ("printed", "for a mixed mean above 1/2: p=0.1x15 L=10 r=1, .797, truth .954"),
            ("without-eps", "p=0.05x15 L=6 r=0.5 gives .00182, the truth is .00206"),
        ),
    ),
    "kearns_saul": Bound(
        fd.kearns_saul,
        "moment generating function of a centred Bernoulli variable",
        "p in [0, 1]; t finite",
        "p=0.2 t=1",
        f"{FD}, eq. 35",
    ),
    "p_wrong_max": Bound(
        bft.p_wrong_max,
        "how often an honest worker has the wrong sign, by signal-to-noise ratio",
        "S > 0; form lemma or gauss",
        "S=1",
        f"{BFT}, Lemma 3.6",
    ),
    "sign_noise_max": Bound(
        bft.sign_noise_max,
        "p (1-p) / (p-1/2)^2 of an honest worker, by signal-to-noise ratio",
        "S > 0",
        "S=1",
        f"{BFT}, Lemma 3.6",
    ),
    "alpha_max": Bound(
        bft.alpha_max,
        "share of liars below which a majority vote wins on average",
        "p in (1/2, 1]",
        "p=0.8",
        f"{BFT}, Theorem 3.7",
    ),
    "vote_failure_cantelli": Bound(
        bft.vote_failure_cantelli,
        "majority vote wrong, by the share of liars",
        LIARS,
        "Q=27 alpha=0.2 p=0.8",
        f"{BFT}, proof of Theorem 3.7",
    ),
    "vote_failure_bound": Bound(
        bft.vote_failure_bound,
        "the same, by the share of liars and the signal-to-noise ratio",
        f"{LIARS}; S > 0 and as large as p allows; form A, 4B or B",
        "Q=27 alpha=0.2 p=0.8 S=1",
        f"{BFT}, Theorem 3.7",
        (("B", "uniform noise, Q=27 alpha=0 S=.165 gives .292, the truth is .308"),),
    ),
    "vote_rate_bound": Bound(
        bft.vote_rate_bound,
        "mean gradient norm of a majority vote with liars",
        f"K >= 1; {LIARS}; sigma1 >= 0; L1 > 0; f0 >= fstar; form A, 4B or B",
        "K=100 Q=27 alpha=0.2 p=0.8 sigma1=10 L1=10 f0=2.3 fstar=0",
        f"{BFT}, Theorem 3.7",
        (("B", "it rests on a vote failure probability that is too small by a factor 4"),),
    ),
    "q_local": Bound(
        election.q_local,
        "local vote of an honest node wrong",
        "n_i >= 0 partitions; S > 0",
        "n_i=3 S=1",
        f"{EC}, Lemma E.1",
    ),
    "p_star": Bound(
        election.p_star,
        "connection probability that a Bernoulli code needs",
        "n >= 2; C > 0; 4 C ln n <= n",
        "n=15 C=0.5",
        f"{EC}, Lemma 1",
    ),
    "q_star": Bound(
        election.q_star,
        "local vote of an honest node wrong, over such codes",
        "n >= 2; C > 0; 4 C ln n <= n; S > 0",
        "n=1000 C=1 S=1",
        f"{EC}, Lemma 1",
    ),
    "alpha_ok": Bound(
        election.alpha_ok,
        "share of liars below which nodes that err independently vote wrongly w.p. < 1/Delta",
        "n >= 1; Delta > 1; u in (1/2, 1]",
        "n=101 Delta=10 u=0.9",
        f"{EC}, Theorem 1",
    ),
    "election_rate_bound": Bound(
        election.election_rate_bound,
        "mean gradient norm when each coordinate's vote is wrong w.p. < 1/Delta",
        f"Delta > 2; f0 >= fstar; {OBJECTIVE}",
        "Delta=10 f0=2.3 fstar=0 L1=100 T=1000",
        f"{EC}, Theorem 2",
    ),
    "det_redundancy": Bound(
        election.det_redundancy,
        "partitions per node of the deterministic code against b liars",
        "n odd; b from 0 to (n - 1)/2",
        "n=5 b=1",
        f"{EC}, Theorem 3",
    ),
    "honest_mean_bound": Bound(
        signguard.honest_mean_bound,
        "squared distance from the honest mean to the true gradient",
        "beta in [0, 1/2); n >= 1; sigma, kappa >= 0",
        "beta=0.2 n=50 sigma=1 kappa=1",
        f"{SG}, Lemma 1",
    ),
    "honest_spread": Bound(
        signguard.honest_spread,
        "squared distance of two honest gradients",
        "sigma, kappa >= 0; form valid or printed",
        "sigma=1 kappa=1",
        f"{SG}, proof of Theorem 1",
        (("printed", "sigma=0 kappa=1 gives 2; gradients at +kappa and -kappa are 4 apart"),),
    ),
    "eta_max": Bound(
        signguard.eta_max,
        "learning rate up to which SignGuard's rate holds",
        f"{FILTER}; L > 0",
        "beta=0.2 delta=0 L=1",
        f"{SG}, Theorem 1",
    ),
    "signguard_rate_bound": Bound(
        signguard.signguard_rate_bound,
        "mean squared gradient norm of SignGuard",
        f"0 < eta <= eta_max; T >= 1; F0 >= Fstar; L > 0; {FILTER}; n >= 1; "
        "sigma, kappa, c, b >= 0; form valid or printed",
        "eta=0.1 T=100 F0=2.3 Fstar=0 L=1 beta=0.2 delta=0.1 n=50 sigma=1 kappa=1 c=1 b=0",
        f"{SG}, Theorem 1",
        (("printed", "its proof needs honest_spread's printed form, which does not hold"),),
    ),
    "weighted_vote_error": Bound(
        exact.weighted_vote_error,
        "exact error of a weighted vote, by enumeration",
        "p in [0, 1], up to 20 workers; w: their weights, by default ln((1-p)/p)",
        "p=0.2x9,0.8x6",
        "exact; a tie is an error",
    ),
    "majority_vote_error": Bound(
        exact.majority_vote_error,
        "exact error of a majority vote, any number of workers",
        "p in [0, 1], one per worker",
        "p=0.2x9,1x6",
        "exact; a tie is an error",
    ),
}
