"""Bars on a terminal, lines in a log."""

import io

import pytest
from rich.console import Console

from signfed.app.engines import progress
from signfed.app.engines.progress import Counting, rounds_bar

ROUNDS = [{"round": r, "dropped": {"a": ["nan"]}} for r in (1, 2, 3)]


def console(**settings):
    return Console(file=io.StringIO(), width=100, **settings)


@pytest.mark.parametrize("every, lines", [(0.0, ["1/5", "2/5", "3/5", "3/5"]), (3600.0, ["3/5"])])
def test_a_log_has_a_line_now_and_then_and_the_last(monkeypatch, every, lines):
    monkeypatch.setattr(progress, "LOG_EVERY", every)
    log = console()
    with rounds_bar(5, log) as show:
        for record in ROUNDS:
            show(record)
    said = log.file.getvalue().splitlines()
    assert [next(word for word in line.split() if "/" in word) for line in said] == lines
    assert "3 updates dropped" in said[-1]


@pytest.mark.parametrize("kind", [{"force_terminal": True}, {"force_jupyter": True}])
def test_what_is_redrawn_needs_no_lines(monkeypatch, kind):
    monkeypatch.setattr(progress, "LOG_EVERY", 0.0)
    bars = Counting(console(**kind))
    bars.add_task("cells", total=3, news="")
    bars.to_log()
    assert not bars.console.file.getvalue()
