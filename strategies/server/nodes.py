"""What a rule is told besides its own options in another's Flower app: the arguments of FedAvg."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Annotated, Any, Literal

from flwr.app import MetricRecord, RecordDict
from pydantic import Field

from signfed.strategies.core.options import options_of
from signfed.strategies.core.shares import share_of

# (contents of the valid replies, name of the weight) -> their metrics, as Flower has it
AggregateMetrics = Callable[[list[RecordDict], str], MetricRecord]
Share = Annotated[float, Field(ge=0, le=1, description="share of the connected nodes")]
Some = Annotated[float, Field(gt=0, le=1, description="share of the connected nodes")]
Count = Annotated[int, Field(ge=1, description="a number of nodes")]


@dataclass(frozen=True)
class NodeOptions:
    """Whom a strategy asks in another's Flower app, under which keys, and what it makes of replies.

    Every rule takes them as keyword arguments beside its own options; they lie in its attribute
    `nodes`. The first ten are those of `flwr.serverapp.strategy.FedAvg`, with its defaults.

    Parameters
    ----------
    fraction_train : float, in (0, 1]
        Share of the connected nodes that a round asks to train.
    fraction_evaluate : float, in [0, 1]
        Share that it asks to evaluate; 0 for no evaluation on nodes.
    min_train_nodes, min_evaluate_nodes : int
        How many of them are asked at least.
    min_available_nodes : int
        How many nodes have to be connected.
    weighted_by_key : str
        Name of the number of examples among the metrics of a reply.
    arrayrecord_key, configrecord_key : str
        Names of the model and of the config in a request.
    train_metrics_aggr_fn, evaluate_metrics_aggr_fn : callable, optional
        In place of the median of each metric.
    server_learning_rate : float, >= 0
        eta in x <- x - eta v. 0 stands for 1 on float rows, and 0.001 on signs.
    encoder : {"auto", "float32", "sign"}
        What the rule sees: what it asks for, the updates' values, or their signs alone.
    as_values : str
        Patterns of names, divided by commas: float arrays that travel as they are where all others
        travel as signs, and whose new value is the median over the nodes. For statistics, which a
        step of signs would ruin, and for arrays that are frozen, which it would move.
    trust_num_examples : bool
        Whether an update is scaled by the node's claim of its number of examples.
    examples_cap : float, >= 1
        The largest claim that counts, in medians of the round's claims.
    quorum : float, in [0, 1]
        Share of the nodes asked without whose valid updates a round is skipped and the model kept;
        one is needed in any case.
    sampling_seed : int
        The nodes of a round are a function of it, the round, and the nodes that are connected.
    node_timeout : float
        Seconds to wait for `min_available_nodes` before round 1.
    roster : str
        Folder `nodes` of a federation of `signfed federation init`: only nodes whose keys are
        approved there are asked, each as the worker of its key's partition. Empty for the one that
        the SuperLink's start script names, if there is one.

    Raises
    ------
    OptionError
        For a value outside its range.

    Examples
    --------
    >>> NodeOptions(fraction_train=0.5).asked(connected=9, train=True)
    4
    >>> NodeOptions(fraction_train=0.1).asked(connected=9, train=True)
    2
    """

    fraction_train: Some = 1.0
    fraction_evaluate: Share = 1.0
    min_train_nodes: Count = 2
    min_evaluate_nodes: Count = 2
    min_available_nodes: Count = 2
    weighted_by_key: str = "num-examples"
    arrayrecord_key: str = "arrays"
    configrecord_key: str = "config"
    train_metrics_aggr_fn: AggregateMetrics | None = None
    evaluate_metrics_aggr_fn: AggregateMetrics | None = None
    server_learning_rate: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    encoder: Literal["auto", "float32", "sign"] = "auto"
    as_values: str = "*running_mean,*running_var"
    trust_num_examples: bool = False
    examples_cap: Annotated[float, Field(ge=1)] = 3.0
    quorum: Annotated[float, Field(ge=0, le=1)] = 0.5
    sampling_seed: Annotated[int, Field(ge=0)] = 0
    node_timeout: Annotated[float, Field(ge=0)] = 300.0
    roster: str = ""

    def __post_init__(self) -> None:
        for option in options_of(type(self)):
            checked = option.check(getattr(self, option.name))
            object.__setattr__(self, option.name, checked)

    def asked(self, connected: int, *, train: bool) -> int:
        """Return how many of the connected nodes a round asks, as Flower counts them.

        Parameters
        ----------
        connected : int
            Nodes that are there.
        train : bool
            Whether to train, or to evaluate.
        """
        fraction = self.fraction_train if train else self.fraction_evaluate
        least = self.min_train_nodes if train else self.min_evaluate_nodes
        return max(int(connected * fraction), least) if fraction else 0

    def needed(self, asked: int) -> int:
        """Return how many valid updates a round needs.

        Parameters
        ----------
        asked : int
            Nodes of the round.

        Examples
        --------
        >>> NodeOptions().needed(9), NodeOptions(quorum=0.0).needed(9)
        (5, 1)
        """
        return max(1, share_of(asked, self.quorum))


NAMES = frozenset(field.name for field in fields(NodeOptions))


def takes_nodes(constructor: Callable[..., None]) -> Callable[..., None]:
    """Let a rule's constructor take the options of `NodeOptions` by keyword, beside its own.

    They are kept in the attribute `nodes`. An argument of the rule's own of the same name is the
    rule's. The signature stays that of the rule: its options are what a run config, a table or a
    search may vary.

    Parameters
    ----------
    constructor : callable
        `__init__` of a rule.

    Returns
    -------
    callable
        In its place.
    """
    own = inspect.signature(constructor).parameters

    @wraps(constructor)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in NAMES - set(own) if name in kwargs}
        constructor(self, *args, **kwargs)
        if given:
            self.nodes = replace(self.nodes, **given)

    return construct
