"""Kept rows judged again, as the claims of today have it: without a run."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signfed.app.config.keys import KEYS
from signfed.app.errors import ConfigError
from signfed.app.experiments.beside import write_tables
from signfed.app.experiments.experiment import Claim, Experiment, Rows
from signfed.app.experiments.records import claim_record, draw, means_of, read_verdicts, varying
from signfed.app.experiments.registry import EXPERIMENTS
from signfed.app.experiments.reproduce import judged, with_task
from signfed.app.report.sources import VERDICTS
from signfed.app.runs.json_files import write_json

Record = Mapping[str, Any]


def judge_again(folder: Path) -> list[str]:
    """Judge the rows that a folder of pages keeps, and write verdicts and pictures.

    Parameters
    ----------
    folder : Path
        That holds NAME/verdicts.json and NAME/SETTING.csv.

    Returns
    -------
    list of str
        What could not be judged again, each with the reason: claims of rounds and settings of which
        means are kept have the verdict that they had.

    Raises
    ------
    ConfigError
        When a file cannot be read, or there is none.
    """
    left = []
    places = [file.parent for file in sorted(folder.glob(f"*/{VERDICTS}"))]
    if not places:
        raise ConfigError(f"{folder}: expected NAME/{VERDICTS}, as `signfed reproduce` writes it")
    for place in places:
        experiment, found = EXPERIMENTS.get(place.name), read_verdicts(place)
        if experiment is None:
            left.append(f"{place.name}: no experiment of that name")
            continue
        for setting, record in found.items():
            if setting not in experiment.settings:
                left.append(f"{place.name} ({setting}): no setting of that name")
                continue
            rows = kept_rows(place / f"{setting}.csv")
            claims, without = claims_again(experiment, record, rows)
            left += [f"{place.name} ({setting}): {text}" for text in without]
            whole = _whole(record, rows)
            found[setting] = {
                **{key: value for key, value in record.items() if key != "tables"},
                "title": experiment.title,
                "note": experiment.settings[setting].note,
                "claims": claims,
                "remark": experiment.remarks.get(setting, ""),
                "choices": list(experiment.choices_of(setting)),
                "cells": _cells(record, whole),
                "pictures": draw(
                    experiment, setting, place, rows=whole, before=record["pictures"]
                ),
                **write_tables(
                    experiment, setting, place, rows=whole, before=record.get("tables", ())
                ),
            }  # fmt: skip
        write_json(place / VERDICTS, found)
    return left


def claims_again(
    experiment: Experiment, record: Record, rows: Rows
) -> tuple[list[dict[str, str]], list[str]]:
    """Return the claims of a setting as verdicts.json holds them, judged on kept rows.

    Parameters
    ----------
    experiment : Experiment
    record : mapping
        Of the setting, as it was kept.
    rows : sequence of mapping
        Those that were kept beside it.

    Returns
    -------
    list of dict
        One a claim of the experiment of today that was judged, now or before.
    list of str
        Why some were not judged now, and how many.
    """
    before = {claim["text"]: claim for claim in record["claims"]}
    claims, left = [], Counter[str]()
    for claim in experiment.claims:
        if why := _no_rows(claim, record, rows):
            left[why] += 1
            claims += [before[claim.text]] if claim.text in before else []
        else:
            ((_, verdict),) = judged([claim], rows, [], record["config"])
            claims.append(claim_record(claim, verdict))
    return claims, [
        f"{count} of {len(experiment.claims)} claims: {why}" for why, count in left.items()
    ]


def _whole(record: Record, rows: Rows) -> Rows | None:
    """The rows with their task; None where they are means."""
    return with_task(rows, record["config"]) if len(rows) == record["runs"] else None


def _cells(record: Record, whole: Rows | None) -> list[dict[str, str]]:
    """The means of the page's table; as they were where they alone are kept, or none."""
    if whole is None or not record["cells"]:
        return record["cells"]
    return means_of(whole, varying(record["cases"], record["grid"]))


def _no_rows(claim: Claim, record: Record, rows: Rows) -> str:
    """Why it cannot be judged on these rows; empty where it can."""
    if _whole(record, rows) is None:
        return "only means are kept"
    return "rows of rounds are not kept" if claim.of_rounds else ""


def kept_rows(file: Path) -> Rows:
    """Return the rows of a CSV that `signfed reproduce` wrote, as they were.

    Parameters
    ----------
    file : Path

    Returns
    -------
    list of dict
        An empty field is a key that the row does not have.

    Raises
    ------
    ConfigError
        When the file cannot be read.
    """
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            return [
                {key: _value(key, text) for key, text in row.items() if text}
                for row in csv.DictReader(lines)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: expected the rows of a setting; {error}") from error


def _value(key: str, text: str) -> Any:
    """A field as it was before it was written; of a key that is text, such as an attack's name.

    >>> [_value("f", text) for text in ("3", "0.5", "True", "krum")]
    [3, 0.5, True, 'krum']
    >>> _value("attack", "inf"), _value("byzantine-ids", "3")
    ('inf', '3')
    """
    if key in KEYS and KEYS[key].kind is str:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"True": True, "False": False}.get(text, text)
