"""The model of the rows that counted: a run's rounds computed anew by the local engine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signfed.app.engines.local.collector import LocalWorkers
from signfed.app.engines.prepare import prepare
from signfed.app.engines.run import Run, execute
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.strategies.core.rule import State
from signfed.strategies.core.updates import Updates
from signfed.strategies.server.loop import run_rounds
from signfed.strategies.server.record import RoundRecord
from signfed.strategies.server.training import Training


class Counted:
    """All workers of this process, without the rows that a run had dropped: a `Collector`."""

    def __init__(self, workers: LocalWorkers, dropped: Sequence[set[int]]) -> None:
        self._workers, self._dropped = workers, dropped

    def collect(self, server_round: int) -> tuple[Updates | None, RoundRecord]:
        updates, record = self._workers.collect(server_round)
        lost = torch.tensor(sorted(self._dropped[server_round - 1]), dtype=torch.int64)
        counts = ~torch.isin(updates.ids, lost)
        if not counts.any():
            return None, record
        return replace(updates, ids=updates.ids[counts], rows=updates.rows[counts]), record

    def state_dict(self) -> State:
        return self._workers.state_dict()


def engine_of(run: Run, dropped: Sequence[set[int]]) -> np.ndarray:
    federation = run.config.federation(run.strategy, run.problem)
    training = Training(run.strategy, federation, run.problem.initial(), run.observe)
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        collector = Counted(LocalWorkers(run, training, pool), dropped)
        run_rounds(training, collector, range(1, len(dropped) + 1), on_round=run.on_round)
    return training.parameters.cpu().numpy()


def replayed(run: Path, **changes: Any) -> str:
    """The digest of the model that this process makes of the rows which counted in a run.

    changes: keys that are others here, such as data_dir, by their names in Python.
    """
    lines: list[Mapping[str, Any]] = read_rounds(run)
    dropped = [{i for ids in line["dropped"].values() for i in ids} for line in lines]
    config = json.loads((run / "config.json").read_text())["config"]
    config |= {k.replace("_", "-"): v for k, v in changes.items()}
    with tempfile.TemporaryDirectory() as place:
        config |= {"out-dir": place, "num-rounds": len(lines), "roster": ""}
        execute(prepare(config), partial(engine_of, dropped=dropped))
        return str(read_summary(Path(place))["model_sha256"])
