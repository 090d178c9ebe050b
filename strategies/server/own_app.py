"""A rule in signfed's own app: the rounds of a federation whose nodes answer as our ClientApp."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flwr.app import ConfigRecord
from flwr.serverapp import Grid
from torch import Tensor

from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server.federation import Federation
from signfed.strategies.server.loop import Evaluate, OnRound, run_rounds
from signfed.strategies.server.training import Observe, Training
from signfed.strategies.server.transport.attendance import Workers
from signfed.strategies.server.transport.link import Link
from signfed.strategies.server.transport.packed_rows import PackedRows

NodesFn = Callable[[list[tuple[int, ...]]], None]  # gets the workers of each node


def run_federation(
    rule: Rule,
    federation: Federation,
    grid: Grid,
    initial: Tensor,
    num_rounds: int,
    timeout: float,
    *,
    questions: ConfigRecord | None = None,
    digest: Mapping[str, str] | None = None,
    resume: tuple[int, State] | None = None,
    on_nodes: NodesFn | None = None,
    observe: Observe | None = None,
    evaluate: Evaluate | None = None,
    on_round: OnRound | None = None,
) -> Tensor:
    """Wait for the nodes, and run the rounds of a federation over them.

    Parameters
    ----------
    rule : Rule
    federation : Federation
        What the run needs besides.
    grid : Grid
        The nodes, simulated or real.
    initial : Tensor
        The parameters with which the run begins, float32 [N].
    num_rounds : int
        The number of the last round.
    timeout : float
        Seconds for the replies of a round.
    questions : ConfigRecord, optional
        What each request holds besides.
    digest : Mapping, optional
        Digest of each part of what the run computes on; a node that differs takes no part.
    resume : tuple, optional
        The last round of an earlier start, and the state after it, which is emptied.
    on_nodes : callable, optional
        Gets the workers of each node once all are there, and may raise.
    observe : callable, optional
        Sees updates and direction of each usable round, and returns scores for its record.
    evaluate : callable, optional
        Asked after each round, with the parameters; its scores are recorded.
    on_round : callable, optional
        Gets each round's record and what returns the state after it; True ends the run.

    Returns
    -------
    Tensor
        The final parameters, float32 [N].

    Raises
    ------
    ValueError
        When `rule.check` fails, or the rule returns what it should not.
    FederationError
        When the federation cannot go on.
    """
    rule.check(federation.participation.count, num_rounds)
    done, state = resume or (0, {})
    training = Training(rule, federation, initial, observe, state)
    link = Link(
        training, grid, PackedRows(training, federation.codec, federation.encoder),
        workers := Workers(federation, digest), timeout=timeout, config=questions,
        instructions=rule.instructions(federation.num_workers),
    )  # fmt: skip
    workers.gather(grid, state)
    state.clear()  # whoever holds it holds no tensors from here on
    if on_nodes:
        on_nodes(workers.present())
    rounds = range(done + 1, num_rounds + 1)
    run_rounds(training, link, rounds, evaluate=evaluate, on_round=on_round)
    return training.parameters
