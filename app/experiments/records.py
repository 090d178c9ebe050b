"""What is kept of an experiment: its verdicts, and of each setting the cells and pictures.

`verdicts.json` is what was found; the page README.md and the summary are made from it alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.errors import installed
from signfed.app.experiments.beside import write_tables
from signfed.app.experiments.cells import written
from signfed.app.experiments.estimates import counted, estimate
from signfed.app.experiments.experiment import Claim, Experiment, Rows, Verdict
from signfed.app.experiments.reproduce import Outcome, with_task
from signfed.app.report.pictures import Heatmap, PublishedTable
from signfed.app.report.rows import grouped
from signfed.app.report.sources import VERDICTS, claims_of
from signfed.app.report.tables import csv_text
from signfed.app.runs.folder import ENDED, FINISHED
from signfed.app.runs.json_files import replace_text, write_json

DPI = 72
MANY = 100  # cells from which a page names their file, which then holds one line for each
NOT_FINISHED = "did not finish"
SCORES = (
    "final_test_accuracy", "best_test_accuracy", "final_test_loss", "final_backdoor_success",
    "byzantine_accepted", "honest_rejected", "final_minority_accuracy", "final_others_accuracy",
    "uplink_bits_per_parameter", "downlink_bits_per_parameter",
)  # fmt: skip


def keep(outcome: Outcome, place: Path) -> dict[str, dict[str, Any]]:
    """Write pictures, cells and verdicts of a setting beside those of the others.

    Parameters
    ----------
    outcome : Outcome
    place : Path
        The experiment's folder among the pages, which is made.

    Returns
    -------
    dict
        What verdicts.json holds now: setting -> record.
    """
    place.mkdir(parents=True, exist_ok=True)
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in outcome.rows]
    keys = varying(outcome.sweep.cases, outcome.sweep.grid)
    if len(grouped(rows, keys)) > MANY:
        rows = numbers_of(rows, keys)
    replace_text(place / f"{outcome.setting}.csv", csv_text(rows))
    whole = with_task(outcome.rows, outcome.sweep.config)
    beside = {
        "pictures": draw(
            outcome.experiment, outcome.setting, place, rows=whole, rounds=outcome.rounds
        ),
        **write_tables(
            outcome.experiment, outcome.setting, place, rows=whole, rounds=outcome.rounds
        ),
    }
    found = read_verdicts(place) | {outcome.setting: _record(outcome, beside)}
    write_json(place / VERDICTS, found)
    return found


def read_verdicts(place: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of an experiment, by setting; {} where nothing is.

    Parameters
    ----------
    place : Path
        Its folder among the pages.

    Raises
    ------
    ConfigError
        When verdicts.json there cannot be read.
    """
    return claims_of(place) if (place / VERDICTS).exists() else {}


def draw(
    experiment: Experiment,
    setting: str,
    place: Path,
    *,
    rows: Rows | None = None,
    rounds: Rows | None = None,
    before: Sequence[str] = (),
) -> list[str]:
    """Draw the pictures of a setting of which something was tried.

    Parameters
    ----------
    experiment : Experiment
    setting : str
        Its name, with which the files' names begin.
    place : Path
        The experiment's folder among the pages.
    rows, rounds : sequence of mapping, optional
        One a run, with its task; one a round. None where they are not kept.
    before : sequence of str
        The files that were drawn when these were there.

    Returns
    -------
    list of str
        The names of the files.
    """
    names = []
    with installed("the pictures"):
        for number, picture in enumerate(experiment.pictures, 1):
            name = f"{setting}-{number}.png"
            given = rounds if getattr(picture, "of_rounds", False) else rows
            if given is None:
                names += [name] if name in before else []
                continue
            if isinstance(picture, PublishedTable) and not picture.text(given):
                continue  # its cells belong to another setting
            if isinstance(picture, Heatmap) and not picture.table(given):
                continue
            picture.draw(given).savefig(place / name, dpi=DPI)
            names.append(name)
    return names


