"""What a rule remembers from round to round, as tensors by name."""

from __future__ import annotations

from torch import Tensor

from signfed.strategies.core.rule import Rule, State


def state_of(rule: Rule) -> State:
    """Return the rule's state, known to be one.

    Parameters
    ----------
    rule : Rule
        Which rule.

    Raises
    ------
    ValueError
        When `state_dict` returns anything but tensors by name.
    """
    state = rule.state_dict()
    expected = f"{rule.title()}.state_dict: expected a dictionary of tensors by name"
    if not isinstance(state, dict):
        raise ValueError(f"{expected}; got {type(state).__name__}; return {{}} for no state")
    for name, value in state.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise ValueError(f"{expected}; got {type(value).__name__} under {name!r}")
    return state


def as_at_first(rule: Rule) -> None:
    """Give a rule the state that it had when this was called first: each run begins alike.

    Parameters
    ----------
    rule : Rule
        Which rule.

    Raises
    ------
    ValueError
        When `state_dict` returns anything but tensors by name.
    """
    now, first = state_of(rule), vars(rule).get("_first_state")
    if first is None:
        vars(rule)["_first_state"] = {name: tensor.clone() for name, tensor in now.items()}
    elif now or first:
        rule.load_state_dict({name: tensor.clone() for name, tensor in first.items()})
