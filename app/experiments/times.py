"""A paper's times to an accuracy beside our rounds, each with its speedup."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from signfed.app.experiments.estimates import Rows, Where, estimate
from signfed.app.experiments.judges.common import NONE, lost
from signfed.app.experiments.judges.over_rounds import (
    after_the_end,
    reached_in,
    rounds_text,
    speedups,
)
from signfed.app.report.document import Table

NEVER = "never"


@dataclass(frozen=True)
class Time:
    """One published time.

    Attributes
    ----------
    names : mapping
        What the lines of the table are called by.
    minutes, plain_minutes : float
        The paper's, of the code and of the plain vote beside it; infinite: never.
    accuracy : float
        The test accuracy in [0, 1] that is reached.
    cell, plain : mapping
        Columns and values of our rows, of the code and of the plain vote.
    """

    names: Mapping[str, Any]
    minutes: float
    plain_minutes: float
    accuracy: float
    cell: Where
    plain: Where

    @property
    def speedup(self) -> float | None:
        """The plain vote's minutes over the code's; None where neither arrives."""
        if math.isinf(self.minutes) and math.isinf(self.plain_minutes):
            return None
        return self.plain_minutes / self.minutes


@dataclass(frozen=True)
class TimesTable:
    """A table of times: published minutes, our rounds, and what each gains over a plain vote.

    Attributes
    ----------
    title : str
    times : sequence of Time
        In the paper's order.
    """

    title: str
    times: Sequence[Time]

    @property
    def of_rounds(self) -> bool:
        """Whether its rows are those of rounds."""
        return True

    def text(self, rounds: Rows) -> Table | None:
        """Return it as text; None where nothing of it was tried.

        Parameters
        ----------
        rounds : sequence of mapping
            One a round.
        """
        lines = [
            [*map(str, time.names.values()), f"{time.accuracy:.0%}",
             NEVER if math.isinf(time.minutes) else f"{time.minutes:g} minutes",
             rounds_text([*when.values()], after_the_end(rounds, time.cell, time.plain)),
             _factor(time.speedup), _gain(rounds, time)[1]]
            for time, when in self._tried(rounds)
        ]  # fmt: skip
        if not lines:
            return None
        heads = ["accuracy", "published", "ours", "published speedup", "our speedup"]
        says = (
            f"{self.title}: the paper's minutes beside our rounds, and of each the speedup, the "
            "plain vote's time over that of the line (inf: the plain vote never arrives); our "
            "speedup is the geometric mean over the seeds, in which a run that never arrives "
            "counts as if it did in the evaluation after the last: then it is at least, at most "
            f"or about what is said. Tried: {len(lines)} of {len(self.times)} "
            f"published cells; not tried: {len(self.times) - len(lines)}."
        )
        return Table([*self.times[0].names, *heads], lines, says)

    def lines(self, rounds: Rows) -> list[dict[str, Any]]:
        """Return one line for each published time that was tried, for a file.

        Parameters
        ----------
        rounds : sequence of mapping
            One a round.

        Returns
        -------
        list of dict
            Its names and accuracy, the `published` minutes, our `rounds` (the mean, where each of
            the `seeds` arrives), how many `arrived`, and both speedups.
        """
        found = []
        for time, when in self._tried(rounds):
            arrived = sum(map(math.isfinite, when.values()))
            mean = estimate([*when.values()]).mean
            speedup = None if time.speedup is None else round(time.speedup, 3)
            found.append(
                {
                    **time.names, "accuracy": time.accuracy, "published": time.minutes,
                    "rounds": mean if math.isfinite(mean) else None, "seeds": len(when),
                    "arrived": arrived, "published speedup": speedup,
                    "our speedup": _gain(rounds, time)[0],
                }
            )  # fmt: skip
        return found

    def _tried(self, rounds: Rows) -> Iterator[tuple[Time, dict[int, float]]]:
        """Those of which every run ended, and of the plain vote beside, with our rounds by seed."""
        for time in self.times:
            when = reached_in(rounds, time.cell, time.accuracy)
            beside = reached_in(rounds, time.plain, time.accuracy)
            if when.keys() & beside.keys() and not lost(rounds, (time.cell, time.plain)):
                yield time, when


def _gain(rounds: Rows, time: Time) -> tuple[float | None, str]:
    """Our speedup, as a number and as it stands in a table: with runs that never arrive a bound."""
    own, plain = (
        reached_in(rounds, cell, time.accuracy).values() for cell in (time.cell, time.plain)
    )
    if all(map(math.isinf, (*own, *plain))):
        return None, NONE
    logs = speedups(rounds, time.plain, [time.cell], [time.accuracy])
    gain = math.exp(estimate([*logs.values()]).mean)
    bounds = {(True, False): "at most ", (False, True): "at least ", (True, True): "about "}
    bound = bounds.get((math.inf in own, math.inf in plain), "") if time.cell != time.plain else ""
    return round(gain, 3), f"{bound}{_factor(gain)}"


def _factor(gain: float | None) -> str:
    if gain is None:
        return NONE
    return f"{gain:.2f} x" if math.isfinite(gain) else str(gain)
