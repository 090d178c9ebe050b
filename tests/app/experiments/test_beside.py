"""Published numbers beside ours, as text and as files."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from signfed.app.experiments.beside import write_tables
from signfed.app.experiments.estimates import estimate
from signfed.app.experiments.items.election_table_a1 import ELECTION_TABLEA1
from signfed.app.experiments.registry import EXPERIMENTS
from signfed.app.experiments.times import Time, TimesTable
from signfed.app.report.pictures import Lines, PublishedTable

TABLE = PublishedTable(
    "strategy", "attack", "acc", {("mean", "lie"): 53.0, ("krum", "lie"): 72.0, ("krum", "x"): 9.0},
    title="Table I", names={"lie": "LIE"},
)  # fmt: skip
ROWS = [
    {"strategy": "mean", "attack": "lie", "seed": 0, "acc": 0.509},
    {"strategy": "mean", "attack": "lie", "seed": 1, "acc": 0.511},
    {"strategy": "krum", "attack": "lie", "seed": 0, "acc": 0.721},
]
ITEM = replace(ELECTION_TABLEA1, pictures=(Lines("round", "acc", ()), TABLE), tables=())


def read(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_each_cell_that_was_tried_is_a_line_with_its_error(tmp_path):
    (table,) = write_tables(ITEM, "quick", tmp_path, rows=ROWS)["tables"]
    assert table["name"] == "quick-2" and table["heads"] == ["rule", "LIE"]
    assert table["lines"] == [["mean", "51.0 (53.0) -2.0 ✗"], ["krum", "72.1 (72.0) +0.1 ✓"]]
    mean, krum = read(tmp_path / "quick-2.csv")
    error = estimate([50.9, 51.1]).error
    assert mean.pop("error") == str(round(error, 5)) and krum.pop("error") == ""  # of one seed
    assert list(mean.values()) == ["mean", "lie", "53.0", "51.0", "2", "-2.0", "does not hold"]
    assert list(krum.values()) == ["krum", "lie", "72.0", "72.1", "1", "0.1", "holds"]


def test_where_rows_are_not_kept_the_table_stays(tmp_path):
    before = write_tables(ITEM, "quick", tmp_path, rows=ROWS)
    assert write_tables(ITEM, "quick", tmp_path, before=before["tables"]) == before
    assert write_tables(ITEM, "quick", tmp_path, rows=[], before=before["tables"]) == {}
    assert write_tables(ITEM, "full", tmp_path, rows=[]) == {}
    assert not (tmp_path / "full-2.csv").exists()


PLAIN, CODE = {"strategy": "sign-mv"}, {"strategy": "election"}
# Rounds 10 to 40 of two seeds: the code is at 60 % in rounds 10 and 20; the vote in 40 and never.
ARRIVES = {("election", 0): 10, ("election", 1): 20, ("sign-mv", 0): 40}
ROUNDS = [
    {"strategy": rule, "seed": seed, "round": t,
     "test_accuracy": 0.6 if t >= ARRIVES.get((rule, seed), 100) else 0.1}
    for rule in ("election", "sign-mv") for seed in (0, 1) for t in (10, 20, 30, 40)
]  # fmt: skip
TIMES = TimesTable(
    "Table 1",
    [
        Time({"code": "r = 2"}, 20.0, 50.0, 0.6, CODE, PLAIN),
        Time({"code": "none"}, 50.0, 50.0, 0.6, PLAIN, PLAIN),
        Time({"code": "r = 2"}, 90.0, float("inf"), 0.8, CODE, PLAIN),
        Time({"code": "r = 3"}, 20.0, 50.0, 0.6, {"strategy": "other"}, PLAIN),
    ],
)


def test_minutes_stand_beside_rounds_and_each_beside_the_plain_vote():
    """Seed by seed 40 / 10 and, by the evaluation after the last, 50 / 20: the root of 10."""
    table = TIMES.text(ROUNDS)
    assert table.lines == [
        ["r = 2", "60%", "20 minutes", "15 rounds", "2.50 x", "at least 3.16 x"],
        ["none", "60%", "50 minutes", "at least 45 rounds (1 of 2 seeds)", "1.00 x", "1.00 x"],
        ["r = 2", "80%", "90 minutes", "never", "inf", "-"],
    ]
    assert "Tried: 3 of 4 published cells; not tried: 1." in table.says
    first, second, third = TIMES.lines(ROUNDS)
    assert (first["published"], first["rounds"], first["our speedup"]) == (20.0, 15.0, 3.162)
    assert (second["rounds"], second["arrived"], second["seeds"]) == (None, 1, 2)
    assert third["our speedup"] is None


def test_of_times_nothing_is_said_where_a_run_did_not_end():
    failed = [*ROUNDS, {"strategy": "election", "seed": 2, "status": "failed"}]
    assert [line["code"] for line in TIMES.lines(failed)] == ["none"]
    assert TIMES.text([]) is None


def test_every_published_minute_of_election_coding_has_its_cell():
    (table,) = EXPERIMENTS["election-tableA1"].tables
    assert len(table.times) == 48
    sweep = EXPERIMENTS["election-tableA1"].full.sweep
    points = list(sweep.points())
    for time in table.times:
        cells = [p for p in points if all(p.get(k) == v for k, v in time.cell.items())]
        assert len(cells) == len(sweep.seeds), time.names
    first = table.times[0]
    assert (first.minutes, first.plain_minutes, first.accuracy) == (39.2, 52.6, 0.75)
    assert first.speedup == pytest.approx(52.6 / 39.2)
    assert sum(time.speedup is None for time in table.times) == 5  # the vote itself, never
