"""The local engine on a device that notes what it is waited for; the device is the CPU."""

from __future__ import annotations

from dataclasses import replace

import torch

from signfed.app.config.run_config import build_strategy, parse
from signfed.app.engines.local.engine import local_engine
from signfed.app.engines.run import Run
from signfed.app.runs.scoring import Scorer
from signfed.app.task import problem_of
from signfed.app.task.shared import SharedGradients
from signfed.strategies.server.loop import gone
from tests.strategies.places import Counted, NamedElsewhere, Waits, counted


class OnDevice:
    """A problem whose gradients come from another device."""

    def __init__(self, problem):
        self._problem, self.device = problem, NamedElsewhere("cpu")

    def __getattr__(self, name):
        return getattr(self._problem, name)

    def initial(self):
        return counted(self._problem.initial())

    def batched(self, asked):
        found = self._problem.batched(asked)
        return found and Many(found)


class Many:
    """Gradients of many workers, as tensors of that device; handed over in two blocks."""

    def __init__(self, found):
        self._found = found

    def __call__(self, parameters, workers, server_round):
        plain = torch.as_tensor(parameters).as_subclass(torch.Tensor)
        return counted(self._found(plain, workers, server_round))

    def hand_over(self, parameters, workers, server_round, consume):
        if isinstance(self._found, SharedGradients):  # in blocks of its own
            plain = torch.as_tensor(parameters).as_subclass(torch.Tensor)
            own = lambda rows, columns, block: consume(rows, columns, counted(block))  # noqa: E731
            self._found.hand_over(plain, workers, server_round, own)
            return
        matrix = self(parameters, workers, server_round)
        n, half, cut = matrix.shape[1], matrix.shape[1] // 2 + 3, len(workers) // 2
        for rows in (slice(cut, len(workers)), slice(0, cut)):
            for columns in (slice(half, n), slice(0, half)):
                consume(rows, columns, matrix[rows, columns])

    def draw_ahead(self, workers, server_round):
        self._found.draw_ahead(workers, server_round)


class Breaking:
    """A problem of which one worker's gradient is not finite in some rounds."""

    def __init__(self, problem, worker, rounds):
        self._problem, self._worker, self._rounds = problem, worker, rounds

    def __getattr__(self, name):
        return getattr(self._problem, name)

    def batched(self, asked):
        found = self._problem.batched(asked)

        def gradients(parameters, workers, server_round):
            matrix = found(parameters, workers, server_round).clone()
            if server_round in self._rounds and self._worker in workers:
                matrix[list(workers).index(self._worker), 5] = torch.nan
            return matrix

        gradients.draw_ahead = found.draw_ahead
        return gradients


def rounds_of(config, *, on_device=True, problem=None, resume=None, every_state=False):
    """Run; return the final model, the records, what was waited for, and states by round.

    The waits are those before the record of the last round but one came, which is one round late:
    the last round's score and its state are read besides.
    """
    config = parse({"device": "cpu"} | config)
    problem = problem or problem_of(config.workload)
    ids = config.byzantine_ids
    observe = Scorer(ids) if ids else None
    records, states, by_round = [], {}, []

    def on_round(record, state):
        records.append(record.to_json())
        by_round.append(len(waits.found))
        if state is not gone:
            states[record.round] = {name: torch.clone(value) for name, value in state().items()}

    given = OnDevice(problem) if on_device else problem
    run = Run(config, build_strategy(config), given, observe, on_round, resume)
    if every_state:
        run = replace(run, saves=lambda server_round: True)
    with Waits() as waits:
        model = local_engine(run)
    assert not isinstance(model, Counted)
    return model, records, waits.found[: by_round[-2]], states


def without_seconds(records):
    return [{k: v for k, v in each.items() if k != "seconds"} for each in records]
