"""What was found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

SAYS = {True: "[green]holds[/green]", False: "[red]broken[/red]", None: "not for it"}


def print_check(console: Console, found: Mapping[str, Any]) -> None:
    """Print what was found of a rule or an attack.

    Parameters
    ----------
    console : Console
    found : mapping
        As `examine_rule` and `examine_attack` return it.
    """
    table = Table("law", "what it says", "", title=escape(found.get("rule") or found["attack"]))
    for each in found["laws"]:
        other = each["holds"] is False and not each.get("must", True)
        table.add_row(each["law"], each["says"], "no" if other else SAYS[each["holds"]])
    if found["laws"]:
        console.print(table)
    for each in found["laws"]:
        if each["holds"] is False and each.get("problem"):
            rows = f", smallest rows found: {each['rows']}" if "rows" in each else ""
            console.print(f"[bold]{each['law']}[/bold]{rows}")
            console.print(f"  {each['problem']}", highlight=False, markup=False)
    if "breakdown" in found:
        console.print(breakdown_line(found["breakdown"]), highlight=False, markup=False)
    if "milliseconds" in found:
        times = found["milliseconds"]
        beside = ", ".join(f"{name} {t:.2f}" for name, t in times.items() if name != found["rule"])
        own = f"one call at 15 x 100,000: {times[found['rule']]:.2f} ms"
        console.print(f"{own} (beside it: {beside})", highlight=False, markup=False)
    if "cosine" in found:
        _table(console, "cosine with the true gradient, by attackers of 15", found["cosine"])
    if "accuracy" in found:
        short = "" if found.get("complete", True) else " (ran out of time: --seconds)"
        _table(console, found["table"] + short, found["accuracy"])


def _table(console: Console, title: str, by_rule: Mapping[str, Mapping[Any, float]]) -> None:
    """One column a rule."""
    rules = list(by_rule)
    table = Table("", *map(escape, rules), title=title)
    for row in dict.fromkeys(row for column in by_rule.values() for row in column):
        values = (by_rule[rule].get(row) for rule in rules)
        table.add_row(str(row), *("" if v is None else f"{v:.3f}" for v in values))
    console.print(table)


def breakdown_line(found: Mapping[str, Any]) -> str:
    """Return what a search found, in a sentence.

    Parameters
    ----------
    found : mapping
        As `breakdown_json` returns it.

    Examples
    --------
    >>> worst = {"attack": "lie", "options": {"lie.z": 1.5}, "cosine": -0.2}
    >>> breakdown_line({"taken_at": 5, "workers": 15, "complete": True, "worst": {"5": worst}})
    'taken by 5 of 15: lie lie.z=1.5'
    """
    n, taken = found["workers"], found["taken_at"]
    short = "" if found["complete"] else " (the search ran out of time: --seconds)"
    if taken:
        worst = found["worst"][str(taken)]
        options = "".join(f" {key}={value}" for key, value in worst["options"].items())
        at_most = "" if found["complete"] else "at most "
        return f"taken by {at_most}{taken} of {n}: {worst['attack']}{options}{short}"
    if not found["worst"]:
        return f"no number of colluders was searched to its end{short}"
    most, worst = list(found["worst"].items())[-1]
    return (
        f"not taken by {most} of {n}: the worst is {worst['attack']}, cosine with the true "
        f"gradient {worst['cosine']:.2f}, {found['without_attack']:.2f} without{short}"
    )
