"""Every run-config key, from where it is declared: shared ones here, the others on their owner."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from signfed.app.errors import ConfigError
from signfed.app.task import MODELS, PARTITIONS, TASKS
from signfed.app.task.gradients import Precision
from signfed.attacks import ATTACKS
from signfed.clients import ENCODERS
from signfed.strategies.core.options import Option, OptionError, Value, options_of
from signfed.strategies.registry import PRE_AGGREGATIONS, STRATEGIES
from signfed.strategies.server.optimizer import Schedule


def _one_of(*names: str, own: str = "") -> AfterValidator:
    """The names that a key can have. own: what a user's own is, "function" or "Class"."""

    def check(value: str) -> str:
        if value not in names and not (own and ":" in value):
            yours = f", or your own as module:{own}" if own else ""
            raise ValueError(f"expected one of {', '.join(names)}{yours}; got {value!r}")
        return value

    return AfterValidator(check)


Share = Annotated[float, Field(gt=0, le=1)]
AboveZero = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Shared:
    """The keys that belong to no rule, attack, encoder or partition, with their defaults."""

    task: Annotated[str, _one_of(*TASKS, own="function"), Field(description="data set")] = "digits"
    model: Annotated[
        str,
        _one_of("auto", *MODELS, "vector", own="function"),
        Field(description="network; auto takes the task's own"),
    ] = "auto"
    loss: Annotated[
        str, _one_of("cross-entropy", own="function"), Field(description="mean loss of a batch")
    ] = "cross-entropy"
    data_dir: Annotated[str, Field(description="folder with the data sets (not for digits)")] = (
        "data"
    )
    download: Annotated[bool, Field(description="whether missing data may be downloaded")] = False
    partition: Annotated[
        str, _one_of(*PARTITIONS), Field(description="who holds which training samples")
    ] = "stratified"
    num_workers: Annotated[int, Field(ge=1, description="workers in the federation, M")] = 15
    num_byzantine: Annotated[int, Field(ge=0, description="how many of them are Byzantine")] = 6
    byzantine_ids: Annotated[
        str, Field(description="which ones: first, random, or worker ids such as '0,3,5'")
    ] = "first"
    assumed_byzantine: Annotated[
        int, Field(ge=-1, description="f that the rule assumes; -1: num-byzantine")
    ] = -1
    strategy: Annotated[
        str, _one_of(*STRATEGIES, own="Class"), Field(description="the aggregation rule")
    ] = "sign-fd"
    strategy_options: Annotated[
        str, Field(description="options of your own rule: 'radius=3.0 mode=\"soft\"'")
    ] = ""
    pre_aggregation: Annotated[
        str,
        _one_of("none", *PRE_AGGREGATIONS),
        Field(description="what mixes the rows before the rule gets them"),
    ] = "none"
    encoder: Annotated[
        str,
        _one_of("auto", *ENCODERS),
        Field(description="wire form of an update; auto takes what the rule asks for"),
    ] = "auto"
    worker_momentum: Annotated[
        float, Field(ge=0, lt=1, description="beta of Signum: momentum before the encoder")
    ] = 0.0
    attack: Annotated[
        str,
        _one_of(*ATTACKS, own="function"),
        Field(description="what the Byzantine workers do"),
    ] = "sign-inversion"
    attack_options: Annotated[str, Field(description="options of your own attack: 'scale=2.0'")] = (
        ""
    )
    num_rounds: Annotated[int, Field(ge=1, description="rounds")] = 300
    batch_size: Annotated[int, Field(ge=1, description="samples per worker and round")] = 64
    batch_sizes: Annotated[
        str, Field(description="of each worker, where they differ, such as '16x10,64x5'")
    ] = ""
    lr: Annotated[AboveZero, Field(description="learning rate")] = 0.001
    momentum: Annotated[float, Field(ge=0, lt=1, description="momentum of the server's step")] = 0.0
    lr_schedule: Annotated[
        Schedule, Field(description="lr_t: lr, lr/sqrt(t), or lowered at milestones")
    ] = "constant"
    lr_milestones: Annotated[
        str, Field(description="rounds after which steps lowers the rate, such as '40,80'")
    ] = ""
    lr_gamma: Annotated[AboveZero, Field(description="what steps multiplies the rate by")] = 0.1
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False, description="weight decay")] = (
        0.0
    )
    evaluate_every: Annotated[
        int, Field(ge=1, description="rounds between two central evaluations")
    ] = 10
    checkpoint_every: Annotated[
        int, Field(ge=0, description="rounds between two checkpoints; 0: only at the end")
    ] = 50
    fraction_train: Annotated[
        Share, Field(description="share of the workers that a round asks, drawn in each round")
    ] = 1.0
    quorum: Annotated[
        Share, Field(description="share of the workers asked without which a round is skipped")
    ] = 0.5
    round_timeout: Annotated[
        AboveZero, Field(description="seconds to wait for a round's replies")
    ] = 300.0
    node_timeout: Annotated[
        AboveZero, Field(description="seconds to wait for all nodes before round 1")
    ] = 300.0
    seed: Annotated[
        int,
        Field(ge=0, lt=2**63, description="of the shards, the model, the batches, the attacks"),
    ] = 0
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Field(description="where gradients are computed")
    ] = "auto"
    precision: Annotated[Precision, Field(description="of the gradients' matrix products")] = (
        "float32"
    )
    out_dir: Annotated[str, Field(description="run folder; empty: a new one")] = ""
    resume: Annotated[
        str, Field(description="run folder, or one of its checkpoints, to go on with")
    ] = ""


