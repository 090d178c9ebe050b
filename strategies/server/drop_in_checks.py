"""What of a rule, its options and a model can be found wrong before a run in another's app."""

from __future__ import annotations

from fnmatch import fnmatchcase

from flwr.app import ArrayRecord

from signfed.strategies.core.pre_aggregation import PreAggregation
from signfed.strategies.core.rule import Rule, State
from signfed.strategies.server.nodes import NodeOptions
from signfed.strategies.server.transport.layout import Layout

# What a rule may ask its clients for; a node of another's app sends the plain signs instead.
ENCODERS_OF_SIGNS = ("sign", "sto-sign", "noisy-sign")
STEP_OF_SIGNS = 0.001  # server_learning_rate where none is given


def channel(rule: Rule, options: NodeOptions) -> tuple[bool, float]:
    """Return whether the rule sees signs, and the server's learning rate.

    Parameters
    ----------
    rule : Rule
    options : NodeOptions

    Raises
    ------
    ValueError
        For a rule that cannot serve another's app, and for options that do not go together.
    """
    if any(getattr(inner, "nodes", NodeOptions()) != NodeOptions() for inner in _behind(rule)):
        raise ValueError(
            f"{rule.title()}: expected the options of nodes on the outermost rule, the one "
            "that is started; got some on the rule behind it"
        )
    if rule.needs_reference:
        raise ValueError(
            f"{rule.title()} needs the server's own gradient, which another's app does "
            "not give; expected another rule, or signfed's own app"
        )
    if _instructs(rule, options.min_available_nodes):
        raise ValueError(
            f"{rule.title()} needs clients that follow its instructions, which another's ClientApp "
            "does not; expected another rule, or signfed's own app"
        )
    encoder = rule.encoder if options.encoder == "auto" else options.encoder
    signs = encoder in ENCODERS_OF_SIGNS
    if not signs and encoder != "float32":
        raise ValueError(
            f"{rule.title()} asks nodes for encoder={encoder!r}, which another's ClientApp does "
            "not have; expected another rule, signfed's own app, or the argument encoder='sign', "
            "the plain signs"
        )
    if signs and options.trust_num_examples:
        raise ValueError(
            "trust_num_examples: a row of signs cannot be scaled; expected False, or a rule on "
            "floats"
        )
    return signs, options.server_learning_rate or (STEP_OF_SIGNS if signs else 1.0)


def unguarded(rule: Rule) -> str:
    """Say which rules, of one on floats and those behind it, assume no Byzantine node.

    Their constructors' default is 0, with which most of them are a plain mean.

    Parameters
    ----------
    rule : Rule

    Returns
    -------
    str
        What that means and how to mend it; empty where there is none.
    """
    rules = [rule, *_behind(rule)]
    unset = [
        type(each).__name__ for each in rules
        if (isinstance(each, PreAggregation) or type(each).encoder == "float32")
        and vars(each).get("n_byzantine") == 0
    ]  # fmt: skip
    if not unset:
        return ""
    return (
        f"{', '.join(unset)}: n_byzantine=0 counts on honest nodes alone, and one Byzantine node "
        "may then decide the model; expected the most of a round's nodes that may be Byzantine: "
        f"{unset[0]}(n_byzantine=1), say"
    )


def is_of(state: State, layout: Layout) -> bool:
    """Tell whether a run with this state has this model.

    Parameters
    ----------
    state : dict of Tensor
        Of `DropIn.state_dict`, with that of its training.
    layout : Layout
    """
    beside = {f"beside.{form.name}": form.shape for form in layout.beside}
    held = {name: tuple(t.shape) for name, t in state.items() if name.startswith("beside.")}
    return held == beside and len(state["parameters"]) == layout.n_coordinates


def _behind(rule: Rule) -> list[Rule]:
    inner = [held for held in vars(rule).values() if isinstance(held, Rule)]
    return inner + [each for held in inner for each in _behind(held)]


def _instructs(rule: Rule, num_workers: int) -> bool:
    """Whether the rule has something to tell its clients, if only for another number of them."""
    try:
        return bool(rule.instructions(num_workers))
    except ValueError:
        return True


def layout_of(arrays: ArrayRecord, options: NodeOptions, signs: bool) -> Layout:
    """Return which of the model's arrays the rule sees. Raises ValueError as `Layout` does.

    Parameters
    ----------
    arrays : ArrayRecord
        The model.
    options : NodeOptions
    signs : bool
        Whether the rule sees signs, which some arrays do not have.
    """
    patterns = [pattern.strip() for pattern in options.as_values.split(",")]
    return Layout(
        arrays, [n for n in arrays if signs and any(fnmatchcase(n, each) for each in patterns)]
    )