def _record(outcome: Outcome, beside: Mapping[str, Any]) -> dict[str, Any]:
    experiment, sweep = outcome.experiment, outcome.sweep
    setting = experiment.settings[outcome.setting]
    cells = means_of(outcome.rows, varying(sweep.cases, sweep.grid))
    few = len(cells) <= MANY
    hidden = ("data-dir", "out-dir")
    return {
        "name": experiment.name,
        "paper": experiment.paper,
        "title": experiment.title,
        "note": setting.note,
        "claims": [claim_record(claim, verdict) for claim, verdict in outcome.verdicts],
        "remark": experiment.remarks.get(outcome.setting, ""),
        **beside,
        "config": {key: value for key, value in sweep.config.items() if key not in hidden},
        "grid": {key: list(values) for key, values in sweep.grid.items()},
        "cases": [dict(case) for case in sweep.cases] if few else [],
        "seeds": list(sweep.seeds),
        "engine": sweep.engine,
        "choices": list(experiment.choices_of(outcome.setting)),
        "cells": cells if few else [],
        "ended": sum(row.get("status") in ENDED for row in outcome.rows),
        "runs": len(outcome.rows),
        "minutes": round(outcome.seconds / 60, 1),
        **outcome.ran,
    }  # fmt: skip


def claim_record(claim: Claim, verdict: Verdict) -> dict[str, str]:
    """Return a claim as verdicts.json holds it.

    Parameters
    ----------
    claim : Claim
    verdict : Verdict
        Its own.
    """
    return {
        "text": claim.text, "source": claim.source, "published": verdict.published,
        "ours": verdict.ours, "tolerance": verdict.tolerance, "verdict": verdict.says,
    }  # fmt: skip


def varying(cases: Iterable[Mapping[str, Any]], grid: Iterable[str]) -> list[str]:
    """Return the keys that tell a sweep's cells apart, those of its cases first.

    Parameters
    ----------
    cases : iterable of mapping
    grid : iterable of str
    """
    return list(dict.fromkeys([*(key for case in cases for key in case), *grid]))


def means_of(rows: Rows, keys: Iterable[str]) -> list[dict[str, str]]:
    """Return one line for each cell but its seed: its keys, and its scores over the seeds.

    Runs that did not end do not count, those that diverged as `counted` has them; where there are
    any, `NOT_FINISHED` says how many.

    Parameters
    ----------
    rows : sequence of mapping
    keys : iterable of str
        What tells the cells apart.
    """
    keys, scores = tuple(keys), _measured(rows)
    lines = []
    for values, group in grouped(rows, keys).items():
        line = {k: "" if v is None else str(v) for k, v in zip(keys, values, strict=True)}
        for score in scores:
            if numbers := _numbers(group, score):
                line[score] = estimate(numbers).text()
        how = Counter(row.get("status", FINISHED) for row in group)
        if how.keys() - {FINISHED}:
            others = (f"{n} of {len(group)} {way}" for way, n in how.items() if way != FINISHED)
            line[NOT_FINISHED] = ", ".join(others)
        lines.append(line)
    return lines


def _measured(rows: Rows) -> list[str]:
    """The scores that some run has: one that diverged counts as the worst of those alone."""
    return [score for score in SCORES if any(score in row for row in rows)]


def _numbers(rows: Sequence[Mapping[str, Any]], score: str) -> list[float]:
    return [number for row in rows if (number := counted(row, score)) is not None]


def numbers_of(rows: Rows, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return one line for each cell but its seed, for a file: its keys, and numbers over the seeds.

    Parameters
    ----------
    rows : sequence of mapping
        One a run.
    keys : sequence of str
        What tells the cells apart. Options of parts ("lie.z") are written into one column.

    Returns
    -------
    list of dict
        `runs`, how many of them `finished` and how many `diverged`; of each score the mean, as in
        `means_of`, and after " error" what it is uncertain by, as `estimate` has it.
    """
    lines, scores = [], _measured(rows)
    for values, group in grouped(rows, tuple(keys)).items():
        given = {k: v for k, v in zip(keys, values, strict=True) if v is not None}
        line: dict[str, Any] = {key: value for key, value in given.items() if "." not in key}
        line["options"] = written({key: value for key, value in given.items() if "." in key})
        line["runs"] = len(group)
        for status in ENDED:
            line[status] = sum(row.get("status") == status for row in group)
        for score in scores:
            if numbers := _numbers(group, score):
                found = estimate(numbers)
                line[score], line[f"{score} error"] = round(found.mean, 5), round(found.error, 5)
        lines.append(line)
    return lines
