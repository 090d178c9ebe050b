"""Each worker over the rounds: accepted, rejected or dropped, and the rule's numbers of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from signfed.app.report.document import Table
from signfed.app.report.rows import label
from signfed.app.report.style import BLUE, INK, VERMILLION
from signfed.app.runs.verdicts import ACCEPTED, DROPPED, NO_VERDICT, REJECTED, standings, verdicts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Lines = Sequence[Mapping[str, Any]]
# Light and dark as well as blue and red: the order of light is enough to tell them apart.
SHADES = {ACCEPTED: "#cfe3f2", REJECTED: VERMILLION, DROPPED: "#6b6f76", NO_VERDICT: "#efe3b0"}
STATES = tuple(SHADES)
NOT_ASKED = len(STATES)
LONGEST = 6  # characters of a name beside the raster
MOST_NAMES, MOST_ROUNDS = 20, 1200


def in_order(workers: Collection[int], byzantine: Collection[int]) -> list[int]:
    """Return the workers, Byzantine ones first.

    >>> in_order(range(4), {2})
    [2, 0, 1, 3]

    Parameters
    ----------
    workers, byzantine : collection of int
        All, and those among them.
    """
    return sorted(workers, key=lambda worker: (worker not in byzantine, worker))


def short(worker: int) -> str:
    """Return a worker's name; of a node id of twenty digits the last four.

    >>> short(14), short(12345678901234567890)
    ('14', '…7890')

    Parameters
    ----------
    worker : int
    """
    name = str(worker)
    return name if len(name) <= LONGEST else f"…{name[-4:]}"


def raster(rounds: Lines, workers: Sequence[int]) -> np.ndarray:
    """Return the state of each worker in each round, as an index into `STATES`.

    Parameters
    ----------
    rounds : sequence of mapping
        Lines of `rounds.jsonl`.
    workers : sequence of int
        In the order of the rows.

    Returns
    -------
    ndarray, uint8 [M, T]
        `NOT_ASKED` where the round did not ask the worker.
    """
    states = np.full((len(workers), len(rounds)), NOT_ASKED, dtype=np.uint8)
    rows = {worker: row for row, worker in enumerate(workers)}
    for column, line in enumerate(rounds):
        for worker, state in verdicts(line, workers).items():
            if worker in rows:
                states[rows[worker], column] = STATES.index(state)
    return states


def draw_raster(
    axes: Axes, rounds: Lines, workers: Sequence[int], byzantine: Collection[int]
) -> None:
    """Draw the raster: a row a worker, Byzantine ones on top and named, a column a round.

    Parameters
    ----------
    axes : Axes
        Where.
    rounds : sequence of mapping
        Lines of `rounds.jsonl`; of many, evenly chosen ones.
    workers, byzantine : sequence, collection of int
        All, and those among them that are Byzantine.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    step = -(-len(rounds) // MOST_ROUNDS)
    order = in_order(workers, byzantine)
    states = raster(rounds[::step], order)
    axes.grid(False)
    first, last = rounds[0]["round"], rounds[-1]["round"]
    axes.imshow(
        states, cmap=ListedColormap([*SHADES.values(), "#ffffff00"]), vmin=-0.5,
        vmax=len(STATES) + 0.5, aspect="auto", interpolation="none",
        extent=(first - 0.5, last + 0.5, len(order) - 0.5, -0.5),
    )  # fmt: skip
    n_byzantine = sum(worker in byzantine for worker in order)
    if 0 < n_byzantine < len(order):
        axes.axhline(n_byzantine - 0.5, color=INK, linewidth=1.2)
    for name, top, height in (
        ("Byzantine", 0, n_byzantine), ("honest", n_byzantine, len(order) - n_byzantine),
    ):  # fmt: skip
        if height and n_byzantine:
            axes.text(
                1.012, 1 - (top + height / 2) / len(order), name, transform=axes.transAxes,
                rotation=270, va="center", ha="left", fontsize=9, color=INK,
            )  # fmt: skip
    every = -(-len(order) // MOST_NAMES)
    axes.set_yticks(range(0, len(order), every), [short(w) for w in order[::every]])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set(ylabel="worker")
    found = [state for i, state in enumerate(STATES) if (states == i).any()]
    for_legend = [Patch(facecolor=SHADES[state], edgecolor="#888888", lw=0.5) for state in found]
    axes.legend(
        for_legend, found, loc="lower right", bbox_to_anchor=(1, 1.0), ncols=len(found),
        frameon=False, fontsize=9, labelcolor=INK, borderaxespad=0.2, handlelength=1.2,
        columnspacing=1.2,
    )  # fmt: skip


def draw_standing(
    axes: Axes, rounds: Lines, name: str, workers: Sequence[int], byzantine: Collection[int]
) -> None:
    """Draw one of the rule's numbers of each worker over the rounds.

    Parameters
    ----------
    axes : Axes
        Where.
    rounds : sequence of mapping
        Lines of `rounds.jsonl`.
    name : str
        Of the number: "crossover".
    workers, byzantine : sequence, collection of int
        All, and those among them that are Byzantine.
    """
    step = -(-len(rounds) // 150)
    lines = [(line["round"], standings(line).get(name, {})) for line in rounds[::step]]
    named: set[str] = set()
    for worker in workers:
        points = [(t, values[worker]) for t, values in lines if worker in values]
        if not points:
            continue
        bad = worker in byzantine
        kind = "Byzantine" if bad else "honest" if byzantine else "worker"
        axes.plot(
            *zip(*points, strict=True), color=VERMILLION if bad else BLUE, linewidth=1.0,
            linestyle="--" if bad else "-", alpha=0.8,
            label="_" if kind in named else kind,
        )  # fmt: skip
        named.add(kind)
    axes.set(xlabel="round", ylabel=label(name))


def workers_table(rounds: Lines, workers: Sequence[int], byzantine: Collection[int]) -> Table:
    """Return how often each worker was accepted, rejected and dropped, and its last numbers.

    Parameters
    ----------
    rounds : sequence of mapping
        Lines of `rounds.jsonl`.
    workers, byzantine : sequence, collection of int
        All, and those among them that are Byzantine.

    Returns
    -------
    Table
    """
    counts: dict[int, Counter[str]] = {worker: Counter() for worker in workers}
    last: dict[str, dict[int, float]] = {}
    for line in rounds:
        for worker, state in verdicts(line, workers).items():
            counts.setdefault(worker, Counter())[state] += 1
        for name, values in standings(line).items():
            last.setdefault(name, {}).update(values)
    states = [state for state in STATES if any(count[state] for count in counts.values())]
    names = list(last)[:3]
    heads = ["worker", "truth", *states, *(f"last {label(name)}" for name in names)]
    lines = []
    for worker in in_order(counts, byzantine):
        truth = "Byzantine" if worker in byzantine else "honest" if byzantine else "-"
        numbers = (last[name].get(worker) for name in names)
        lines.append(
            [str(worker), truth, *(str(counts[worker][state]) for state in states),
             *("-" if x is None else f"{x:.4g}" for x in numbers)]
        )  # fmt: skip
    return Table(heads, lines, "rounds in which each worker was accepted, rejected or dropped")
