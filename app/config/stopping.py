"""The key `stop-when`: when a run ends before its last round."""

from __future__ import annotations

from dataclasses import dataclass

FORM = "expected 'accuracy>=0.9', 'stale=5', or both with a comma between"


@dataclass(frozen=True)
class StopWhen:
    """What ends a run early.

    Attributes
    ----------
    accuracy : float or None
        Test accuracy that is enough, in (0, 1].
    stale : int or None
        Evaluations in a row in which neither accuracy nor loss was better than ever before.
    """

    accuracy: float | None = None
    stale: int | None = None


def stop_when(text: str) -> StopWhen:
    """Read `stop-when`.

    Parameters
    ----------
    text : str
        "accuracy>=0.9", "stale=5", or both with a comma between; empty for never.

    Returns
    -------
    StopWhen

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> stop_when("accuracy>=0.9, stale=5")
    StopWhen(accuracy=0.9, stale=5)
    """
    accuracy = stale = None
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, sign, number = part.partition(">=" if ">" in part else "=")
        try:
            if (name.strip(), sign, accuracy) == ("accuracy", ">=", None):
                accuracy = float(number)
            elif (name.strip(), sign, stale) == ("stale", "=", None):
                stale = int(number)
            else:
                raise ValueError
        except ValueError:
            raise ValueError(f"{FORM}; got {text!r}") from None
    if accuracy is not None and not 0 < accuracy <= 1:
        raise ValueError(f"expected an accuracy above 0 and of at most 1; got {accuracy!r}")
    if stale is not None and stale < 1:
        raise ValueError(f"expected at least 1 stale evaluation; got {stale}")
    return StopWhen(accuracy, stale)
