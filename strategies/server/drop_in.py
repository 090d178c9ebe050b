"""A rule in another's Flower app: Flower's four methods, around the parts of our own."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from logging import getLogger
from typing import Literal

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid

from signfed.strategies.core.codecs import CODECS
from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server import door
from signfed.strategies.server.claims import as_record, medians
from signfed.strategies.server.drop_in_checks import channel, is_of, layout_of, unguarded
from signfed.strategies.server.federation import Federation, Participation
from signfed.strategies.server.nodes import AggregateMetrics, NodeOptions
from signfed.strategies.server.optimizer import Step
from signfed.strategies.server.training import Observe, Training
from signfed.strategies.server.transport import plain, wire
from signfed.strategies.server.transport.link import Link
from signfed.strategies.server.transport.measure import excuse
from signfed.strategies.server.transport.plain_arrays import PlainArrays
from signfed.strategies.server.transport.sampling import Nodes

log = getLogger("signfed")

Byzantine = Collection[int] | Literal["announced"]


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
        For a model or options that cannot be, and for a roster that cannot be read.
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
        self.rule, self.options, self._grid, self._timeout = rule, options, grid, timeout
        signs, lr = channel(rule, options)
        if not signs and (doubt := unguarded(rule)):
            log.warning("%s", doubt)
        layout, state = layout_of(initial_arrays, options, signs), state or {}
        vector = torch.from_numpy(layout.flat(initial_arrays))
        if not torch.isfinite(vector).all():
            raise ValueError("initial_arrays: expected finite values within float32")
        if state and not is_of(state, layout):
            raise ValueError(
                "resume: expected the model of that run; got initial_arrays of another"
            )
        # Workers and quorum differ from round to round: nodes come and go.
        federation = Federation(
            Participation(1), CODECS["sign" if signs else "float32"], "", Step(lr),
            edges=layout.edges,
        )  # fmt: skip
        self.training = Training(rule, federation, vector, observe, state)
        self.dialect = PlainArrays(
            self.training, layout, layout.values(initial_arrays, beside=True), self.options,
            signs=signs, lr=lr,
        )  # fmt: skip
        self.dialect.load_state_dict(state)
        self.attendance = Nodes(self.options, door.package.admission(grid, options.roster))
        replicas = signs and layout.is_plain
        self.link = Link(
            self.training, grid, self.dialect, self.attendance, timeout=timeout, replicas=replicas
        )
        self._failing: set[int] = set()  # nodes whose failure to evaluate was logged
        self._evaluators: list[int] = []

    def gather(self, state: State) -> None:
        """Wait for the nodes, those of an earlier state among them; see `Attendance`."""
        self.attendance.gather(self._grid, state)

    @property
    def arrays(self) -> ArrayRecord:
        """The model as it is."""
        return self.dialect.arrays()

    def byzantine(self, said: Byzantine) -> set[int]:
        """Return the Byzantine workers of those that were asked, for reports."""
        if said == "announced":
            return self.dialect.announced
        return {worker for node, worker in self.attendance.numbers.items() if node in said}

    def state_dict(self) -> State:
        """Return what the run has to remember between two rounds, besides the training's state."""
        return self.link.state_dict() | self.dialect.state_dict()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord
    ) -> list[Message]:
        """Return the requests of a round.

        Parameters
        ----------
        server_round : int
        arrays : ArrayRecord
            The model, as the caller has it. Raises ValueError where it is another.
        config : ConfigRecord
            What else each of them holds.
        """
        self._expect_model(arrays)
        messages = self.link.requests(server_round, config)
        if gone := self.attendance.forget():
            self.rule.forget_workers(gone)
            self.dialect.announced.difference_update(gone)
        self.dialect.expect([w for ids in self.link.asked.values() for w in ids])
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Check the replies, aggregate, and take the step.

        Parameters
        ----------
        server_round : int
        replies : iterable of Message

        Returns
        -------
        tuple
            The new model, and what the nodes claim; (None, None) for a round that is skipped.
        """
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

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord
    ) -> list[Message]:
        """Return the requests to evaluate the model; none where no node is to evaluate.

        Parameters
        ----------
        server_round : int
        arrays : ArrayRecord
            As for `configure_train`.
        config : ConfigRecord
            What else each of them holds.
        """
        self._expect_model(arrays)
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
        """Return what the nodes claim of the model; None when no valid reply came.

        Parameters
        ----------
        server_round : int
        replies : iterable of Message
        """
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

    def _expect_model(self, arrays: ArrayRecord) -> None:
        if not self.dialect.is_model(arrays):
            raise ValueError(
                f"{type(self.rule).__name__}: expected the model that aggregate_train returned; "
                "got other arrays. The model is kept by the strategy, and nodes would not get "
                "these: no strategy may stand around it that changes the model, as those of "
                "differential privacy do"
            )

    def _aggregated(self, claims: list[plain.Claim], own: AggregateMetrics | None) -> MetricRecord:
        """The median of each metric, or what the user's function makes of them."""
        count = self.options.weighted_by_key
        if own:
            try:
                made = own([RecordDict({c.name: c.metrics}) for c in claims], count)
                return made if isinstance(made, MetricRecord) else MetricRecord(made or {})
            except Exception as error:  # nothing that a node sends may end the run
                log.warning("metrics: %s: %s", type(error).__name__, error)
                return MetricRecord()
        return as_record(medians([{**claim.metrics} for claim in claims], without=count))
