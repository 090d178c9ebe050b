"""A run on this machine with a progress bar: through Flower, or as a fleet."""

from __future__ import annotations

import re
import shutil
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from signfed.app.errors import ConfigError
from signfed.app.runs import folder as run_folder
from signfed.app.runs.folder import FAILED, FINISHED, INTERRUPTED, RUNNING

if TYPE_CHECKING:
    from signfed.app.engines.prepare import Prepared
    from signfed.strategies.core.options import Value

EXCEPTION = re.compile(r"\s*[\w.]*(Error|Exception): ")
POLL = 0.2  # seconds between two looks into the run folder
FLOWER_CHECK = 30.0  # seconds between two questions to Flower, each of which starts a process


@contextmanager
def rounds_bar(num_rounds: int, console: Console) -> Any:
    """A bar that moves with each record, and says the last score and the updates dropped."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[news]}"),
    )  # fmt: skip
    dropped, scored = 0, ""
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting", total=num_rounds, news="")

        def show(record: Mapping[str, Any]) -> None:
            nonlocal dropped, scored
            dropped += sum(map(len, record["dropped"].values()))
            if "test_loss" in record:
                scored = run_folder.score(record)
            news = scored + (f"  {dropped} updates dropped" if dropped else "")
            progress.update(bar, description="round", completed=record["round"], news=news)

        yield show


def on_local(prepared: Prepared, console: Console) -> str:
    """All workers in this process; returns the run's status."""
    from signfed.app.engines.local import local_engine
    from signfed.app.engines.run import execute

    path = prepared.path
    try:
        with rounds_bar(prepared.config.num_rounds, console) as show:
            execute(prepared, local_engine, on_round=show)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        with suppress(OSError):
            (path / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
        if run_folder.read_summary(path).get("status") == RUNNING:  # a full disk takes no word
            console.print(f"{type(error).__name__}: {error}", style="red", soft_wrap=True)
            return FAILED
    return run_folder.read_summary(path)["status"]


def on_flower(values: Mapping[str, Any], federation: str, num_rounds: int, console: Console) -> str:
    """A Flower of its own, followed through the run folder; returns the run's status.

    federation: Flower's federation config, "num-supernodes=2 client-resources-num-cpus=1 ...".
    """
    from signfed.app.engines.superlink import FlowerError, LocalFlower

    path, said = Path(values["out-dir"]), ""
    try:
        with LocalFlower() as flower:
            try:
                run_id = flower.submit(values, federation)
                status = _follow(path, num_rounds, lambda: flower.status(run_id), console)
            finally:
                if flower.log.exists():
                    said = _last_error(flower.log)
                    with suppress(OSError):
                        path.mkdir(parents=True, exist_ok=True)
                        shutil.copy(flower.log, path / "flower.log")
    except KeyboardInterrupt:
        run_folder.set_status(path, INTERRUPTED)
        return INTERRUPTED
    except FlowerError as error:
        run_folder.set_status(path, FAILED, str(error))
        return FAILED
    if status != FINISHED and run_folder.read_summary(path).get("status") in (None, RUNNING):
        error = f"{said or 'the run ended early'}; see {path / 'flower.log'}"
        try:
            run_folder.set_status(path, FAILED, error)
        except OSError:  # a full disk takes no word
            console.print(error, style="red", soft_wrap=True)
    return FINISHED if status == FINISHED else FAILED


def _last_error(log: Path) -> str:
    """The last line of a log that names an exception; empty if none does."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if EXCEPTION.match(line)), "")


def _follow(path: Path, num_rounds: int, flower_status: Callable[[], str], console: Console) -> str:
    """Show the rounds as they are written, until the run is over; returns its status."""
    reader, asked = run_folder.RoundsReader(path), time.monotonic()
    with rounds_bar(num_rounds, console) as show:
        while True:
            status = run_folder.read_summary(path).get("status", RUNNING)
            for record in reader.new():
                show(record)
            if status != RUNNING:
                return status
            if time.monotonic() - asked > FLOWER_CHECK:
                asked = time.monotonic()
                if flower_status().startswith("finished"):
                    return run_folder.read_summary(path).get("status", FAILED)
            time.sleep(POLL)


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
    from signfed.app.engines.local import local_engine
    from signfed.app.engines.prepare import prepare
    from signfed.app.engines.run import execute
    from signfed.app.engines.superlink import FlowerError

    values, here = asked_for(config or {}), Path.cwd()
    if engine == "local":
        path = execute(prepare(values, reach="server", parent=here), local_engine)
        return RunResult(path, run_folder.read_summary(path))
    if engine != "flower":
        raise ConfigError(f"engine: expected local or flower; got {engine!r}")
    simulation = Simulation(supernodes, cpus_per_client, gpus_per_client)
    prepared = prepare(values, reach="omniscient", simulation=simulation, parent=here)
    path, num_rounds = prepared.path, prepared.config.num_rounds
    if prepared.config.resume:
        run_folder.reopen(path, prepared.done)
    del prepared  # the data are loaded again where they are needed
    values["out-dir"] = str(path)
    status = on_flower(values, simulation.federation, num_rounds, Console(quiet=True))
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status == FAILED:
        raise FlowerError(
            run_folder.read_summary(path).get("error") or f"the run failed; see {path}"
        )
    return RunResult(path, run_folder.read_summary(path))
