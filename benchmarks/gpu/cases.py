"""What is measured: networks on random images, rules, numbers of workers, precisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from benchmarks.common import random_images
from signfed.app.config.run_config import RunConfig, parse
from signfed.app.task import Classification

MODELS = {
    "fd-cnn": (1, 28, 28), "signguard-cnn": (1, 28, 28), "resnet-18": (3, 32, 32),
    "resnet-56": (3, 32, 32), "resnet-50": (3, 32, 32), "mlp": (64,),
}  # fmt: skip
RULES = ("sign-mv", "sign-fd", "signguard", "multi-krum", "median")
PRECISIONS = ("float32", "tf32", "bfloat16")
# Model, workers, batch, Byzantine workers, rule, precision, and the milliseconds to stay below.
TARGETS = (
    ("fd-cnn", 15, 64, 3, "sign-mv", "float32", 2.5),
    ("fd-cnn", 15, 64, 3, "sign-fd", "float32", 2.5),
    ("fd-cnn", 200, 64, 40, "sign-fd", "float32", 25.0),
    ("signguard-cnn", 50, 50, 10, "signguard", "float32", 3.0),
    ("resnet-18", 50, 50, 10, "signguard", "bfloat16", 100.0),
    ("resnet-18", 15, 64, 3, "sign-mv", "bfloat16", 45.0),
    ("resnet-56", 15, 64, 3, "sign-mv", "bfloat16", 45.0),
)
# Those of the targets that are measured without deterministic algorithms, too.
FREE = (("fd-cnn", "float32", "sign-mv"), ("resnet-18", "bfloat16", "sign-mv"))


@dataclass(frozen=True)
class Case:
    """One row of the table.

    target_ms: milliseconds that a round should stay below, if any. algorithms: "deterministic" as
    in a run, or "any", to see what that costs.
    """

    model: str
    workers: int
    batch: int
    byzantine: int
    rule: str
    precision: str
    attack: str = "sign-inversion"
    target_ms: float | None = None
    algorithms: str = "deterministic"

    @property
    def group(self) -> tuple[str, int, int, str, str]:
        """What gradients depend on."""
        return self.model, self.workers, self.batch, self.precision, self.algorithms

    @property
    def of(self) -> str:
        """What gradients depend on, in words."""
        any_of_them = " any algorithms" if self.algorithms == "any" else ""
        return f"{self.model} {self.workers} x {self.batch} {self.precision}{any_of_them}"

    def config(self, device: str, num_rounds: int) -> RunConfig:
        """The run config; it is evaluated in its last round alone."""
        return parse(self.keys(device) | {"num-rounds": num_rounds, "evaluate-every": num_rounds})

    def keys(self, device: str) -> dict[str, Any]:
        return {
            "task": "cifar10", "model": self.model, "num-workers": self.workers,
            "batch-size": self.batch, "num-byzantine": self.byzantine, "strategy": self.rule,
            "attack": self.attack, "precision": self.precision, "device": device, "lr": 0.001,
            "server-samples": 20,  # for rules with a gradient of the server's own
        }  # fmt: skip


def cases(tiny: bool = False) -> Iterator[Case]:
    """The rows with a target first, then the table by what gradients depend on."""
    if tiny:
        for rule in RULES:
            yield Case("mlp", 7, 4, 2, rule, "float32", target_ms=1e6)
        yield Case("mlp", 7, 4, 2, "sign-mv", "float32", algorithms="any")
        yield Case("mlp", 7, 4, 2, "sign-mv", "bfloat16")
        return
    known = set()
    for *given, target in TARGETS:
        known.add(tuple(given))
        yield Case(*given, target_ms=target)
    for *given, _ in TARGETS:
        row = Case(*given, algorithms="any")
        if (row.model, row.precision, row.rule) in FREE:
            yield row
    for workers in (15, 50, 200):
        batch = 50 if workers == 50 else 64
        for precision in PRECISIONS:
            for model in list(MODELS)[:5]:
                for rule in RULES:
                    row = (model, workers, batch, workers // 5, rule, precision)
                    if row not in known:
                        yield Case(*row)


images = lru_cache(maxsize=4)(random_images)


class Kept:
    """A problem that makes its way to all gradients once, for all that a row measures."""

    def __init__(self, case: Case, device: str) -> None:
        data = images(MODELS[case.model], 20 + max(1000, case.workers * case.batch), 100)
        self._problem = Classification(case.config(device, 2).workload, data)
        self._batched: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._problem, name)

    @property
    def of_loop(self) -> Any:
        """The gradients of one worker after the other."""
        return self._problem._gradients

    def batched(self, asked: Any) -> Any:
        if self._batched is None:
            self._batched = self._problem.batched(asked) or False
        return self._batched or None
