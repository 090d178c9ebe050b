"""Run config -> frozen dataclasses; with keys.py, every check of user input."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.keys import (
    ATTACK_OPTIONS,
    KEYS,
    STRATEGY_OPTIONS,
    ConfigError,
    Value,
    check_values,
)
from app.task import TASKS, Task
from attacks import craft
from strategies import STRATEGIES, Federation, RobustStrategy, Step
from strategies.codecs import CODECS
from strategies.registry import build
from strategies.seeds import generator


@dataclass(frozen=True)
class Plugin:
    """A strategy or an attack by name, with its keyword arguments as sorted pairs."""

    name: str
    options: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True)
class Workload:
    """What a worker computes: everything that its gradient depends on. Hashable."""

    task: str
    model: str
    data_dir: str
    download: bool
    num_workers: int
    batch_size: int
    seed: int
    device: str


@dataclass(frozen=True)
class RunConfig:
    """A checked run config. byzantine_ids: who lies, ascending; empty with attack "none"."""

    workload: Workload
    strategy: Plugin
    encoder: str
    attack: Plugin
    byzantine_ids: tuple[int, ...]
    assumed_byzantine: int
    step: Step
    num_rounds: int
    evaluate_every: int
    quorum: int
    round_timeout: float
    node_timeout: float
    out_dir: str

    def federation(self, strategy: RobustStrategy) -> Federation:
        """What `RobustStrategy.start` needs."""
        return Federation(
            num_workers=self.workload.num_workers,
            codec=CODECS[strategy.encoder if self.encoder == "auto" else self.encoder],
            step=self.step,
            quorum=self.quorum,
            node_timeout=self.node_timeout,
        )


def parse(given: Mapping[str, Value]) -> RunConfig:
    """Check a run config (missing keys take their defaults) and turn it into dataclasses.

    Raises ConfigError at the first key that cannot be, with what would do.
    """
    values = check_values(given)
    task = TASKS[values["task"]]
    num_workers, num_byzantine = values["num-workers"], values["num-byzantine"]
    assumed = values["assumed-byzantine"]
    if num_byzantine > num_workers:
        raise ConfigError(
            f"num-byzantine: expected at most num-workers = {num_workers}; got {num_byzantine}"
        )
    if values["batch-size"] > (held := task.num_train // num_workers):
        raise ConfigError(
            f"batch-size: each of {num_workers} workers holds {held} samples of {values['task']}; "
            f"expected at most that; got {values['batch-size']}"
        )
    return RunConfig(
        workload=Workload(
            task=values["task"],
            model=_model(values["model"], task),
            data_dir=values["data-dir"],
            download=values["download"],
            num_workers=num_workers,
            batch_size=values["batch-size"],
            seed=values["seed"],
            device=values["device"],
        ),
        strategy=_strategy(values),
        encoder=values["encoder"],
        attack=_attack(values),
        byzantine_ids=() if values["attack"] == "none" else _byzantine_ids(values),
        assumed_byzantine=num_byzantine if assumed < 0 else assumed,
        step=Step(values["lr"], values["momentum"], values["weight-decay"]),
        num_rounds=values["num-rounds"],
        evaluate_every=values["evaluate-every"],
        quorum=math.ceil(round(values["quorum"] * num_workers, 9)),  # 0.07 * 100 is 7, not 8
        round_timeout=values["round-timeout"],
        node_timeout=values["node-timeout"],
        out_dir=values["out-dir"],
    )


def build_strategy(config: RunConfig) -> RobustStrategy:
    """The strategy object. Imports the user's own module when it is named module:Class.

    Raises ConfigError when there is no such class or its arguments cannot be.
    """
    name = config.strategy.name
    kind = STRATEGIES[name] if name in STRATEGIES else _own_strategy(name)
    try:
        strategy = build(
            kind,
            n_byzantine=config.assumed_byzantine,
            seed=config.workload.seed,
            **dict(config.strategy.options),
        )
        strategy.check(config.workload.num_workers, config.num_rounds)
    except (TypeError, ValueError) as error:
        text = str(error)
        for key, (_, argument) in STRATEGY_OPTIONS.items():
            text = text.replace(f"{argument}:", f"{key}:")
        raise ConfigError(f"strategy={name!r}: {text}") from error
    if strategy.encoder not in CODECS:
        raise ConfigError(
            f"strategy={name!r}: expected an encoder among {', '.join(CODECS)}; "
            f"got {strategy.encoder!r}"
        )
    return strategy


def check_machine(config: RunConfig, gpus_per_client: float | None = None) -> None:
    """Raise ConfigError when this machine lacks the device, or the folder is taken.

    gpus_per_client: what a simulation gives each client; None when it is not known (a bare
    `flwr run`, a real federation).
    """
    import torch

    device = config.workload.device
    needs_gpu = device == "cuda" or bool(gpus_per_client)
    if needs_gpu and not torch.cuda.is_available():
        asked = "device='cuda'" if device == "cuda" else f"--gpus-per-client {gpus_per_client}"
        raise ConfigError(f"{asked}: expected a GPU, but torch sees none here; use device='cpu'")
    if device == "cuda" and gpus_per_client == 0:
        raise ConfigError("device='cuda': expected --gpus-per-client above 0, or clients see none")
    if device == "cpu" and gpus_per_client:
        raise ConfigError("device='cpu': expected no --gpus-per-client, or device='auto'")
    if config.out_dir and (path := Path(config.out_dir)).exists() and any(path.iterdir()):
        raise ConfigError(f"out-dir: expected a new or empty folder; {path} has files in it")


def _model(name: str, task: Task) -> str:
    if name == "auto":
        return task.models[0]
    if name not in task.models:
        raise ConfigError(f"model: expected auto, {', '.join(task.models)}; got {name!r}")
    return name


def _options(
    values: Mapping[str, Value], table: Mapping[str, tuple[str, str]], name: str, kind: str
) -> tuple[tuple[str, Value], ...]:
    """Keyword arguments of the rule or attack in use; one of another that was set is an error."""
    found = []
    for key, (owner, argument) in table.items():
        if owner == name:
            found.append((argument, values[key]))
        elif values[key] != KEYS[key].default:
            raise ConfigError(f"{key}: belongs to {kind}={owner!r}, but {kind} is {name!r}")
    return tuple(sorted(found))


def _strategy(values: Mapping[str, Any]) -> Plugin:
    name = values["strategy"]
    return Plugin(name, _options(values, STRATEGY_OPTIONS, name, "strategy"))


def _attack(values: Mapping[str, Any]) -> Plugin:
    """Tried on a toy: the attack itself knows which options it can take."""
    name = values["attack"]
    options = _options(values, ATTACK_OPTIONS, name, "attack")
    try:
        craft(name, np.ones((1, 8), np.float32), n_total=2, seed=0, **dict(options))
    except ValueError as error:
        keys = [key for key, (owner, _) in ATTACK_OPTIONS.items() if owner == name]
        raise ConfigError(f"{', '.join(keys)}: {error}") from error
    return Plugin(name, options)


def _byzantine_ids(values: Mapping[str, Any]) -> tuple[int, ...]:
    text, count, workers = values["byzantine-ids"], values["num-byzantine"], values["num-workers"]
    if text == "first":
        return tuple(range(count))
    if text == "random":
        chosen = generator(values["seed"], "byzantine").choice(workers, count, replace=False)
        return tuple(sorted(chosen.tolist()))
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"byzantine-ids: expected first, random or ids like '0,3'; got {text!r}")
    ids = sorted({int(part) for part in parts})
    if len(ids) != count or len(parts) != count or ids[-1] >= workers:
        raise ConfigError(
            f"byzantine-ids: expected num-byzantine = {count} different ids below {workers}; "
            f"got {text!r}"
        )
    return tuple(ids)


def _own_strategy(path: str) -> type[RobustStrategy]:
    module_name, _, class_name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"strategy={path!r}: {error}; expected module:Class, the module's file in the folder "
            "of pyproject.toml or in the one where you start"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, RobustStrategy)):
        raise ConfigError(f"strategy={path!r}: expected a subclass of strategies.RobustStrategy")
    return kind
