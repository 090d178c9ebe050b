"""The shortest scenario that still fails: fewer faults first, then rounds, nodes, options."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.simulation.scenario import Fault, Scenario

OPTIONAL = (
    "attack",
    "worker-momentum",
    "momentum",
    "fraction-train",
    "encoder",
    "checkpoint-every",
    "fraction-evaluate",
    "mod",
)

# A scenario -> what it fails with, "" where it does not.
Fails = Callable[[Scenario], str]


def shrunk(scenario: Scenario, fails: Fails) -> Scenario:
    """Return the smallest scenario found that fails with the same words as this one."""
    reason = fails(scenario)
    smaller: Scenario | None = scenario
    while smaller:
        scenario = smaller
        smaller = next((s for s in _smaller(scenario) if fails(s) == reason), None)
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    for faults in _fewer(scenario.faults):
        yield scenario.but(faults=faults)
    config = scenario.config
    places = [abs(f.at) for f in scenario.faults]
    last = max([at for at in places if at <= config["num-rounds"]], default=1)
    for rounds in sorted({max(1, last), config["num-rounds"] - 1} - {0, config["num-rounds"]}):
        if rounds < config["num-rounds"]:
            yield scenario.but(config=config | {"num-rounds": rounds})
    used = {f.partition for f in scenario.faults}
    if scenario.nodes > 1 and scenario.nodes - 1 not in used:
        yield scenario.but(nodes=scenario.nodes - 1)
    for key in OPTIONAL:
        if key in config:
            fewer = {k: v for k, v in config.items() if k != key and not k.startswith(f"{key}.")}
            if key == "attack":
                fewer |= {"num-byzantine": 0, "assumed-byzantine": 0}
            if key == "encoder":
                fewer.pop("top-k.fraction", None)
            yield scenario.but(config=fewer)


def _fewer(faults: tuple[Fault, ...]) -> Iterator[tuple[Fault, ...]]:
    """Delta debugging: without halves, quarters, ... and each one."""
    size = len(faults)
    while size := size // 2 if size > 1 else 0:
        for start in range(0, len(faults), size):
            yield faults[:start] + faults[start + size :]
    if len(faults) == 1:
        yield ()