# Everything that may have options: kind (the key that chooses it) -> name -> constructor.
OWNERS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "partition": PARTITIONS,
    "strategy": STRATEGIES,
    "pre-aggregation": PRE_AGGREGATIONS,
    "encoder": ENCODERS,
    "attack": {name: attack.function for name, attack in ATTACKS.items()},
}


@dataclass(frozen=True)
class Key:
    """A run-config key.

    Attributes
    ----------
    name : str
        `num-rounds`, or `signguard.fraction`.
    option : Option
        Type, range, default and meaning, as its owner declares them.
    kind : str
        The key that chooses the owner, such as "strategy"; empty for a shared key.
    """

    name: str
    option: Option
    kind: str = ""

    @property
    def default(self) -> Value:
        """What it is when nobody says."""
        return self.option.default

    def check(self, value: Any) -> Value:
        """The value in the key's type. Raises ConfigError."""
        try:
            return self.option.check(value, self.name)
        except OptionError as error:
            raise ConfigError(str(error)) from None


def _all_keys() -> dict[str, Key]:
    shared = options_of(Shared, given=())
    keys = [Key(option.name.replace("_", "-"), option) for option in shared]
    keys += [
        Key(option.key, option, kind)
        for kind, owners in OWNERS.items()
        for name, constructor in owners.items()
        for option in options_of(constructor, name)
    ]
    return {key.name: key for key in keys}


KEYS: dict[str, Key] = _all_keys()


def defaults() -> dict[str, Value]:
    """Every key with its default: what `[tool.flwr.app.config]` of pyproject.toml holds."""
    return {name: key.default for name, key in KEYS.items()}


def check_values(given: Mapping[str, Any]) -> dict[str, Value]:
    """All keys with their values, each checked by itself: name, type, range.

    A missing key takes its default. Raises ConfigError at the first key that is wrong.
    """
    values = defaults()
    for name, value in given.items():
        if name not in KEYS:
            near = difflib.get_close_matches(name, KEYS, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "no key is like it;"
            raise ConfigError(f"unknown key {name!r}: {hint} `signfed list` shows all keys")
        values[name] = KEYS[name].check(value)
    return values


def shared(values: Mapping[str, Value]) -> Shared:
    """The shared keys among checked values."""
    names = {name: name.replace("-", "_") for name, key in KEYS.items() if not key.kind}
    return Shared(**{field: values[name] for name, field in names.items()})  # type: ignore[arg-type]


def chosen(values: Mapping[str, Value], kind: str, *names: str) -> dict[str, dict[str, Value]]:
    """Name -> its options, for those of a kind that are in use.

    Raises
    ------
    ConfigError
        For an option that differs from its default and belongs to one that is not in use.
    """
    found: dict[str, dict[str, Value]] = {name: {} for name in names}
    for key in KEYS.values():
        if key.kind != kind:
            continue
        owner = key.option.owner
        if owner in found:
            found[owner][key.option.name] = values[key.name]
        elif values[key.name] != key.default:
            raise ConfigError(
                f"{key.name}: belongs to {kind}={owner!r}, but {kind} is {values[kind]!r}"
            )
    return found


def as_toml() -> str:
    """`[tool.flwr.app.config]` of pyproject.toml: Flower takes no key that does not stand there."""
    lines = ["[tool.flwr.app.config]"]
    owner = ""
    for key in sorted(KEYS.values(), key=lambda key: bool(key.kind)):
        if key.kind and key.option.owner != owner:
            owner = key.option.owner
            lines += ["", f"[tool.flwr.app.config.{owner}]"]
        lines.append(f"{key.name.removeprefix(f'{owner}.')} = {json.dumps(key.default)}")
    return "\n".join(lines) + "\n"
