"""From matches to the two tables: how rules and attacks are ranked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Rows = list[dict[str, Any]]
NO_ATTACK = "none"
LOST = 0.0  # accuracy of a rule that lost its match


def scored(matches: Sequence[Mapping[str, Any]]) -> Rows:
    """Return matches with what they count.

    `counts`: the accuracy; 0 where the rule lost the match; where the attack lost it, what the rule
    has without an attack. `harm`: how far `counts` is below what the rule has without an attack;
    None where it has nothing without one, and for "none" itself.

    Parameters
    ----------
    matches : sequence of mapping
        As `play` returns them.

    Examples
    --------
    >>> free = {"rule": "r", "attack": "none", "f": 3, "accuracy": 0.75, "lost_by": None}
    >>> worse = free | {"attack": "a", "accuracy": 0.5}
    >>> broken = free | {"attack": "b", "accuracy": None, "lost_by": "attack"}
    >>> [(row["counts"], row["harm"]) for row in scored([free, worse, broken])]
    [(0.75, None), (0.5, 0.25), (0.75, 0.0)]
    """
    without = {(m["rule"], m["f"]): m["accuracy"] for m in matches if m["attack"] == NO_ATTACK}
    found: Rows = []
    for match in matches:
        free = without.get((match["rule"], match["f"]))
        counts = {"rule": LOST, "attack": free}.get(match["lost_by"], match["accuracy"])
        counts = LOST if counts is None else counts
        compared = None if match["attack"] == NO_ATTACK else free
        harm = None if compared is None else compared - counts
        found.append({**match, "counts": counts, "harm": harm})
    return found


def rules(rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Rank rules by their worst match, then by their mean over all.

    Parameters
    ----------
    rows : sequence of mapping
        As `scored` returns them.

    Returns
    -------
    list of dict
        `place`, `rule`, `worst`, `under` and `f` of the worst match, `mean`, `without` (mean over
        f, without an attack), `lost`.
    """
    table = []
    for rule, own in _by("rule", rows):
        worst = min(own, key=lambda row: row["counts"])
        free = [row["counts"] for row in own if row["attack"] == NO_ATTACK]
        table.append({
            "rule": rule, "worst": worst["counts"], "under": worst["attack"], "f": worst["f"],
            "mean": _mean(row["counts"] for row in own), "without": _mean(free),
            "lost": sum(row["lost_by"] == "rule" for row in own),
        })  # fmt: skip
    return _placed(table, lambda row: (row["worst"], row["mean"]))


def attacks(rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Rank attacks by their mean harm, then by their harm to the rule that stands firmest.

    Parameters
    ----------
    rows : sequence of mapping
        As `scored` returns them.

    Returns
    -------
    list of dict
        `place`, `attack`, `mean` (of the harm), `least` (the rule and f that it harms least),
        `most`, `against` and `f` (where it harms most), `lost`.
    """
    table = []
    for attack, own in _by("attack", rows):
        judged = [row for row in own if row["harm"] is not None]
        if not judged:
            continue
        most = max(judged, key=lambda row: row["harm"])
        table.append({
            "attack": attack, "mean": _mean(row["harm"] for row in judged),
            "least": min(row["harm"] for row in judged), "most": most["harm"],
            "against": most["rule"], "f": most["f"],
            "lost": sum(row["lost_by"] == "attack" for row in own),
        })  # fmt: skip
    return _placed(table, lambda row: (row["mean"], row["least"]))


def _by(kind: str, rows: Sequence[Mapping[str, Any]]) -> Iterable[tuple[str, Rows]]:
    names = dict.fromkeys(row[kind] for row in rows)
    return ((name, [dict(row) for row in rows if row[kind] == name]) for name in names)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _placed(table: Rows, score: Callable[[Mapping[str, Any]], tuple[float, ...]]) -> Rows:
    """The best first; equals share a place."""
    ranked = sorted(table, key=score, reverse=True)
    better = [sum(score(other) > score(row) for other in ranked) for row in ranked]
    return [{"place": 1 + above, **row} for above, row in zip(better, ranked, strict=True)]
