"""Run config -> frozen dataclasses; with keys.py, every check of user input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.keys import ConfigError, check_values
from app.knowledge import fitting_attack
from app.options import Value
from app.plugins import (
    Plugin,
    encoder_plugin,
    new_strategy,
    pre_aggregation_plugin,
    strategy_plugin,
)
from app.task import TASKS, Task, Workload
from clients import ENCODERS, Encoder
from strategies import Federation, Participation, RobustStrategy, Step
from strategies.seeds import generator


@dataclass(frozen=True)
class RunConfig:
    """A checked run config. byzantine_ids: who lies, ascending; empty with attack "none"."""

    workload: Workload
    strategy: Plugin
    pre_aggregation: Plugin
    encoder: Plugin
    worker_momentum: float
    attack: Plugin
    byzantine_ids: tuple[int, ...]
    assumed_byzantine: int
    step: Step
    participation: Participation
    num_rounds: int
    checkpoint_every: int
    evaluate_every: int
    quorum: int
    round_timeout: float
    node_timeout: float
    out_dir: str
    resume: str

    def federation(self, strategy: RobustStrategy) -> Federation:
        """What `RobustStrategy.start` needs."""
        name = strategy.encoder if self.encoder.name == "auto" else self.encoder.name
        return Federation(
            participation=self.participation,
            codec=self.build_encoder(name).codec,
            encoder=name,
            step=self.step,
            quorum=self.quorum,
            node_timeout=self.node_timeout,
        )

    def build_encoder(self, name: str) -> Encoder:
        """The encoder of that name, with the options that this config has for it."""
        options = dict(self.encoder.options) if name == self.encoder.name else {}
        return ENCODERS[name](**options)


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
    if task.num_train and values["batch-size"] > (held := task.num_train // num_workers):
        raise ConfigError(
            f"batch-size: each of {num_workers} workers holds {held} samples of {values['task']}; "
            f"expected at most that; got {values['batch-size']}"
        )
    batch_share = values["election-batch"]
    if values["strategy"] != "election" and batch_share != 1:
        raise ConfigError(
            f"election-batch: belongs to strategy='election', but strategy is "
            f"{values['strategy']!r}"
        )
    if values["strategy"] == "election" and values["worker-momentum"]:
        raise ConfigError(
            "worker-momentum: expected 0 with strategy='election', whose workers send votes, not "
            f"gradients; got {values['worker-momentum']}"
        )
    if values["strategy"] == "election" and values["fraction-train"] < 1:
        raise ConfigError(
            "fraction-train: expected 1 with strategy='election', whose code counts a missing "
            f"worker as a liar; got {values['fraction-train']}"
        )
    participation = Participation(num_workers, values["fraction-train"], values["seed"])
    return RunConfig(
        workload=Workload(
            task=values["task"],
            model=_model(values["model"], task),
            data_dir=values["data-dir"],
            download=values["download"],
            num_workers=num_workers,
            batch_size=math.ceil(round(batch_share * values["batch-size"], 9)),
            seed=values["seed"],
            device=values["device"],
            precision=values["precision"],
        ),
        strategy=strategy_plugin(values),
        pre_aggregation=pre_aggregation_plugin(values),
        encoder=encoder_plugin(values),
        worker_momentum=values["worker-momentum"],
        attack=fitting_attack(values, task),
        byzantine_ids=() if values["attack"] == "none" else _byzantine_ids(values),
        assumed_byzantine=num_byzantine if assumed < 0 else assumed,
        step=Step(
            values["lr"],
            values["momentum"],
            values["weight-decay"],
            values["lr-schedule"],
            _milestones(values["lr-milestones"]),
            values["lr-gamma"],
        ),
        participation=participation,
        num_rounds=values["num-rounds"],
        checkpoint_every=values["checkpoint-every"],
        evaluate_every=values["evaluate-every"],
        quorum=math.ceil(round(values["quorum"] * participation.count, 9)),  # 0.07 * 100 is 7
        round_timeout=values["round-timeout"],
        node_timeout=values["node-timeout"],
        out_dir=values["out-dir"],
        resume=values["resume"],
    )


def build_strategy(config: RunConfig) -> RobustStrategy:
    """The strategy object, known to fit this run.

    Raises ConfigError when there is no such class, or its arguments or the run cannot be.
    """
    strategy = new_strategy(
        config.strategy,
        config.pre_aggregation,
        n_byzantine=config.assumed_byzantine,
        seed=config.workload.seed,
        num_workers=config.participation.count,
        num_rounds=config.num_rounds,
    )
    votes = config.build_encoder(strategy.encoder).codec.name == "sign"
    if votes and config.encoder.name == "top-k":
        raise ConfigError(
            f"encoder: strategy={config.strategy.name!r} votes on every coordinate, top-k sends "
            "some; expected sign, sto-sign, noisy-sign or float32"
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
    if config.workload.precision == "tf32" and (device == "cpu" or not torch.cuda.is_available()):
        raise ConfigError("precision='tf32': expected a GPU; use float32 or bfloat16")
    if device == "cuda" and gpus_per_client == 0:
        raise ConfigError("device='cuda': expected --gpus-per-client above 0, or clients see none")
    if device == "cpu" and gpus_per_client:
        raise ConfigError("device='cpu': expected no --gpus-per-client, or device='auto'")
    path = Path(config.out_dir)
    if not config.resume and config.out_dir and path.exists() and any(path.iterdir()):
        raise ConfigError(f"out-dir: expected a new or empty folder; {path} has files in it")


def _model(name: str, task: Task) -> str:
    if name == "auto":
        return task.models[0]
    if name not in task.models:
        raise ConfigError(f"model: expected auto, {', '.join(task.models)}; got {name!r}")
    return name


def _milestones(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"lr-milestones: expected rounds such as '40,80'; got {text!r}")
    return tuple(sorted(int(part) for part in parts))


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
