"""Run one scenario, of signfed's own app or a public one: network, clock, disk are simulated."""

from __future__ import annotations

from signfed.app import server_app
from signfed.app.config.run_config import RunConfig
from signfed.app.runs import resuming
from signfed.app.task import Problem, find_task
from tests.simulation.attempts import Attempts, Given
from tests.simulation.model import Model
from tests.simulation.network import Network
from tests.simulation.outcome import Result
from tests.simulation.public import PublicSimulation
from tests.simulation.scenario import Scenario
from tests.simulation.seams import checked
from tests.simulation.seams import simulated as simulated


class Simulation(Attempts):
    """One scenario of signfed's own app under way."""

    model: Model

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.config: RunConfig = checked(self._first())
        self.problem: Problem = find_task("quadratic").problem(self.config.workload)
        self.model = self._new_model(0)

    def _new_model(self, done: int) -> Model:
        before = self.model if done else None
        return Model(self.config, self.problem, self.scenario.nodes, self._kept, before, done)

    def _first(self) -> Given:
        return self.scenario.config | {"out-dir": str(self.path)}

    def _resumed(self) -> Given:
        return resuming.earlier(self.path) | {"resume": str(self.path)}  # type: ignore[arg-type]

    def _serve(self, given: Given) -> None:
        faults = self.result.faults
        network = Network(self.scenario, self.clock, self.model, given, self._done, faults)
        server_app.run(network, given)


def simulate(scenario: Scenario) -> Result:
    """Run a scenario, within `simulated()`. Raises Violation, or whatever the server raises."""
    run = PublicSimulation if scenario.public else Simulation
    return run(scenario).run()
