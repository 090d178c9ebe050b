"""Where a run goes on: the last checkpoint, if it is of this run and whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from signfed.app.config.keys import defaults
from signfed.app.config.knowledge import built
from signfed.app.config.run_config import RunConfig
from signfed.app.errors import ConfigError
from signfed.app.runs import checkpoint
from signfed.app.runs.checkpoint import Checkpoint, CheckpointError
from signfed.app.runs.folder import ENDED, read_config, read_summary
from signfed.app.runs.rounds import rounds_until
from signfed.app.runs.stopping import Stopping
from signfed.strategies.core.options import Value

# What the rounds that are done do not depend on.
FREE = frozenset(
    {"num-rounds", "evaluate-every", "checkpoint-every", "stop-when"}
    | {"round-timeout", "node-timeout"}
    | {"data-dir", "download", "device", "roster", "out-dir", "resume"}
)


def earlier(path: Path) -> dict[str, Value]:
    """Return every run-config key of the run that `path` is of, as it was.

    Parameters
    ----------
    path : Path
        A run folder, or one of its checkpoints.

    Raises
    ------
    ConfigError
        When there is no readable `config.json`.
    """
    run = checkpoint.run_of(path).resolve()
    try:
        return read_config(run) | {"out-dir": str(run)}
    except ConfigError as error:
        raise ConfigError(
            f"resume: expected a run folder or one of its checkpoints; {error}"
        ) from error


def resumed(config: RunConfig, run_config: Mapping[str, Value]) -> Checkpoint | None:
    """Return the checkpoint that `resume` means; None for a run that has none yet, or a new run.

    A run that was killed after its last checkpoint and before its summary has no round left, but
    still has to be ended.

    Parameters
    ----------
    config : RunConfig
        As it was checked.
    run_config : mapping
        As it was given.

    Raises
    ------
    ConfigError
        When the checkpoint cannot be read, is of another run, leaves nothing to do, or is of more
        rounds than `rounds.jsonl`.
    """
    if not config.resume:
        return None
    if config.byzantine_ids and built(config.attack).knowledge == "server":
        raise ConfigError(
            f"resume: attack={config.attack.name!r} goes by what the server found out in the last "
            "round, which no checkpoint holds; start the run anew"
        )
    path = Path(config.resume).expanduser()
    run = checkpoint.run_of(path)
    if config.out_dir and Path(config.out_dir).expanduser() != run:
        raise ConfigError(
            f"out-dir: expected none beside resume, which writes to {run}; got {config.out_dir!r}"
        )
    try:
        place = checkpoint.find(path)
        found = checkpoint.read(place) if place else None
    except CheckpointError as error:
        raise ConfigError(str(error)) from error
    if found is None:
        return None
    now = defaults() | dict(run_config)
    before = defaults() | dict(found.config)
    other = [key for key in now if key not in FREE and now[key] != before.get(key)]
    if other:
        pairs = ", ".join(f"{key}={before.get(key)!r}, not {now[key]!r}" for key in other)
        raise ConfigError(
            f"resume: {place} is of another run: {pairs}; free to change: {', '.join(sorted(FREE))}"
        )
    ended = read_summary(run).get("status") in ENDED
    if found.server_round > config.num_rounds or (ended and no_round_left(config, found)):
        raise ConfigError(
            f"resume: round {found.server_round} of {config.num_rounds} is done, nothing is left; "
            f"expected num-rounds above {found.server_round}"
        )
    done = rounds_until(run, found.server_round)
    if ended and (stopping := Stopping(config.stop_when, done)).reason:
        raise ConfigError(
            f"resume: stop-when={now['stop-when']!r} ended the run after round {stopping.round}: "
            f"{stopping.reason}; expected another stop-when, or an earlier checkpoint"
        )
    return found


def no_round_left(config: RunConfig, found: Checkpoint) -> bool:
    """Tell whether a checkpoint is that of the run's last round.

    Parameters
    ----------
    config : RunConfig
    found : Checkpoint
    """
    return found.server_round >= config.num_rounds


def lost_memories(config: RunConfig, state: Mapping[str, object]) -> bool:
    """Tell whether workers had something to remember that is lost: momentum, errors, a past.

    Parameters
    ----------
    config : RunConfig
        A checked run config.
    state : mapping
        What the run goes on from.
    """
    remember = config.workers_remember or (config.byzantine_ids and built(config.attack).past)
    return bool(remember) and not any(name.startswith("worker-") for name in state)
