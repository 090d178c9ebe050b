"""The cells of a sweep: each a checked run config, known by its hash and that of its code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from signfed.app.config.keys import KEYS, check_values
from signfed.app.config.knowledge import check_trigger
from signfed.app.config.plugins import made_of
from signfed.app.config.run_config import RunConfig
from signfed.app.config.simulation import Simulation
from signfed.app.engines.asked import asked_for
from signfed.app.engines.prepare import check
from signfed.app.errors import ConfigError
from signfed.app.experiments.choose import check_choice
from signfed.app.experiments.code import Sources
from signfed.app.experiments.modules import digest
from signfed.app.experiments.sweep import Sweep
from signfed.app.task import DataMissing, Problem, Workload, find_task

ENGINES = {
    "local": ("signfed.app.engines.local.engine",),
    "flower": ("signfed.app.server_app", "signfed.app.client_app"),
}
SCORED = ("signfed.app.runs.summary", "signfed.app.runs.scoring", "signfed.app.runs.stopping")
# What makes rules and encoders of a checked config, in which order, and what they are told.
BUILDING = (
    "signfed.app.config.run_config", "signfed.app.config.plugins", "signfed.strategies.registry",
    "signfed.strategies.pre_aggregations",
)  # fmt: skip
SET_HERE = ("seed", "out-dir", "resume")
# Of a RunConfig and its workload, what changes no result.
FREE = ("checkpoint_every", "round_timeout", "node_timeout", "out_dir", "resume")
FREE_OF_WORKLOAD = ("data_dir", "download")


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a sweep.

    Attributes
    ----------
    keys : mapping
        What tells it from the other cells.
    values : mapping
        Its run config.
    config : RunConfig
        The same, checked.
    settings : str
        Hash of the checked configuration.
    code : mapping
        Module that it runs -> digest.
    own_sources : mapping
        Module of the user's that it runs -> source.
    texts : mapping
        Module that it runs -> digest of its whole text.
    """

    keys: Mapping[str, Any]
    values: Mapping[str, Any]
    config: RunConfig
    settings: str
    code: Mapping[str, str]
    own_sources: Mapping[str, str]
    texts: Mapping[str, str]

    @property
    def code_id(self) -> str:
        """Hash of its code."""
        return digest(*self.code, *self.code.values())

    @property
    def id(self) -> str:
        """Hash of its configuration and of its code."""
        return digest(self.settings, self.code_id)

    @property
    def label(self) -> str:
        """Its keys, as one writes them in a run config."""
        return written(self.keys)


def written(keys: Mapping[str, Any]) -> str:
    """Return keys as one writes them in a run config: "strategy='krum' seed=0"."""
    return " ".join(f"{key}={value!r}" for key, value in keys.items())


def cells_of(
    sweep: Sweep, *, load: Callable[[Workload], Problem] | None, sources: Sources | None = None
) -> list[Cell]:
    """Check every cell of a sweep.

    Parameters
    ----------
    sweep : Sweep
    load : callable or None
        Makes the problem of a workload, to see that the data are there and fit; None where the
        cells run on other machines.
    sources : Sources, optional
        The code of this moment.

    Returns
    -------
    list of Cell
        In the order of `sweep.points`.

    Raises
    ------
    ConfigError
        With all that cannot run, each with the keys of its cell.
    """
    refuse_wrong_shape(sweep)
    check_choice(sweep)
    sources, refused = sources or Sources(), _Refused()
    problems: dict[Workload, Problem] = {}
    cells: list[Cell] = []
    points = list(sweep.points())
    varying = list(dict.fromkeys(key for point in points for key in point))
    simulation = Simulation() if sweep.engine == "flower" else None
    for point in points:
        values = asked_for({**sweep.config, **point})
        try:
            config, _ = check(
                values,
                reach="omniscient" if simulation else "server",
                simulation=simulation,
                here=load is not None,
            )
            if load:
                if config.workload not in problems:
                    problems[config.workload] = load(config.workload)
                problem = problems[config.workload]
                attack, task = config.attack, config.workload.task
                check_trigger(attack, task, problem.sides, problem.num_classes)
            full = check_values(values)
            shared = {k: full[k] for k in varying if k in KEYS and not KEYS[k].owner}
            roots = (*ENGINES[sweep.engine], *SCORED, *BUILDING)
            code = sources.reached(roots, chosen_by(config, full))
        except (ConfigError, DataMissing) as error:
            refused.add(str(error), point)
            continue
        keys = {key: point.get(key, shared.get(key)) for key in varying if key in point | shared}
        settings = settings_of(config, sweep.engine)
        own, texts = sources.own(code), sources.texts(code)
        cells.append(Cell(keys, values, config, settings, code, own, texts))
    first: dict[str, Cell] = {}
    for cell in cells:
        if (other := first.setdefault(cell.settings, cell)) is not cell:
            refused.add(f"the same configuration as another cell's: {other.label}", cell.keys)
    refused.raise_any(sweep.name, len(points))
    return cells


