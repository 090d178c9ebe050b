"""Run config -> frozen dataclasses; with keys.py, every check of user input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signfed.app.config.keys import check_values, shared
from signfed.app.config.knowledge import fitting_attack
from signfed.app.config.numbers import byzantine_ids, milestones
from signfed.app.config.plugins import (
    Plugin,
    encoder_plugins,
    new_strategy,
    plugin,
    pre_aggregation_plugins,
    rule_class,
)
from signfed.app.config.shared import Shared
from signfed.app.config.stopping import StopWhen, stop_when
from signfed.app.config.together import check_together
from signfed.app.config.workload import workload_of
from signfed.app.errors import ConfigError
from signfed.app.task import Problem, Task, Workload, find_task
from signfed.clients import ENCODERS, Encoder
from signfed.strategies.core.options import Value
from signfed.strategies.core.shares import share_of
from signfed.strategies.server.federation import Federation, Participation, WhenBroken
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.strategy import RobustStrategy


@dataclass(frozen=True)
class RunConfig:
    """A checked run config.

    Attributes
    ----------
    pre_aggregations : tuple of Plugin
        In the order in which they see the rows.
    encoder : str
        As it was given: "auto" is possible.
    encoder_options : tuple of Plugin
        Each encoder that may be in use.
    byzantine_ids : tuple of int
        The Byzantine workers, ascending; empty without an attack.
    assumed_byzantine : int
        f, as the rule assumes it.
    when_broken : {"warn", "stop"}
        What happens when the rule's verdict contradicts f.
    stop_when : StopWhen
        What ends the run before its last round.
    quorum : int
        Valid updates that a round needs.
    """

    workload: Workload
    strategy: Plugin
    pre_aggregations: tuple[Plugin, ...]
    encoder: str
    encoder_options: tuple[Plugin, ...]
    worker_momentum: float
    attack: Plugin
    byzantine_ids: tuple[int, ...]
    assumed_byzantine: int
    when_broken: WhenBroken
    step: Step
    participation: Participation
    num_rounds: int
    checkpoint_every: int
    evaluate_every: int
    stop_when: StopWhen
    quorum: int
    round_timeout: float
    node_timeout: float
    roster: str
    out_dir: str
    resume: str

    @property
    def workers_remember(self) -> bool:
        """Whether what an honest worker sends depends on earlier rounds (momentum, errors)."""
        name = rule_class(self.strategy.name).encoder if self.encoder == "auto" else self.encoder
        return bool(self.worker_momentum) or self.build_encoder(name).feedback

    def federation(self, strategy: RobustStrategy, problem: Problem | None = None) -> Federation:
        """Return what a run needs besides the rule.

        Parameters
        ----------
        strategy : RobustStrategy
            The rule.
        problem : Problem, optional
            What the server knows of the model and of samples of its own.
        """
        name = strategy.encoder if self.encoder == "auto" else self.encoder
        return Federation(
            participation=self.participation,
            codec=self.build_encoder(name).codec,
            encoder=name,
            step=self.step,
            quorum=self.quorum,
            node_timeout=self.node_timeout,
            reference=problem.reference if problem and strategy.needs_reference else None,
            edges=problem.edges if problem else (),
            assumed_byzantine=self.assumed_byzantine,
            when_broken=self.when_broken,
        )

    def build_encoder(self, name: str) -> Encoder:
        """Build the encoder of that name, with the options that this config has for it."""
        options = next((e.options for e in self.encoder_options if e.name == name), ())
        return ENCODERS[name](**dict(options))


def parse(given: Mapping[str, Value]) -> RunConfig:
    """Check a run config and turn it into dataclasses.

    Parameters
    ----------
    given : mapping
        Run-config keys; missing ones take their defaults.

    Returns
    -------
    RunConfig

    Raises
    ------
    ConfigError
        At the first key that is wrong, with what was expected.

    Examples
    --------
    >>> parse({"strategy": "krum", "num-byzantine": 2}).byzantine_ids
    (0, 1)
    """
    values = check_values(given)
    keys = shared(values)
    task = find_task(keys.task)
    check_together(values, keys)
    participation = Participation(keys.num_workers, keys.fraction_train, keys.seed)
    return RunConfig(
        workload=workload_of(values, keys, task),
        strategy=plugin(values, "strategy"),
        pre_aggregations=pre_aggregation_plugins(values),
        encoder=keys.encoder,
        encoder_options=encoder_plugins(values),
        worker_momentum=keys.worker_momentum,
        attack=fitting_attack(values, keys, task),
        byzantine_ids=byzantine_ids(keys),
        assumed_byzantine=keys.num_byzantine if keys.assumed_byzantine < 0
        else keys.assumed_byzantine,
        when_broken=keys.when_broken,
        step=Step(
            keys.lr, keys.momentum, keys.weight_decay, keys.lr_schedule,
            milestones(keys.lr_milestones), keys.lr_gamma,
        ),
        participation=participation,
        num_rounds=keys.num_rounds,
        checkpoint_every=keys.checkpoint_every,
        evaluate_every=keys.evaluate_every,
        stop_when=_fitting_stop(keys, task),
        quorum=share_of(participation.count, keys.quorum),
        round_timeout=keys.round_timeout, node_timeout=keys.node_timeout,
        roster=keys.roster,
        out_dir=keys.out_dir,
        resume=keys.resume,
    )  # fmt: skip


def build_strategy(config: RunConfig) -> RobustStrategy:
    """Build the rule, known to fit this run.

    Parameters
    ----------
    config : RunConfig
        A checked run config.

    Raises
    ------
    ConfigError
        When there is no such class, or it cannot serve the run.
    """
    strategy = new_strategy(
        config.strategy,
        config.pre_aggregations,
        n_byzantine=config.assumed_byzantine,
        seed=config.workload.seed,
        num_workers=config.participation.count,
        num_rounds=config.num_rounds,
    )
    votes = config.build_encoder(strategy.encoder).codec.name == "sign"
    if votes and config.encoder == "top-k":
        raise ConfigError(
            f"encoder: strategy={config.strategy.name!r} votes on every coordinate, top-k sends "
            "some; expected sign, sto-sign, noisy-sign or float32"
        )
    if strategy.needs_reference and not config.workload.server_samples:
        raise ConfigError(
            f"server-samples: strategy={config.strategy.name!r} needs the server's own gradient; "
            "expected at least 1 sample, 100 for example; got 0"
        )
    return strategy


def _fitting_stop(keys: Shared, task: Task) -> StopWhen:
    found = stop_when(keys.stop_when)
    if found.accuracy is not None and task.load is None:
        raise ConfigError(f"stop-when: task={keys.task!r} has no accuracy; expected 'stale=5'")
    return found


def check_machine(config: RunConfig) -> None:
    """Raise ConfigError when this machine lacks the device."""
    import torch

    device, gpu = config.workload.device, torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise ConfigError(
            "device='cuda': expected a GPU, but torch sees none here; use device='cpu'"
        )
    if config.workload.precision == "tf32" and (device == "cpu" or not gpu):
        raise ConfigError("precision='tf32': expected a GPU; use float32 or bfloat16")
