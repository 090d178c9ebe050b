"""The run of a rule in a public app: the record that it keeps, and nodes that evaluate."""

from __future__ import annotations

from functools import partial

import torch
from flwr.app import Array, ArrayRecord, MetricRecord

from signfed import CenteredClipping, CoordinateMedian, Mean, ReputationMV, RobustStrategy, SignMV
from signfed.app.errors import ConfigError
from signfed.app.runs import recorder
from signfed.strategies.server.federation import FederationError
from signfed.strategies.server.transport import sampling
from tests.simulation.attempts import Attempts, Given
from tests.simulation.network import Network
from tests.simulation.outcome import Violation
from tests.simulation.public_app import app_with, loss_of
from tests.simulation.public_model import PublicModel
from tests.simulation.scenario import PUBLIC, Scenario
from tests.simulation.seams import DIMENSIONS, noise

# By the rule that a scenario has drawn: floats go to one on floats, signs to one on signs.
RULES = {
    "sign-mv": SignMV, "sign-fd": SignMV, "reputation-mv": ReputationMV, "mean": Mean,
    "median": CoordinateMedian, "trimmed-mean": CoordinateMedian, "krum": Mean,
    "signguard": CenteredClipping, "centered-clipping": CenteredClipping,
}  # fmt: skip


class PublicSimulation(Attempts):
    """One scenario of a public app under way."""

    model: PublicModel

    waits = 3  # for nodes, for updates, for evaluations

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        config = scenario.config
        self._make = partial(
            RULES[config["strategy"]], quorum=config["quorum"],
            fraction_evaluate=config.get("fraction-evaluate", 0.0), min_evaluate_nodes=1,
            fraction_train=config.get("fraction-train", 1.0), min_train_nodes=1,
            min_available_nodes=scenario.nodes, node_timeout=config["node-timeout"],
        )  # fmt: skip
        self._mod = config.get("mod", "")
        self._remembered = scenario.seed // PUBLIC % 2  # nodes that are away
        self._rule: RobustStrategy
        self._x = noise(config["seed"], "initial", 1.0, DIMENSIONS)
        self.model = self._new_model(0)

    def _new_model(self, done: int) -> PublicModel:
        before, x = self.model if done else None, torch.from_numpy(self._x.copy())
        return PublicModel(
            self._make(), self._mod, x, self._kept, self._remembered, before, done
        )  # fmt: skip

    def _first(self) -> Given:
        return {"run_dir": str(self.path)}

    def _resumed(self) -> Given:
        if not (self.path / "config.json").exists():
            raise ConfigError("the run had not begun")
        return {"resume": str(self.path)}

    def _serve(self, given: Given) -> None:
        config, self._rule = self.scenario.config, self._make()
        network = Network(
            self.scenario, self.clock, self.model, config, self._done, self.result.faults,
            app_with(self._mod),
        )  # fmt: skip
        recorder.EVERY, sampling.REMEMBERED = self._every, self._remembered
        done = self._rule.start(
            network, ArrayRecord({"w": Array(self._x)}), config["num-rounds"],
            config["round-timeout"], evaluate_fn=_evaluated, **given,
        )  # fmt: skip
        if done.arrays["w"].numpy().tobytes() != self.model.training.parameters.numpy().tobytes():
            raise Violation("model", "the run returns another")

    def _gave_up(self, error: FederationError) -> None:
        if not (self.path / "config.json").exists():
            raise Violation("wait", f"{error}; all nodes were there")
        super()._gave_up(error)


def _evaluated(server_round: int, arrays: ArrayRecord) -> MetricRecord:
    return MetricRecord({"loss": loss_of(arrays["w"].numpy(), 0)})
