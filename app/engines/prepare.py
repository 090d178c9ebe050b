"""A run before it starts: everything that can be found wrong with it, and what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from signfed.app.config.knowledge import built, check_memory, check_reach, check_trigger
from signfed.app.config.run_config import RunConfig, build_strategy, check_machine, parse
from signfed.app.config.simulation import Simulation
from signfed.app.engines.rehearsal import check_copied
from signfed.app.engines.room import check_room, free_and_total, room_of, room_of_node
from signfed.app.errors import ConfigError
from signfed.app.runs import checkpoint
from signfed.app.runs.checkpoint import Checkpoint
from signfed.app.runs.claim import existing_folder, is_taken, new_folder
from signfed.app.runs.resuming import resumed
from signfed.app.task import Problem, Workload, problem_of
from signfed.attacks import Knowledge
from signfed.strategies.core.options import Value
from signfed.strategies.core.state import state_of
from signfed.strategies.server.strategy import RobustStrategy


@dataclass(frozen=True, eq=False)
class Prepared:
    """A checked run: its config parsed, its rule built, its data loaded.

    Attributes
    ----------
    given : Mapping
        The run config as it was given.
    config : RunConfig
    strategy : RobustStrategy
        The rule object that will run.
    problem : Problem
        Model and data, loaded.
    path : Path
        The run folder: made, and empty but for what a run that goes on left.
    resume : Checkpoint or None
        What the run goes on from; its state is empty once the run is under way.
    """

    given: Mapping[str, Value]
    config: RunConfig
    strategy: RobustStrategy
    problem: Problem
    path: Path
    resume: Checkpoint | None

    @property
    def done(self) -> int:
        """Rounds of an earlier attempt that stay."""
        return self.resume.server_round if self.resume else 0


def check(
    given: Mapping[str, Value],
    *,
    reach: Knowledge = "server",
    simulation: Simulation | None = None,
    here: bool = True,
) -> tuple[RunConfig, RobustStrategy]:
    """Check all of a run config that can be checked without data.

    Parameters
    ----------
    given, reach, simulation
        As for `prepare`.
    here : bool
        Whether it is this machine that has to have the device.

    Returns
    -------
    RunConfig
    RobustStrategy
        The rule, built.

    Raises
    ------
    ConfigError
        At the first thing that is wrong, with what was expected.
    """
    config = parse(given)
    if config.roster and reach != "colluders":
        raise ConfigError("roster: expected none on one machine; simulated nodes have no keys")
    strategy = build_strategy(config)
    try:
        state_of(strategy)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if here:
        check_machine(config)
    _check_free(config)
    if simulation:
        simulation.check(config)
    if config.byzantine_ids:
        check_reach(config.attack, reach)
        check_memory(config.attack, config.workers_remember, reach)
        if built(config.attack).rule:
            check_copied(strategy, config.attack.name)
    return config, strategy


def prepare(
    given: Mapping[str, Value],
    *,
    reach: Knowledge = "server",
    simulation: Simulation | None = None,
    parent: Path | None = None,
    load: Callable[[Workload], Problem] = problem_of,
) -> Prepared:
    """Check a run config, build its rule, load its data, make its folder; nothing is started.

    Parameters
    ----------
    given : mapping
        Run-config keys; missing ones take their defaults.
    reach : Knowledge
        The most that an attack can know where the engine runs its clients: "server" in the local
        engine, "omniscient" in a simulation, "colluders" on devices.
    simulation : Simulation, optional
        What Flower's simulation shares out of this machine, where that is known.
    parent : Path, optional
        Where a run folder that is not named goes; the home folder by default.
    load : callable, optional
        Makes the problem of a workload; one that keeps the data for the next run, say.

    Returns
    -------
    Prepared

    Raises
    ------
    ConfigError
        At the first thing that is wrong, with what was expected.
    DataMissing
        When the data are not where they should be.
    """
    config, strategy = check(given, reach=reach, simulation=simulation)
    last = resumed(config, given)
    problem = load(config.workload)
    check_loaded(config, strategy, problem, reach=reach, simulation=simulation)
    path = _claimed(config, parent or Path.home())  # last: nothing is left of a run that is refused
    return Prepared(given, config, strategy, problem, path, last)


def check_loaded(
    config: RunConfig,
    strategy: RobustStrategy,
    problem: Problem,
    *,
    reach: Knowledge = "server",
    simulation: Simulation | None = None,
) -> None:
    """Check what a run makes of its data, and whether it has room.

    Parameters
    ----------
    config, strategy
        What `check` returned.
    problem : Problem
        Model and data, loaded.
    reach, simulation
        As for `prepare`.

    Raises
    ------
    ConfigError, DataMissing
        At the first thing that is wrong, with what was expected.
    """
    if reach == "server":  # workers run in this process
        problem.require_workers()
    check_trigger(config.attack, config.workload.task, problem.sides, problem.num_classes)
    if reach == "server" and problem.device.type != "cpu":
        free, card = free_and_total()
        way = config.workload.gradients
        room = room_of(config, strategy, problem, way=way, card=card)
        check_room(room, free, config.participation.count)
    elif simulation and simulation.gpus_per_client:
        _check_nodes(config, problem, simulation)


def _check_nodes(config: RunConfig, problem: Problem, simulation: Simulation) -> None:
    """Raise ConfigError where nodes side by side on a GPU need more than their shares."""
    share, supernodes = min(1.0, simulation.gpus_per_client), simulation.supernodes
    free, total = free_and_total()
    card, at_once = int(share * total), min(supernodes, int(1 / share))
    room, workers = room_of_node(config, problem, supernodes=supernodes, card=card)
    left = max(0, (free - room.rest) // at_once)  # beside the server
    check_room(room, min(card, left), workers, of_node=True)


def _claimed(config: RunConfig, parent: Path) -> Path:
    if config.resume:
        return checkpoint.run_of(Path(config.resume).expanduser())
    if not config.out_dir:
        labels = (config.workload.task, config.strategy.name, config.attack.name)
        return new_folder(parent, *labels)
    return existing_folder(Path(config.out_dir).expanduser())


def _check_free(config: RunConfig) -> None:
    """Raise ConfigError when the run folder is another run's already."""
    path = Path(config.out_dir).expanduser()
    if config.out_dir and not config.resume and is_taken(path):
        raise ConfigError(f"out-dir: expected a new or empty folder; {path} has files in it")
