"""A run on this machine with a progress bar: through Flower, or in this process."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from signfed.app.engines.progress import follow, last_error, rounds_bar
from signfed.app.engines.signals import Interruptible
from signfed.app.errors import ConfigError
from signfed.app.runs import folder as run_folder
from signfed.app.runs.claim import FLOWER_LOG, create_first
from signfed.app.runs.folder import FAILED, FINISHED, INTERRUPTED, RUNNING
from signfed.strategies.core.own import reason

if TYPE_CHECKING:
    from signfed.app.engines.prepare import Prepared
    from signfed.attacks import Knowledge
    from signfed.strategies.core.options import Value

TRACEBACK = "traceback.txt"  # in the folder of a run that failed


def on_local(prepared: Prepared, console: Console, signals: Interruptible) -> str:
    """Run all workers in this process, with a bar.

    Parameters
    ----------
    prepared : Prepared
        What `prepare` returned.
    console : Console
        Where the bar is shown.
    signals : Interruptible
        What ends the run between two rounds.

    Returns
    -------
    str
        The run's status. An error is in the run folder, and not raised.
    """
    from signfed.app.engines.local.engine import local_engine
    from signfed.app.engines.run import execute

    path, said = prepared.path, ""
    try:
        with rounds_bar(prepared.config.num_rounds, console) as show:

            def on_round(record: dict[str, Any]) -> None:
                show(record)
                signals.between_rounds()

            execute(prepared, local_engine, on_round=on_round)
        with suppress(OSError):  # of a run that failed, and went on
            (path / TRACEBACK).unlink()
    except KeyboardInterrupt:
        return _ended(path, INTERRUPTED, "", console)
    except Exception as error:
        said = reason(error)
        with suppress(OSError):
            (path / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
    return _ended(path, FAILED, said, console)


def on_flower(
    values: Mapping[str, Any],
    federation: str,
    num_rounds: int,
    console: Console,
    ray_address: str | None = None,
) -> str:
    """Run a Flower of one's own, and follow it through the run folder.

    Parameters
    ----------
    values : mapping
        Run-config keys, "out-dir" among them.
    federation : str
        Flower's federation config, "num-supernodes=2 client-resources-num-cpus=1 ...".
    num_rounds : int
        Rounds of the run.
    console : Console
        Where the bar is shown.
    ray_address : str, optional
        A Ray cluster to run on.

    Returns
    -------
    str
        The run's status. An error is in the run folder, and not raised.

    Raises
    ------
    ConfigError
        When another run has just taken the folder.
    """
    from signfed.app.flower.environment import FlowerError
    from signfed.app.flower.local_flower import LocalFlower

    path = Path(values["out-dir"])
    log = path / FLOWER_LOG
    if not values.get("resume"):
        create_first(log, "")
    try:
        with LocalFlower(log, ray_address) as flower:
            run_id = flower.submit(values, federation)
            follow(path, num_rounds, lambda: flower.status(run_id), console)
    except KeyboardInterrupt:
        return _ended(path, INTERRUPTED, "", console)
    except (FlowerError, OSError) as error:
        return _ended(path, FAILED, str(error), console)
    return _ended(path, FAILED, f"{last_error(log) or 'the run ended early'}; see {log}", console)


def _ended(path: Path, status: str, error: str, console: Console) -> str:
    """The status in the run folder; this one where whoever wrote the folder could not say."""
    found = run_folder.read_summary(path).get("status", RUNNING)
    if found != RUNNING:
        return found
    try:
        run_folder.set_status(path, status, error or None)
    except OSError as problem:  # a full disk takes no word
        console.print(error or str(problem), style="red", markup=False, soft_wrap=True)
    return status


@dataclass(frozen=True)
class RunResult:
    """What a run left.

    Attributes
    ----------
    path : Path
        The run folder.
    summary : dict
        Its summary.json: `status`, `rounds`, `final_test_accuracy`, `model_sha256`, ...
    """

    path: Path
    summary: dict[str, Any]


def run(
    config: Mapping[str, Value] | None = None,
    *,
    engine: Literal["local", "flower"] = "local",
    supernodes: int = 2,
    cpus_per_client: int = 1,
    gpus_per_client: float = 0.0,
) -> RunResult:
    """Run one federation on this machine, as `signfed run` does.

    Parameters
    ----------
    config : Mapping, optional
        Run-config keys, such as `{"strategy": "signguard", "signguard.fraction": 0.2}`. Missing
        keys take their defaults; a run folder that is not named is a new one in ./signfed-runs.
    engine : {"local", "flower"}
        All workers in this process, or simulated Flower nodes and real messages. On a CPU both
        give the same model.
    supernodes, cpus_per_client, gpus_per_client
        What Flower's simulation shares out; the local engine does not look at them.

    Returns
    -------
    RunResult

    Raises
    ------
    ConfigError
        When the configuration is wrong; nothing was started.
    DataMissing
        When the data are not where they should be.
    Exception
        Whatever ends the run early; the run folder says it too.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> result = run({"num-rounds": 2, "device": "cpu", "out-dir": folder.name})
    >>> result.summary["status"], result.summary["rounds"]
    ('finished', 2)
    >>> folder.cleanup()
    """
    from signfed.app.config.simulation import Simulation
    from signfed.app.engines.asked import asked_for
    from signfed.app.engines.local.engine import local_engine
    from signfed.app.engines.prepare import prepare
    from signfed.app.engines.run import execute
    from signfed.app.flower.environment import FlowerError

    values, here, simulation = asked_for(config or {}), Path.cwd(), None
    if engine == "flower":
        simulation = Simulation(supernodes, cpus_per_client, gpus_per_client)
    elif engine != "local":
        raise ConfigError(f"engine: expected local or flower; got {engine!r}")
    reach: Knowledge = "omniscient" if simulation else "server"
    prepared = prepare(values, reach=reach, simulation=simulation, parent=here)
    path, num_rounds = prepared.path, prepared.config.num_rounds
    if prepared.config.resume:
        run_folder.reopen(path, prepared.done)
    if simulation is None:
        execute(prepared, local_engine)
        return RunResult(path, run_folder.read_summary(path))
    del prepared  # the data are loaded again where they are needed
    values["out-dir"] = str(path)
    status = on_flower(values, simulation.federation, num_rounds, Console(quiet=True))
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status != FINISHED:
        raise FlowerError(
            run_folder.read_summary(path).get("error") or f"the run failed; see {path}"
        )
    return RunResult(path, run_folder.read_summary(path))