def chosen_by(config: RunConfig, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a run config chooses by name, each with its kind.

    Parameters
    ----------
    config : RunConfig
        As it was checked.
    values : mapping
        Every key.

    Returns
    -------
    list of (str, str)
        The kind, a key of `code.TABLES`, and the name.
    """
    workload = config.workload
    own_loss = [("model", workload.loss)] if ":" in workload.loss else []
    return [
        ("strategy", config.strategy.name),
        *(("pre-aggregation", mixer.name) for mixer in config.pre_aggregations),
        *(("encoder", encoder.name) for encoder in config.encoder_options),
        *(("attack", name) for name in made_of(config.attack.name, values)),
        ("partition", workload.partition),
        ("model", workload.model),
        ("task", workload.task),
        *own_loss,
    ]


def settings_of(config: RunConfig, engine: str) -> str:
    """Return the hash of what decides a run's results: its checked configuration and engine.

    Parameters
    ----------
    config : RunConfig
        As it was checked.
    engine : str
        Who runs it.
    """
    content = asdict(config)
    for name in FREE:
        content.pop(name)
    place = content["workload"]["data_dir"]
    for name in FREE_OF_WORKLOAD:
        content["workload"].pop(name)
    if find_task(config.workload.task).own:  # their place is all that is known of them
        content["workload"]["data_dir"] = str(Path(place).expanduser().absolute())
    return digest(engine, json.dumps(content, sort_keys=True, default=repr))


def refuse_wrong_shape(sweep: Sweep) -> None:
    """Raise ConfigError for a sweep that has no cells, or says one thing twice.

    Parameters
    ----------
    sweep : Sweep
    """
    expected = f"sweep {sweep.name!r}"
    if sweep.engine not in ENGINES:
        raise ConfigError(f"{expected}: engine: expected local or flower; got {sweep.engine!r}")
    if not sweep.name or set(sweep.name) & set("/\\:\0") or sweep.name.startswith("."):
        raise ConfigError(f"{expected}: name: expected one that a folder can have")
    for what, values in (("seeds", sweep.seeds), ("cases", sweep.cases), *sweep.grid.items()):
        if not len(values):
            raise ConfigError(f"{expected}: {what}: expected at least one value; got none")
    for keys in (sweep.config, sweep.grid, *sweep.cases):
        for key in SET_HERE:
            if key in keys:
                remedy = "seeds = [...]" if key == "seed" else "--out"
                raise ConfigError(f"{expected}: {key}: not for a cell; use {remedy}")
    for case in sweep.cases:
        if both := sorted(set(case) & set(sweep.grid)):
            raise ConfigError(f"{expected}: {both[0]}: expected in grid or in cases; got both")


class _Refused:
    """What cannot run: message -> the cells."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, message: str, keys: Mapping[str, Any]) -> None:
        self._found.setdefault(message, []).append(written(keys))

    def raise_any(self, name: str, total: int, shown: int = 6) -> None:
        if not self._found:
            return
        count = sum(map(len, self._found.values()))
        lines = [f"sweep {name!r}: {count} of {total} cells cannot run; nothing was started"]
        for message, labels in self._found.items():
            more = [f"and {len(labels) - shown} more"] if len(labels) > shown else []
            lines += [message, *(f"    {text}" for text in labels[:shown] + more)]
        raise ConfigError("\n".join(lines))
