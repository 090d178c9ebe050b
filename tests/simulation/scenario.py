"""What a seed stands for: a run config, its nodes, and a list of faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

# Of one message, to or from partition p in round r (round 0: the first question).
REQUEST = ("request-lost", "request-late", "request-twice", "request-rejected")
REPLY = (
    "reply-lost", "reply-late", "reply-twice", "reply-flipped", "reply-cut", "reply-renumbered",
    "reply-of-another", "reply-unasked", "reply-breaks-pull", "reply-without-objects",
)  # fmt: skip
ON_THE_WAY = REQUEST[:3]
ALSO_HELLO = ("reply-lost", "reply-late", "reply-without-objects")  # of round 0, too
# Of the node of partition p, before it answers in round r, for some seconds.
NODE = ("node-freezes", "node-dies", "node-dies-and-forgets", "node-dies-and-is-another", "rival")
# Of the server; an operation of the disk in place of the round.
SERVER = ("clock-jumps", "clock-goes-back", "interrupted")
DISK = ("killed", "power-lost", "disk-full")
KINDS = (*REQUEST, *REPLY, *NODE, *SERVER, *DISK)

PUBLIC = 4  # every so many seeds the app is a public one
SEEDS = 16  # of runs: noise that was drawn once serves again

RULES = {
    "sign": ("sign-mv", "sign-mv", "sign-fd", "reputation-mv"),
    "float": ("mean", "median", "trimmed-mean", "centered-clipping", "krum", "signguard"),
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    at: round, or operation of the disk; below zero: the evaluation by nodes in that round. size and
    share: how much.
    """

    kind: str
    at: int
    partition: int = 0
    size: float = 0.0
    share: float = 0.0

    def __str__(self) -> str:
        if self.kind in DISK:
            return f"{self.kind} at operation {self.at} ({self.share:.3f})"
        if self.kind in SERVER:
            return f"{self.kind} in round {self.at} ({self.size:.2f} s)"
        place = f"round {self.at}" if self.at >= 0 else f"evaluation of round {-self.at}"
        return (
            f"{self.kind}, partition {self.partition}, {place} "
            f"({self.size:.2f} s, {self.share:.3f})"
        )


@dataclass(frozen=True)
class Scenario:
    """A whole simulated run."""

    seed: int
    config: dict[str, Any]
    nodes: int
    faults: tuple[Fault, ...]
    public: bool = False  # the rule in a public app

    def but(self, **changes: Any) -> Scenario:
        return replace(self, **changes)

    def __str__(self) -> str:
        config = " ".join(f"{key}={value!r}" for key, value in self.config.items())
        public = " of a public app" if self.public else ""
        return "\n".join(
            [f"seed {self.seed}, {self.nodes} nodes{public}: {config}", *map(str, self.faults)]
        )


def drawn(seed: int) -> Scenario:
    """Return the scenario of a seed."""
    r = Random(seed)
    nodes = r.choice((1, 2, 2, 2, 3, 3, 4))
    workers = max(nodes, 3) + r.choice((0, 0, 1, 2))
    rounds = r.randint(3, 9)
    on_signs = r.random() < 0.6
    rule = r.choice(RULES["sign" if on_signs else "float"])
    config: dict[str, Any] = {
        "task": "quadratic", "device": "cpu", "lr": 0.05, "seed": r.randrange(1000) % SEEDS,
        "num-workers": workers, "num-rounds": rounds, "strategy": rule,
        "num-byzantine": 0, "assumed-byzantine": 0,
        "evaluate-every": r.randint(1, 4), "checkpoint-every": r.choice((0, 1, 2, 3)),
        "quorum": r.choice((0.2, 0.5, 0.8)), "round-timeout": r.choice((2.0, 10.0)),
        "node-timeout": r.choice((5.0, 20.0)),
    }  # fmt: skip
    if rule == "sign-fd":
        config |= {"sign-fd.estimator": "alg1", "sign-fd.initial-rounds": 2}
    if r.random() < 0.4:
        config["worker-momentum"] = 0.9
    if r.random() < 0.3:
        config["momentum"] = 0.9
    if r.random() < 0.3:
        config["fraction-train"] = r.choice((0.6, 0.8))
    if not on_signs and r.random() < 0.4:
        config |= {"encoder": "top-k", "top-k.fraction": 0.2}
    if r.random() < 0.5:
        config["num-byzantine"] = config["assumed-byzantine"] = 1
        own = ("sign-inversion", "gaussian", "noise")
        remember = "worker-momentum" in config or "encoder" in config
        config["attack"] = r.choice(own if on_signs or remember else (*own, "lie", "sign-flip"))
    if "attack" in config or rule == "krum":  # which need so many
        config["num-workers"] = max(workers, 5)
        config.pop("fraction-train", None)
    timeout = config["round-timeout"]
    faults = [_fault(r, nodes, rounds, timeout) for _ in range(r.choice((0, 1, 2, 3, 4, 6, 9)))]
    public = seed % PUBLIC == PUBLIC - 1
    if public:
        config["fraction-evaluate"] = r.choice((0.0, 0.0, 0.5, 1.0))
        if config["fraction-evaluate"]:
            faults = [_of_an_evaluation(f) if r.random() < 0.3 else f for f in faults]
        if on_signs:
            config["mod"] = r.choice(("", "one-bit", "both", "both", "feedback", "both-feedback"))
    return Scenario(seed, config, nodes, tuple(faults), public)


def _of_an_evaluation(fault: Fault) -> Fault:
    at = fault.at if fault.kind in (*SERVER, *DISK) else -fault.at
    return replace(fault, at=at)


def _fault(r: Random, nodes: int, rounds: int, timeout: float) -> Fault:
    group = r.choice((REQUEST, REPLY, REPLY, NODE, SERVER, DISK))
    kind = r.choice(group)
    if group is DISK:
        return Fault(kind, int(200 ** r.random()) + r.randint(0, 20), 0, r.random(), r.random())
    size = r.choice((0.01, 0.3, 0.9, 1.1, 2.0, 4.0)) * timeout * r.uniform(0.5, 1.0)
    first = 0 if group in (REQUEST, NODE) or kind in ALSO_HELLO else 1
    return Fault(kind, r.randint(first, rounds), r.randrange(nodes), size, r.random())
