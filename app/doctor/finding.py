"""What a check says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

Subject = TypeVar("Subject")
SOON = timedelta(days=30)  # before something expires: from then on a check warns


class Level(StrEnum):
    """How bad it is: an error keeps node or server from working now, a warning is of later."""

    ok = "ok"
    warning = "warning"
    error = "error"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    check : str
        Its name, such as "clock".
    level : Level
    found : str
        A sentence.
    remedy : str
        A command, or what else mends it; empty when nothing is wrong.
    """

    check: str
    level: Level
    found: str
    remedy: str = ""


Found = Finding | list[Finding] | None  # None and an empty list: it was not looked at


def fine(check: str, found: str) -> Finding:
    """Make a finding of nothing wrong.

    Parameters
    ----------
    check, found : str
        As in `Finding`.
    """
    return Finding(check, Level.ok, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Make a finding of what is going to be wrong.

    Parameters
    ----------
    check, found, remedy : str
        As in `Finding`.
    """
    return Finding(check, Level.warning, found, remedy)


def error(check: str, found: str, remedy: str) -> Finding:
    """Make a finding of what is wrong.

    Parameters
    ----------
    check, found, remedy : str
        As in `Finding`.
    """
    return Finding(check, Level.error, found, remedy)


def examine(subject: Subject, checks: Iterable[Callable[[Subject], Found]]) -> list[Finding]:
    """Return what checks find, one after the other; what one cannot read is a finding, too.

    Parameters
    ----------
    subject : object
        A node, or a federation.
    checks : iterable of callable
    """
    return [finding for check in checks for finding in _carried_out(subject, check)]


def _carried_out(subject: Subject, check: Callable[[Subject], Found]) -> Iterator[Finding]:
    name = check.__name__.replace("_", " ")
    try:
        found = check(subject)
        yield from [found] if isinstance(found, Finding) else found or []
    except (ValueError, OSError) as problem:
        yield error(name, str(problem), "put right what it names, and run the doctor again")
