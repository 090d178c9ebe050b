"""The report of several runs: sweeps, folders of runs, reproductions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from signfed.app.report.claims import KINDS, claims_parts
from signfed.app.report.document import Part, Picture, Report, Section, Table, Text
from signfed.app.report.folded import folded
from signfed.app.report.heatmap import Heatmap, means, reach, worst_values
from signfed.app.report.lines import Lines
from signfed.app.report.rows import SHARES, Rows, ended, grouped, label, sentence, shown, values_of
from signfed.app.report.sources import Sources, rows_of
from signfed.app.report.style import same_height
from signfed.app.report.worth import score, worst_is
from signfed.app.runs.folder import DIVERGED, ENDED, FINISHED
from signfed.app.runs.summary import DETECTION
from signfed.app.runs.sweeps import Row

MOST_PANELS, MOST_PICTURES = 8, 12
FAR = 20.0  # last over first amount sent, from which on the axis is logarithmic
# What sets a run's data apart: how unlike the workers' are.
HETEROGENEITY = (
    "partition", "dirichlet.alpha", "gamma-similarity.gamma", "sorted.even-share", "labels.held",
)  # fmt: skip
OVER = {
    "round": "over the rounds",
    "megabytes": "over the bytes sent in both directions, 1 MB = 10^6 bytes",
}
TABLED = (
    "status", "final_test_accuracy", "best_test_accuracy", "final_test_loss",
    "final_claimed_accuracy", "final_validation_accuracy", "final_backdoor_success",
    "final_minority_accuracy", "final_others_accuracy", *DETECTION, "seconds", "error",
)  # fmt: skip


def report_of(sources: Sources, title: str) -> Report:
    """Return the report of all that was found.

    Parameters
    ----------
    sources : Sources
        Runs, sweeps, reproductions.
    title : str
        Of the page.

    Returns
    -------
    Report
    """
    cells, of_rounds, differing = rows_of(sources)
    rows, rounds, keys = folded(cells, of_rounds, differing)
    sections = [Section(f"Claims: {place.name}", claims_parts(place)) for place in sources.claims]
    status = Counter(str(row.get("status")) for row in rows)
    if rows:
        heats = [*_heatmaps(rows, keys), *_worst(rows, keys)]
        sections += [
            Section("Curves", _curves(rounds, rows, keys)),
            Section("Heatmaps", [*heats, *(_left_out(status) if heats else ())]),
            Section("Cells", [_table(rows, keys)]),
        ]
    differs = ", ".join(f"{label(key)} ({len(values_of(rows, key))})" for key in keys)
    says = f"{len(rows)} runs; what differs: {differs or 'the seed'}." if rows else ""
    seeds = values_of(rows, "seed")
    if seeds:
        says += f" Seeds: {', '.join(map(shown, seeds))}."
    headline = [(name, str(count)) for name, count in status.most_common()]
    if rows and (y := _score(rows)):
        headline += _extremes(rows, y, keys)
    return Report(
        title=title,
        says=says,
        headline=headline,
        sections=[section for section in sections if section.parts],
        data={"cells": cells} if cells else {},
    )


def _score(rows: Rows) -> str:
    names = ("final_test_accuracy", "final_test_loss")
    finished = [row for row in rows if row.get("status") == FINISHED]
    return next((y for y in names if any(row.get(y) is not None for row in finished)), "")


def _extremes(rows: Rows, y: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """The highest and the lowest score; a model that is not finite is worse than any other."""
    worst = math.inf if "loss" in y else -math.inf

    def worth(row: Mapping[str, object]) -> float:
        value = score(row, y)
        return worst if math.isnan(value) else value

    having = [row for row in ended(rows) if row["status"] == DIVERGED or row.get(y) is not None]
    said = []
    for name, row in (("highest", max(having, key=worth)), ("lowest", min(having, key=worth))):
        of = ", ".join(shown(row.get(key)) for key in keys)
        said.append((f"{name} {y.replace('_', ' ')}", f"{_number(y, score(row, y))} ({of})"))
    return said


def _left_out(status: Mapping[str, int]) -> list[Part]:
    """What of all runs is not in the means above."""
    says = []
    if left := [f"{count} {name}" for name, count in status.items() if name not in ENDED]:
        says.append(f"Only runs that ended count; left out: {', '.join(left)}.")
    if count := status.get(DIVERGED):
        says.append(f"n. f., not finite: {count} diverged.")
    return [Text(" ".join(says))] if says else []


def _number(column: str, value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "n. f."  # not finite, as in the heatmaps
        return f"{100 * value:.1f} %" if column in SHARES else f"{value:.4g}"
    return shown(value)


def _curves(rounds: Rows, rows: Rows, keys: Sequence[str]) -> list[Part]:
    """A picture for each combination of all keys but the first: a phone shows one at a time."""
    y = next((y for y in ("test_accuracy", "test_loss") if any(y in line for line in rounds)), "")
    if not y:
        return [Text("No round was evaluated yet.")]
    by, *others = keys or [""]
    lines = [line for line in rounds if y in line]
    drawn = grouped(lines, others)
    combinations = [at for at in grouped(rows, others) if at in drawn]
    parts: list[Part] = []
    for x in OVER:
        pictures = []
        for number, values in enumerate(combinations[:MOST_PICTURES], 1):
            where = dict(zip(others, values, strict=True))
            of = ", ".join(f"{label(key)}: {shown(value)}" for key, value in where.items())
            spread = x == "megabytes" and _reach(lines, x) > FAR
            figure = Lines(x, y, by, of, where=where, log_x=spread).draw(lines)
            says = f"{label(y)} {OVER[x]}" + (f"; {of}" if of else "")
            pictures.append(Picture(f"{y}-{x}-{number}", figure, sentence(says)))
        same_height([picture.figure for picture in pictures])
        parts += pictures
    if (left := len(combinations) - MOST_PICTURES) > 0:
        parts.append(Text(f"{left} more combinations are left out; cells.csv has all."))
    return parts


def _reach(lines: Rows, x: str) -> float:
    values = [line[x] for line in lines]
    return max(values) / max(min(values), 1e-9)


def _heatmaps(rows: Rows, keys: Sequence[str]) -> list[Part]:
    y = _score(rows)
    if not y or len(keys) < 2:
        return []
    wanted = [(keys[0], keys[1], keys[2] if len(keys) > 2 else "", "")]
    others = [key for key in keys if key != "attack"]
    over = "attack" if "attack" in keys else ""
    if over and len(others) > 1:
        wanted.append((others[0], others[1], "", over))
    for mixed in HETEROGENEITY:
        pair = (mixed, "num-byzantine")
        rest = [key for key in others if key not in pair]
        if rest and len(others) == len(rest) + len(pair) and (over or rest[0] == others[0]):
            wanted.append((*pair, rest[0], over))
    pictures: list[Part] = []
    for number, (lines, columns, split, worst) in enumerate(wanted, 1):
        parts = [{split: value} for value in values_of(rows, split)] if split else [{}]
        named = Heatmap(lines, columns, y, "worst case" if worst else "", worst=worst)
        all_heats = [replace(named, where=part) for part in parts[:MOST_PANELS]]
        heats = [heat for heat in all_heats if heat.table(rows)]
        limits = reach(value for heat in heats for value in heat.table(rows).values())
        says = f"{label(y)} by {label(lines)} and {label(columns)}"
        says += f", the {worst_is(y)} over {label(worst)}" if worst else ""
        left = [label(k) for k in keys if k not in (lines, columns, split, worst)]
        says += f"; mean over {', '.join(left)}" if left else ""
        for letter, heat in zip("abcdefgh", heats, strict=False):
            of = "".join(f"{label(k)}: {shown(v)}" for k, v in heat.where.items())
            title = ", ".join(filter(None, (heat.title, of)))
            figure = replace(heat, title=title, limits=limits).draw(rows)
            name = f"heatmap-{number}{letter if split else ''}"
            pictures.append(Picture(name, figure, sentence(f"{says}; {of}" if of else says)))
        if (cut := len(parts) - MOST_PANELS) > 0:
            values = f"{cut} more values of {label(split)}"
            pictures.append(Text(f"{values} are left out; cells.csv has all."))
    return pictures


def _worst(rows: Rows, keys: Sequence[str]) -> list[Part]:
    """Each rule under the attack that harms it most; means over the seeds."""
    y = "final_test_accuracy"
    others = [key for key in keys if key != "attack"]
    if "attack" not in keys or not others or not any(y in row for row in ended(rows)):
        return []
    found = worst_values(means(rows, (*others, "attack"), y), y)
    lines = [
        [*map(shown, at), _number(y, value), shown(attack)] for at, (value, attack) in found.items()
    ]
    heads = [*map(label, others), "lowest accuracy", "under"]
    return [Table(heads, lines, "the attack that harms most, by the mean over the seeds")]


def _table(rows: Sequence[Row], keys: Sequence[str]) -> Table:
    naming = [*keys, *(k for k in ("seed", "folder") if any(k in row for row in rows))]
    columns = [*naming, *(name for name in TABLED if any(name in row for row in rows))]
    lines = [[_number(name, row.get(name)) for name in columns] for row in rows]
    heads = [label(name).replace(" (%)", "") for name in columns]
    return Table(heads, lines, "one line a run", KINDS)
