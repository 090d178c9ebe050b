"""How a rule is run on digits where nothing else is asked for."""

from __future__ import annotations

from typing import Any

from signfed.clients import ENCODERS
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.server.strategy import RobustStrategy

SAMPLES = 20  # of the server's own


def votes(rule: RobustStrategy | type[RobustStrategy]) -> bool:
    """Tell whether a rule's direction is a sign vector, as its clients' rows are.

    Parameters
    ----------
    rule : RobustStrategy
        An object, or a class.
    """
    codec = ENCODERS[rule.encoder]().codec
    return isinstance(codec, SignCodec) and codec.magnitude == 1


def usual_keys(rule: RobustStrategy | type[RobustStrategy]) -> dict[str, Any]:
    """Return the learning rate of a rule's kind, and what the rule is refused without.

    Parameters
    ----------
    rule : RobustStrategy
        An object, or a class.

    Examples
    --------
    >>> from signfed.strategies.registry import STRATEGIES
    >>> usual_keys(STRATEGIES["sign-mv"]), usual_keys(STRATEGIES["fltrust"])
    ({'lr': 0.001}, {'lr': 0.1, 'server-samples': 20})
    """
    keys: dict[str, Any] = {"lr": 0.001 if votes(rule) else 0.1}
    return keys | ({"server-samples": SAMPLES} if rule.needs_reference else {})
