"""Whether rounds on a device are right: against one worker after the other, and against themselves.

The same functions run on a CPU, where they check the code, and on a GPU, where they check the card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.gpu.cases import RULES, Case, Kept
from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.runs.scoring import Scorer
from signfed.app.task.shared import SharedGradients
from signfed.app.task.shared.trial import in_float64
from signfed.attacks import ATTACKS
from signfed.strategies.core.rule import State
from signfed.strategies.registry import STRATEGIES

ROUNDS = 5
DEEP = ("resnet-18", "resnet-56", "resnet-50")
SMALL = Case("mlp", 11, 8, 2, "sign-mv", "float32")
Outcome = tuple[np.ndarray, list[dict[str, Any]], dict[int, State]]


class OneByOne:
    """A problem whose gradients are computed one worker after the other."""

    def __init__(self, problem: Any) -> None:
        self._problem = problem

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    def batched(self, asked: Any) -> None:
        return None


def outcome(
    keys: Mapping[str, Any], problem: Any, resume: tuple[int, State] | None = None
) -> Outcome:
    """Run; the final model, the records, and the states after all rounds but late ones."""
    config = parse({**keys, "num-rounds": ROUNDS, "evaluate-every": ROUNDS})
    records: list[dict[str, Any]] = []
    states: dict[int, State] = {}

    def on_round(record: Any, state: Callable[[], State]) -> None:
        records.append(record.to_json())
        states[record.round] = {name: tensor.clone() for name, tensor in state().items()}

    ids = config.byzantine_ids
    observe = Scorer(ids) if ids else None
    always: Callable[[int], bool] = lambda server_round: True  # noqa: E731
    run = Run(config, build_strategy(config), problem, observe, on_round, resume, saves=always)
    return local_engine(run), records, states


def agreement(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """The largest relative error, and the share of signs that agree above rounding."""
    scale = max(float(np.abs(expected).max()), 1e-30)
    above = np.abs(expected) > 1e-5 * scale
    same = np.sign(found[above]) == np.sign(expected[above])
    return float(np.abs(found - expected).max()) / scale, float(same.mean())


def gradients_agree(case: Case, device: str) -> tuple[bool, str]:
    """All workers' gradients at once, on the device, beside the CPU's one by one.

    In float32, and where the network is deep in float64 too: rounding puts a few of its millions of
    activations on the other side of a ReLU, so that single values are far apart in float32.
    """
    there, here = Kept(case, device), Kept(case, "cpu")
    x, everyone = here.initial().numpy(), range(case.workers)
    batched = there.batched(lambda server_round: everyone)
    if batched is None:
        found = np.stack([there.gradient(x, w, 1) for w in everyone])
    else:
        found = batched(x, everyone, 1).cpu().numpy()
    expected = np.stack([here.gradient(x, w, 1) for w in everyone])
    error, signs = agreement(found, expected)
    said = f"relative error {error:.1e}, {signs:.5f} of the signs"
    if case.model not in DEEP or not isinstance(batched, SharedGradients):
        return error < 1e-5 and signs > 0.999, said
    whole = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    exact = batched.of(in_float64(batched.gradients))(x.astype(float), everyone, 1).cpu().numpy()
    alone = in_float64(here.of_loop)
    expected = np.stack([alone(x.astype(float), w, 1) for w in everyone])
    wide, same = agreement(exact, expected)
    said = f"{said}, {whole:.1e} as a whole; {wide:.1e} and {same:.5f} in float64"
    return wide < 1e-6 and same > 0.999 and whole < 5e-2 and signs > 0.995, said


def is_the_loop(problem: Any, keys: Mapping[str, Any]) -> tuple[bool, str]:
    """A run at once beside the run one by one: five rounds, the model to a hundredth of its way.

    A rule that accepts whatever is on one side of a threshold may be turned by rounding: the
    models are then compared as they were before.
    """
    (_, records, states), (_, same, expected) = outcome(keys, problem), outcome(
        keys, OneByOne(problem)
    )  # fmt: skip
    pairs = [*zip(records, same, strict=True)]
    alike = [ours.get("accepted") == theirs.get("accepted") for ours, theirs in pairs]
    last = alike.index(False) if False in alike else ROUNDS
    if not last:
        return False, "other rows are accepted in the first round"
    found, wanted = (each[last]["parameters"].numpy() for each in (states, expected))
    way = np.linalg.norm(wanted - problem.initial().cpu().numpy())
    apart = float(np.linalg.norm(found - wanted)) / max(float(way), 1e-30)
    dropped = all(ours["dropped"] == theirs["dropped"] for ours, theirs in pairs)
    said = f"{apart:.1e} of the way apart after {last} rounds, dropped alike: {dropped}"
    return dropped and apart < 0.05, said


def same_bits_twice(problem: Any, keys: Mapping[str, Any]) -> tuple[bool, str]:
    """The run again, and its second half from the state after round 2."""
    model, _, states = outcome(keys, problem)
    again, _, _ = outcome(keys, problem)
    resumed, _, _ = outcome(keys, problem, (2, states[2]))
    twice, goes_on = model.tobytes() == again.tobytes(), model.tobytes() == resumed.tobytes()
    return twice and goes_on, f"twice: {twice}, resumed: {goes_on}"


def keys_of(device: str, **more: Any) -> dict[str, Any]:
    """Keys of a small run; an underscore stands for a hyphen."""
    return SMALL.keys(device) | {name.replace("_", "-"): value for name, value in more.items()}


def all_checks(device: str, tiny: bool) -> Iterator[tuple[str, Callable[[], tuple[bool, str]]]]:
    """Every check with its name; the cheap and telling ones first."""
    models = ["mlp"] if tiny else ["fd-cnn", "resnet-18", "resnet-56", "signguard-cnn", "mlp"]
    for name in models:
        case = Case(name, 5, 8, 1, "sign-mv", "float32")
        yield f"gradients of {name}", lambda case=case: gradients_agree(case, device)
    problem = Kept(SMALL, device)
    attacks = ["sign-flip", "lie"] if tiny else [n for n, a in ATTACKS.items() if n != "backdoor"]
    rules = RULES if tiny else tuple(STRATEGIES)
    for rule in rules:
        given = keys_of(device, strategy=rule, attack="lie")
        yield f"{rule} twice and resumed", lambda k=given: same_bits_twice(problem, k)
    for name in attacks:
        for rule in ("sign-mv", "mean") if tiny else rules:
            given = keys_of(device, strategy=rule, attack=name)
            yield f"{rule} under {name}", lambda k=given: is_the_loop(problem, k)
