"""What the rounds of a run add up to: pure functions of the lines of `rounds.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from signfed.strategies.server.record import DETECTION as DETECTION  # for reports, too

Line = Mapping[str, Any]
# Scores of some runs alone, of which the last one counts.
LAST = ("validation_accuracy", "backdoor_success", "minority_accuracy", "others_accuracy")


def summary_of(rounds: Sequence[Line], n_parameters: int) -> dict[str, Any]:
    """Return what `summary.json` says of the rounds: scores and traffic.

    Parameters
    ----------
    rounds : sequence of mapping
        Lines of `rounds.jsonl`.
    n_parameters : int
        N.

    Returns
    -------
    dict
        Scores that no round has are left out; one that was not finite is None. Those of detection
        are means over the rounds.
    """
    summary: dict[str, Any] = {"rounds": len(rounds)}
    if accuracies := [line["test_accuracy"] for line in rounds if "test_accuracy" in line]:
        summary["final_test_accuracy"] = accuracies[-1]
        summary["best_test_accuracy"] = max((x for x in accuracies if x is not None), default=None)
    if losses := [line["test_loss"] for line in rounds if "test_loss" in line]:
        summary["final_test_loss"] = losses[-1]
    for name in LAST:
        if found := [line[name] for line in rounds if name in line]:
            summary[f"final_{name}"] = found[-1]
    if claims := [x for line in rounds if (x := claimed_accuracy(line)) is not None]:
        summary["final_claimed_accuracy"] = claims[-1]
    if found := [line["server_metrics"] for line in rounds if "server_metrics" in line]:
        summary["final_server_metrics"] = found[-1]
    for name in DETECTION:
        if found := [line[name] for line in rounds if name in line]:
            summary[name] = sum(found) / len(found)
    return summary | {"parameters": n_parameters, **bits_per_parameter(rounds, n_parameters)}


def score(record: Line) -> str:
    """Return an evaluated round in a few words: its accuracy, its loss, or what nodes claim."""
    if "test_accuracy" in record:
        scores = ("test_accuracy", *LAST[1:])  # null: of no test image
        names = [name for name in scores if record.get(name) is not None]
        return ", ".join(f"{name.replace('_', ' ')} {record[name]:.4f}" for name in names)
    if "test_loss" not in record:
        return f"accuracy that nodes claim {claimed_accuracy(record):.4f}"
    loss = record["test_loss"]
    return f"test loss {'not finite' if loss is None else format(loss, '.4g')}"


def claimed_accuracy(line: Line) -> float | None:
    """Return the accuracy that the nodes of a round claim, the median; None where none is claimed.

    Parameters
    ----------
    line : mapping
        Of `rounds.jsonl`.

    Examples
    --------
    >>> claimed_accuracy({"round": 5, "claims": {"evaluate": {"accuracy": 0.75}}})
    0.75
    """
    said = line.get("claims", {}).get("evaluate", {}).get("accuracy")
    return float(said) if isinstance(said, int | float) else None


def bits_per_parameter(rounds: Sequence[Line], n_parameters: int) -> dict[str, float]:
    """Return the bits per worker, round and parameter, each way.

    Over the rounds after the first, or over the first if it is alone. Uplink: of all replies, per
    worker asked. Downlink: of one message, since a device with one worker gets one; here several
    workers may share a node and its message.

    Parameters
    ----------
    rounds : sequence of mapping
        Lines of `rounds.jsonl`.
    n_parameters : int
        N.

    Returns
    -------
    dict
        Empty before the first round, and where no node was asked.
    """
    counted = [line for line in rounds if line["round"] > 1] or rounds
    workers = sum(line["received"] + sum(map(len, line["dropped"].values())) for line in counted)
    messages = sum(line["nodes"] for line in counted)
    if not (workers and messages):
        return {}
    up = sum(line["uplink_bytes"] for line in counted) / workers / n_parameters
    down = sum(line["downlink_bytes"] for line in counted) / messages / n_parameters
    return {
        "uplink_bits_per_parameter": round(8 * up, 4),
        "downlink_bits_per_parameter": round(8 * down, 4),
    }


def diverged_since(rounds: Sequence[Line]) -> int | None:
    """Return the round since which no loss is finite; None where the last one is.

    Parameters
    ----------
    rounds : sequence of mapping
        Lines of `rounds.jsonl`, where a loss that is not finite is None.

    Returns
    -------
    int or None

    Examples
    --------
    >>> losses = [None, 0.5, None, None]
    >>> diverged_since([{"round": t, "test_loss": x} for t, x in enumerate(losses, 1)])
    3
    """
    evaluated = [line for line in reversed(rounds) if "test_loss" in line]
    broken = list(takewhile(lambda line: line["test_loss"] is None, evaluated))
    return broken[-1]["round"] if broken else None
