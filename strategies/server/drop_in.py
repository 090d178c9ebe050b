"""A rule in another's Flower app: Flower's four methods, around the parts of our own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from functools import partial
from logging import getLogger
from typing import Literal

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid

from signfed.strategies.core.codecs import CODECS
from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server.claims import as_record, medians
from signfed.strategies.server.federation import Federation, Participation
from signfed.strategies.server.nodes import AggregateMetrics, NodeOptions
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.training import Observe, Training
from signfed.strategies.server.transport import plain, wire
from signfed.strategies.server.transport.layout import Layout
from signfed.strategies.server.transport.link import Link
from signfed.strategies.server.transport.measure import excuse
from signfed.strategies.server.transport.plain_arrays import PlainArrays
from signfed.strategies.server.transport.sampling import Nodes

log = getLogger("signfed")

Byzantine = Collection[int] | Literal["announced"]
STEP_OF_SIGNS = 0.001  # server_learning_rate where none is given


class DropIn:
    """One run of a rule in another's Flower app.

    Parameters
    ----------
    rule : Rule
    options : NodeOptions
    grid : Grid
    initial_arrays : ArrayRecord
        The model.
    timeout : float
        Seconds for the replies of a round.
    state : dict of Tensor, optional
        What `state_dict` returned, to go on from.
    observe : callable, optional
        Sees each usable round.

    Attributes
    ----------
    training : Training
    link : Link

    Raises
    ------
    ValueError
        For a model or options that cannot be.
    FederationError
        When too few nodes come.
    """

    def __init__(
        self,
        rule: Rule,
        options: NodeOptions,
        grid: Grid,
        initial_arrays: ArrayRecord,
        timeout: float,
        state: State | None = None,
        observe: Observe | None = None,
    ) -> None:
        self.rule, self.options, self._timeout = rule, options, timeout
        signs, lr = _channel(rule, options)
        layout, state = _layout(initial_arrays, self.options.as_values, signs), state or {}
        vector = torch.from_numpy(layout.flat(initial_arrays))
        if not torch.isfinite(vector).all():
            raise ValueError("initial_arrays: expected finite values within float32")
        if state and not _is_of(state, layout):
            raise ValueError(
                "resume: expected the model of that run; got initial_arrays of another"
            )
        # Workers and quorum differ from round to round: nodes come and go.
        federation = Federation(
            Participation(1), CODECS["sign" if signs else "float32"], "", Step(lr)
        )
        self.training = Training(rule, federation, vector, observe, state)
        self.dialect = PlainArrays(
            self.training, layout, layout.values(initial_arrays, beside=True), self.options,
            signs=signs, lr=lr,
        )  # fmt: skip
        self.dialect.load_state_dict(state)
        self.attendance = Nodes(self.options)
        replicas = signs and layout.is_plain
        self.link = Link(
            self.training, grid, self.dialect, self.attendance, timeout=timeout, replicas=replicas
        )
        self.attendance.gather(grid, state)
        self._failing: set[int] = set()  # nodes whose failure to evaluate was logged
        self._evaluators: list[int] = []

    @property
    def arrays(self) -> ArrayRecord:
        """The model as it is."""
        return self.dialect.arrays()

    def byzantine(self, said: Byzantine) -> tuple[set[int], set[int]]:
        """Byzantine and honest workers among those that were asked so far, for reports."""
        workers = self.attendance.numbers
        bad = {workers[node] for node in workers if said != "announced" and node in said}
        if said == "announced":
            bad = self.dialect.announced
        return bad, set(workers.values()) - bad

    def state_dict(self) -> State:
        """Return what the run has to remember between two rounds, besides the training's state."""
        return self.link.state_dict() | self.dialect.state_dict()

    def configure_train(self, server_round: int, config: ConfigRecord) -> list[Message]:
        """Return the requests of a round."""
        messages = self.link.requests(server_round, config)
        self.dialect.expect([w for ids in self.link.asked.values() for w in ids])
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies, aggregate, take the step; None for a round that is skipped."""
        updates, record = self.link.open(server_round, replies)
        claims = self.dialect.claims
        self.training.quorum = self.options.needed(len(self.link.asked))
        usable = self.training.advance(updates, record)
        if not usable:
            return None, None
        self.dialect.settle()
        metrics = self._aggregated(list(claims.values()), self.options.train_metrics_aggr_fn)
        record.claims["train"] = dict(metrics)
        return self.arrays, metrics

    def configure_evaluate(self, server_round: int, config: ConfigRecord) -> list[Message]:
        """Return the requests to evaluate the model; none where no node is to evaluate."""
        self._evaluators = self.attendance.evaluators(server_round)
        if not self._evaluators:
            return []
        ask = partial(
            self.dialect.requests, server_round=server_round, config=config,
            ttl=self._timeout, kind=MessageType.EVALUATE,
        )  # fmt: skip
        return self.link.compose(self._evaluators, ask)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Return what the nodes claim of the model; None when no valid reply came."""
        sent, claims = self.link.sent(), {}
        for reply in replies:
            request = sent.get(reply.metadata.reply_to_message_id)
            node = request.metadata.dst_node_id if request else None
            if node is None or node in claims:
                continue
            try:
                if not wire.is_from(reply, node):
                    raise wire.Malformed
                claims[node] = plain.read_metrics(reply, self.options.weighted_by_key)
            except Exception as refusal:
                if node not in self._failing:
                    self._failing.add(node)
                    log.warning("node %d does not evaluate: %s %s", node, refusal, excuse(reply))
        if not claims:
            return None
        metrics = self._aggregated(list(claims.values()), self.options.evaluate_metrics_aggr_fn)
        self.link.record.claims["evaluate"] = dict(metrics)
        log.info("round %d: %d nodes claim %s", server_round, len(claims), dict(metrics))
        return metrics

    def _aggregated(self, claims: list[MetricRecord], own: AggregateMetrics | None) -> MetricRecord:
        """The median of each metric, or what the user's function makes of them."""
        count = self.options.weighted_by_key
        if own:
            try:
                return own([RecordDict({"metrics": claim}) for claim in claims], count)
            except Exception as error:  # nothing that a node sends may end the run
                log.warning("metrics: %s: %s", type(error).__name__, error)
                return MetricRecord()
        return as_record(medians([{**claim} for claim in claims], without=count))


