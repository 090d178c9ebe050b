"""Run-config keys that belong to one partition, rule, encoder or attack, and what they become."""

from __future__ import annotations

from dataclasses import dataclass

Value = int | float | str | bool


@dataclass(frozen=True)
class Option:
    """owners: whose it is; argument: the keyword argument that it becomes there."""

    owners: tuple[str, ...]
    argument: str
    default: Value
    help: str


KRUMS = ("krum", "multi-krum")
SIGNGUARDS = ("signguard", "signguard-sim", "signguard-dist")

PARTITION_OPTIONS = {
    "partition-fraction": Option(
        ("signguard",), "fraction", 0.5, "s, the share that is dealt out evenly, 0..1"
    ),
    "partition-alpha": Option(("dirichlet",), "alpha", 0.5, "small: few classes a worker; above 0"),
    "partition-labels": Option(("labels",), "labels_held", 2, "classes that each worker holds"),
}
STRATEGY_OPTIONS = {
    "crossover": Option(
        ("sign-fd",), "crossover", "blocks", "where errors are pooled: blocks, pooled, alg1, eq17"
    ),
    "initial-rounds": Option(
        ("sign-fd",), "initial_rounds", 50, "T_in of alg1 and eq17, rounds with one weight a worker"
    ),
    "sign-fd-blocks": Option(("sign-fd",), "blocks", 16, "how many blocks"),
    "sign-fd-forget": Option(
        ("sign-fd",), "forget", 1.0, "a round that is k rounds old weighs forget^k"
    ),
    "sign-mv-tie": Option(("sign-mv",), "tie", "plus", "plus, zero, random or prev"),
    "election-code": Option(("election",), "code", "deterministic", "deterministic or bernoulli"),
    "election-redundancy": Option(
        ("election",), "redundancy", 2.0, "r of the Bernoulli code, partitions per worker"
    ),
    "election-noise": Option(
        ("election",), "noise", 0.0, "standard deviation of noise on a partition's gradient"
    ),
    "signguard-components": Option(
        SIGNGUARDS, "components", "filter,cluster,clip", "which of its parts are on"
    ),
    "signguard-coordinates": Option(
        SIGNGUARDS, "coordinates", "random", "random, or window as in the authors' code"
    ),
    "signguard-fraction": Option(SIGNGUARDS, "fraction", 0.1, "share of them, in (0, 1]"),
    "signguard-scaling": Option(
        SIGNGUARDS, "scaling", "raw", "of the shares: raw, or max as in the authors' code"
    ),
    "signguard-similarity": Option(
        SIGNGUARDS[1:], "similarity", "paper", "form of the fourth feature: paper or authors"
    ),
    "geometric-median-reweight": Option(
        ("geometric-median",), "reweight", False, "the SignGuard authors' variant"
    ),
    "krum-neighbours": Option(KRUMS, "neighbours", 0, "distances in a score; 0: n-f-2"),
    "krum-strict": Option(KRUMS, "strict", True, "whether n < 2f+3 is an error"),
    "multi-krum-selected": Option(("multi-krum",), "selected", 0, "rows averaged; 0: n-f-2"),
    "dnc-coordinates": Option(("dnc",), "coordinates", 10_000, "b, drawn in an iteration"),
    "dnc-iterations": Option(("dnc",), "iterations", 1, "filters; what passes all is averaged"),
    "dnc-filter": Option(("dnc",), "filter_factor", 1.0, "c: floor(c f) rows are removed"),
    "centered-clipping-radius": Option(("centered-clipping",), "radius", 10.0, "tau, above 0"),
    "centered-clipping-iterations": Option(("centered-clipping",), "iterations", 3, "a round"),
}
PRE_AGGREGATION_OPTIONS = {
    "bucket-size": Option(("bucketing",), "bucket_size", 2, "rows in a bucket"),
}
ENCODER_OPTIONS = {
    "sign-zero": Option(("sign",), "zero", "plus", "what an exact 0 is sent as: plus or random"),
    "sto-sign-scale": Option(("sto-sign",), "scale", 0.012, "b, above 0"),
    "noisy-sign-std": Option(("noisy-sign",), "std", 0.001, "standard deviation of the noise"),
    "top-k-fraction": Option(("top-k",), "fraction", 0.1, "K/N, in (0, 1]"),
}
ATTACK_OPTIONS = {
    "flip-probability": Option(("stochastic-sign-flip",), "flip_probability", 0.5, "r, 0..1"),
    "gaussian-std": Option(("gaussian",), "std", 1.0, "standard deviation, above 0"),
    "random-std": Option(("random",), "std", 0.5, "standard deviation, above 0"),
    "noise-std": Option(("noise",), "std", 0.5, "standard deviation, above 0"),
    "reverse-scaling-factor": Option(("reverse-scaling",), "factor", 3.0, "r, above 0"),
    "lie-z": Option(("lie",), "z", 0.3, "standard deviations away from the honest mean"),
    "lie-z-max": Option(("lie",), "z_max", False, "take the z of Baruch et al. instead"),
    "lie-direction": Option(("lie",), "direction", "minus", "minus or plus"),
    "byzmean-inner": Option(("byzmean",), "inner", "lie", "attack that gives the target mean"),
    "min-max-perturbation": Option(
        ("min-max",), "perturbation", "std", "minus what: std, unit or sign"
    ),
    "min-sum-perturbation": Option(
        ("min-sum",), "perturbation", "std", "minus what: std, unit or sign"
    ),
    "min-sum-bound": Option(("min-sum",), "bound", "max", "max, or min as in the authors' code"),
    "ipm-epsilon": Option(("ipm",), "epsilon", 0.1, "length of the reversed mean, above 0"),
    "mimic-target": Option(("mimic",), "target", 0, "which honest worker; -1: the most telling"),
    "vote-aware-share": Option(
        ("vote-aware",), "share", 1.0, "share of coordinates that are attacked, the closest first"
    ),
    "weight-aware-share": Option(
        ("weight-aware",), "share", 1.0, "share of coordinates that are attacked, the closest first"
    ),
    "filter-aware-share": Option(
        ("filter-aware",), "share", 1.0, "share of coordinates that are attacked, the largest first"
    ),
    "directional-value": Option(("directional",), "value", -1.0, "sent for every coordinate"),
    "sleeper-rounds": Option(("sleeper",), "rounds", 100, "honest ones before it inverts"),
    "time-varying-attacks": Option(
        ("time-varying",),
        "attacks",
        "none,random,noise,label-flip,byzmean,sign-flip,lie,min-max,min-sum",
        "drawn from, by name",
    ),
    "time-varying-period": Option(
        ("time-varying",), "period", 1, "rounds of each; 0: an epoch of a worker's data"
    ),
    "time-varying-changing": Option(
        ("time-varying",), "changing", False, "whether only some of the liars lie, others each time"
    ),
}
OPTIONS = (
    PARTITION_OPTIONS
    | STRATEGY_OPTIONS
    | PRE_AGGREGATION_OPTIONS
    | ENCODER_OPTIONS
    | ATTACK_OPTIONS
)
