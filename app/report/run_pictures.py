"""What a run's report shows: accuracy, workers, traffic, what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from textwrap import fill

from signfed.app.report.document import Part, Picture, Table, Text
from signfed.app.report.lines import Lines
from signfed.app.report.reading import Run
from signfed.app.report.rows import NAMES, label, number
from signfed.app.report.style import COLOURS, INK, figure_of, in_per_cent, legend, stacked
from signfed.app.report.workers import draw_raster, draw_standing, workers_table
from signfed.app.runs.summary import DETECTION
from signfed.app.runs.verdicts import ACCEPTED, NO_VERDICT, REJECTED, standings, verdicts

KINDS = {"Byzantine": "bad"}
LETTERS = 56  # of a title on one line
LEAST = 1.8  # inches of a raster with its legend, however few the workers
EVENTS = ("skipped", "fallback", "broken_assumption")


def accuracy(run: Run, title: str) -> list[Part]:
    """Return the picture of the whole run, and its loss.

    Parameters
    ----------
    run : Run
        What its folder holds.
    title : str
        Of the picture.

    Returns
    -------
    list of Picture or Text
    """
    parts: list[Part] = []
    measured = [y for y in ("test_accuracy", "claimed_accuracy", "backdoor_success") if run.has(y)]
    named = {state for line in run.rounds for state in verdicts(line, run.workers).values()}
    judged = bool(named & {ACCEPTED, REJECTED})
    if measured or judged:
        parts.append(_overview(run, measured, title, judged=judged))
    if run.has("test_loss"):
        figure = Lines("round", "test_loss", "", "test loss").draw(run.rounds)
        parts.append(Picture("loss", figure, "Loss on the test data over the rounds."))
    return parts or [Text("No round was evaluated yet.")]


def _overview(run: Run, measured: Sequence[str], title: str, *, judged: bool) -> Picture:
    """Accuracy above, below it what became of each worker: the whole run at one glance."""
    heights = [2.3] * bool(measured) + [max(LEAST, 0.9 + 0.1 * min(len(run.workers), 60))] * judged
    figure, panels = stacked(heights)
    panels[0].set_title(fill(title, LETTERS), loc="left")
    if measured:
        for y, colour in zip(measured, COLOURS, strict=False):
            rows = [line for line in run.rounds if y in line]
            points = [line["round"] for line in rows], [number(line[y]) for line in rows]
            panels[0].plot(*points, color=colour, marker="o", markersize=3, label=label(y))
            panels[0].annotate(
                f"{100 * points[1][-1]:.1f}", (points[0][-1], points[1][-1]), (0, -6),
                textcoords="offset points", ha="right", va="top", color=INK, fontsize=10,
            )  # fmt: skip
        panels[0].set(ylabel=label(measured[0]), ylim=(0, 1.03))
        in_per_cent(panels[0].yaxis)
        if len(measured) > 1:
            legend(figure, panels[:1])
    if judged:
        draw_raster(panels[-1], run.rounds, run.workers, run.byzantine)
        if measured:
            panels[0].set_xlim(panels[-1].get_xlim())
    panels[-1].set_xlabel("round")
    says = "Test accuracy over the rounds" if measured else "The rounds"
    if "claimed_accuracy" in measured:
        says = "Accuracy on their own data that nodes claim, the median, which nobody checks"
    if judged:
        says += "; below, whom the rule accepted and rejected in each round, one row a worker"
        says += ", Byzantine workers on top" if run.byzantine else ""
    return Picture("overview", figure, f"{says}.")


def workers(run: Run) -> list[Part]:
    """Return the rule's errors, its numbers of each worker, and a table of the workers.

    Parameters
    ----------
    run : Run
        What its folder holds.

    Returns
    -------
    list of Picture or Table
    """
    parts: list[Part] = []
    rates = [name for name in DETECTION if run.has(name)]
    if rates:
        rows = [
            {"round": line["round"], "rate": line[name], "error": NAMES[name]}
            for name in rates for line in run.rounds if name in line
        ]  # fmt: skip
        figure = Lines("round", "rate", "error", "errors of the rule").draw(rows)
        says = (
            "False negative rate (Byzantine workers accepted), false positive rate (honest workers "
            "rejected), and the share of coordinates with the wrong sign."
        )
        parts.append(Picture("errors", figure, says))
    names = dict.fromkeys(name for line in run.rounds for name in standings(line))
    if name := "crossover" if "crossover" in names else next(iter(names), ""):
        figure, (axes,) = figure_of()
        draw_standing(axes, run.rounds, name, run.workers, run.byzantine)
        axes.set_title(f"{label(name)} of each worker", loc="left")
        legend(figure, [axes])
        parts.append(Picture(f"worker-{name}", figure, _meaning(name)))
    if run.rounds:
        table = workers_table(run.rounds, run.workers, run.byzantine)
        if set(table.heads[2:]) - {NO_VERDICT}:  # a rule may say nothing of any worker
            parts.append(Table(table.heads, table.lines, table.says, KINDS))
    return parts


def _meaning(name: str) -> str:
    if name == "crossover":
        return "Estimated probability that a bit of the worker is wrong, round by round."
    return f"The rule's {label(name)} of each worker, round by round."


def traffic(run: Run) -> list[Part]:
    """Return what the model is worth after so many bytes.

    Parameters
    ----------
    run : Run
        What its folder holds.

    Returns
    -------
    list of Picture
    """
    if not run.rounds:
        return []
    y = "test_accuracy" if run.has("test_accuracy") else "test_loss"
    parts: list[Part] = []
    if run.has(y):
        rows = [
            {"sent": line[column], "round": line["round"], y: line[y], "direction": name}
            for column, name in (
                ("megabytes", "both directions"), ("uplink_megabytes", "to the server"),
                ("downlink_megabytes", "to the nodes"),
            )
            for line in run.rounds if y in line
        ]  # fmt: skip
        title = f"{y.replace('_', ' ')} by bytes sent"
        figure = Lines("sent", y, "direction", title).draw(rows)
        says = (
            "What the model is worth after so many bytes, all workers together, 1 MB = 10^6 bytes."
        )
        parts.append(Picture("traffic", figure, says))
    return parts


def events(run: Run) -> list[Part]:
    """Return what was dropped, skipped, broken, and when.

    Parameters
    ----------
    run : Run
        What its folder holds.

    Returns
    -------
    list of Picture, Table or Text
    """
    dropped: Counter[str] = Counter()
    rounds_of: Counter[str] = Counter()
    for line in run.rounds:
        for reason, ids in line["dropped"].items():
            dropped[reason] += len(ids)
            rounds_of[reason] += 1
    lines = [
        [f"dropped: {reason}", str(rounds_of[reason]), f"{n} rows of workers"]
        for reason, n in dropped.most_common()
    ]
    for name in EVENTS:
        if having := [line for line in run.rounds if name in line]:
            last = f"at last in round {having[-1]['round']}: {having[-1][name]}"
            lines.append([name.replace("_", " "), str(len(having)), last])
    for name in ("healed", "late"):
        if counts := [line[name] for line in run.rounds if line.get(name)]:
            lines.append([name, str(len(counts)), f"{sum(counts)} nodes"])
    if "diverged_round" in run.summary:
        lines.append(["diverged", "", f"not finite since round {run.summary['diverged_round']}"])
    if not lines:
        return [Text("Nothing: no reply was dropped, no round skipped, no assumption broken.")]
    parts: list[Part] = [
        Table(["what", "rounds", "which"], lines, "what happened, in how many rounds")
    ]
    if len(dropped):
        rows = [
            {"round": line["round"], "dropped": len(line["dropped"].get(why, ())), "reason": why}
            for why in dropped for line in run.rounds
        ]  # fmt: skip
        figure = Lines("round", "dropped", "reason", "dropped rows").draw(rows)
        figure.axes[0].set_ylim(bottom=0)
        says = "Rows of workers dropped in each round, by reason."
        parts.append(Picture("dropped", figure, says))
    return parts