def _channel(rule: Rule, options: NodeOptions) -> tuple[bool, float]:
    """Whether the rule sees signs, and the server's learning rate. Raises ValueError."""
    if any(getattr(inner, "nodes", NodeOptions()) != NodeOptions() for inner in rule.behind()):
        raise ValueError(
            f"{rule.title()}: expected the options of nodes on the outermost rule, the one "
            "that is started; got some on the rule behind it"
        )
    if _instructs(rule, options.min_available_nodes):
        raise ValueError(
            f"{rule.title()} needs clients that follow its instructions, which another's ClientApp "
            "does not; expected another rule, or signfed's own app"
        )
    encoder = rule.encoder if options.encoder == "auto" else options.encoder
    signs = encoder == "sign"
    if signs and options.trust_num_examples:
        raise ValueError(
            "trust_num_examples: a row of signs cannot be scaled; expected False, or a rule on "
            "floats"
        )
    return signs, options.server_learning_rate or (STEP_OF_SIGNS if signs else 1.0)


def _is_of(state: State, layout: Layout) -> bool:
    """Whether a state of `DropIn.state_dict` is one of this model."""
    beside = {f"beside.{form.name}": form.shape for form in layout.beside}
    held = {name: tuple(t.shape) for name, t in state.items() if name.startswith("beside.")}
    return held == beside and len(state["parameters"]) == layout.n_coordinates


def _instructs(rule: Rule, num_workers: int) -> bool:
    """Whether the rule has something to tell its clients, if only for another number of them."""
    try:
        return bool(rule.instructions(num_workers))
    except ValueError:
        return True


def _layout(arrays: ArrayRecord, as_values: str, signs: bool) -> Layout:
    patterns = [pattern.strip() for pattern in as_values.split(",")]
    return Layout(
        arrays, [n for n in arrays if signs and any(fnmatchcase(n, each) for each in patterns)]
    )
