"""The run-config keys that belong to no rule, attack, encoder or partition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from signfed.app.config.stopping import stop_when
from signfed.app.task import MODELS, PARTITIONS, TASKS
from signfed.app.task.many import Way
from signfed.app.task.precision import Precision
from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.pre_aggregations import in_a_row
from signfed.strategies.registry import STRATEGIES
from signfed.strategies.server.federation import WhenBroken
from signfed.strategies.server.optimizer import Schedule


def says(meaning: str) -> Any:
    """Make a key's meaning, as `signfed list` shows it."""
    return Field(description=meaning)


def one_of(*names: str, own: str = "") -> AfterValidator:
    """Make a check that allows these names alone.

    Parameters
    ----------
    *names : str
        The allowed ones.
    own : str
        "function" or "Class" where a user's own, module:name, is allowed too.
    """

    def check(value: str) -> str:
        if value not in names and not (own and ":" in value):
            yours = f", or your own as module:{own}" if own else ""
            raise ValueError(f"expected one of {', '.join(names)}{yours}; got {value!r}")
        return value

    return AfterValidator(check)


AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]

Task = Annotated[str, one_of(*TASKS, own="function")]
Model = Annotated[str, one_of("auto", *MODELS, "vector", own="function")]
Loss = Annotated[str, one_of("cross-entropy", own="function")]
Partition = Annotated[str, one_of(*PARTITIONS)]
Strategy = Annotated[str, one_of(*STRATEGIES, own="Class")]
PreAggregations = Annotated[str, AfterValidator(lambda text: ",".join(in_a_row(text)) or "none")]
StopWhen = Annotated[str, AfterValidator(lambda text: stop_when(text) and text)]
EncoderName = Annotated[str, one_of("auto", *ENCODERS)]
AttackName = Annotated[str, one_of(*ATTACKS, own="function")]


@dataclass(frozen=True)
class Shared:
    """A key a field, with type, range, meaning and default; `num_rounds` is `num-rounds`."""

    task: Annotated[Task, says("data set")] = "digits"
    model: Annotated[Model, says("network; auto takes the task's own")] = "auto"
    loss: Annotated[Loss, says("mean loss of a batch")] = "cross-entropy"
    data_dir: Annotated[str, says("folder with the data sets (not for digits)")] = "data"
    download: Annotated[bool, says("whether missing data may be downloaded")] = False
    partition: Annotated[Partition, says("who holds which training samples")] = "stratified"
    server_samples: Annotated[
        CountOrZero, says("training samples that the server keeps for itself, no worker's; 0: none")
    ] = 0
    validation_samples: Annotated[
        CountOrZero,
        says("training samples kept out of training, on which settings are compared; 0: none"),
    ] = 0
    num_workers: Annotated[Count, says("workers in the federation, M")] = 15
    num_byzantine: Annotated[CountOrZero, says("how many of them are Byzantine")] = 6
    byzantine_ids: Annotated[
        str, says("which ones: first, random, or worker ids such as '0,3,5'")
    ] = "first"
    assumed_byzantine: Annotated[
        int, Field(ge=-1, description="f that the rule assumes; -1: num-byzantine")
    ] = -1
    when_broken: Annotated[
        WhenBroken,
        says("what to do when the rule rejects more workers than assumed, or accepts no majority"),
    ] = "warn"
    strategy: Annotated[Strategy, says("the aggregation rule")] = "sign-fd"
    strategy_options: Annotated[
        str, says("options of your own rule, such as 'radius=3.0 mode=\"soft\"'")
    ] = ""
    pre_aggregation: Annotated[
        PreAggregations,
        says("what changes the rows before the rule gets them; several in a row: 'clipping,nnm'"),
    ] = "none"
    encoder: Annotated[
        EncoderName, says("wire form of an update; auto takes what the rule asks for")
    ] = "auto"
    worker_momentum: Annotated[Decay, says("Signum's beta: momentum before the encoder")] = 0.0
    attack: Annotated[AttackName, says("what the Byzantine workers do")] = "sign-inversion"
    attack_options: Annotated[str, says("options of your own attack, such as 'scale=2.0'")] = ""
    num_rounds: Annotated[Count, says("rounds")] = 300
    batch_size: Annotated[Count, says("samples per worker and round")] = 64
    batch_sizes: Annotated[
        str,
        says("of each worker, where they differ, such as '16x10,64x5'; t: round t's (quadratic)"),
    ] = ""
    local_steps: Annotated[
        Count, says("steps of SGD that a worker takes in a round, each on a batch of its own")
    ] = 1
    local_lr: Annotated[AboveZero, says("their learning rate, where there are several")] = 0.1
    lr: Annotated[AboveZero, says("learning rate")] = 0.001
    momentum: Annotated[Decay, says("momentum of the server's step")] = 0.0
    lr_schedule: Annotated[Schedule, says("lr_t: lr, lr/sqrt(t), or lowered at milestones")] = (
        "constant"
    )
    lr_milestones: Annotated[
        str, says("rounds after which steps lowers the rate, such as '40,80'")
    ] = ""
    lr_gamma: Annotated[AboveZero, says("what steps multiplies the rate by")] = 0.1
    weight_decay: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="weight decay of the server's step")
    ] = 0.0
    evaluate_every: Annotated[Count, says("rounds between two central evaluations")] = 10
    stop_when: Annotated[
        StopWhen,
        says("end early: 'accuracy>=0.9', 'stale=5' evaluations without progress, or both"),
    ] = ""
    checkpoint_every: Annotated[
        CountOrZero, says("rounds between two checkpoints; 0: only at the end")
    ] = 50
    fraction_train: Annotated[
        Share, says("share of the workers that a round asks, drawn in each round")
    ] = 1.0
    quorum: Annotated[
        Share, says("share of the workers asked without which a round is skipped")
    ] = 0.5
    round_timeout: Annotated[AboveZero, says("seconds to wait for a round's replies")] = 300.0
    node_timeout: Annotated[AboveZero, says("seconds to wait for all nodes before round 1")] = 300.0
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63, description="of the shards, the model, the batches, the attacks"),
    ] = 0
    device: Annotated[Literal["auto", "cpu", "cuda"], says("where gradients are computed")] = "auto"
    precision: Annotated[Precision, says("of the gradients' matrix products")] = "float32"
    gradients: Annotated[
        Way,
        says("all workers in one pass, by vmap, or one by one; auto: shared on a GPU"),
    ] = "auto"
    roster: Annotated[
        str,
        says("folder `nodes` of a federation, which binds its nodes; empty: the SuperLink's"),
    ] = ""
    out_dir: Annotated[str, says("run folder; empty: a new one")] = ""
    resume: Annotated[str, says("run folder, or one of its checkpoints, to go on with")] = ""
