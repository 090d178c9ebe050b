"""A whole tournament: every rule against every attack, with each number of Byzantine workers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.runs.claim import existing_folder
from signfed.app.runs.json_files import json_line
from signfed.app.runs.versions import versions
from signfed.app.tournament import standings
from signfed.app.tournament.entries import entries_of
from signfed.app.tournament.match import Game, Match, play

JOURNAL = "matches.jsonl"


def matches_of(folder: Path, byzantine: Sequence[int], game: Game) -> list[Match]:
    """Return the matches of a tournament; nothing is started.

    Parameters
    ----------
    folder : Path
        With rules/ and attacks/.
    byzantine : sequence of int
        Numbers of Byzantine workers.
    game : Game

    Raises
    ------
    ConfigError
        When something cannot take part, or a number is no minority.
    """
    most = (game.num_workers - 1) // 2
    if not byzantine or not all(1 <= f <= most for f in byzantine):
        raise ConfigError(
            f"--byzantine: expected numbers from 1 to {most}, a minority of {game.num_workers} "
            f"workers; got {', '.join(map(str, byzantine)) or 'none'}"
        )
    entries = entries_of(folder)
    return [
        Match(rule, attack, f, game)
        for f in dict.fromkeys(byzantine)
        for attack in entries["attack"]
        for rule in entries["rule"]
    ]


def hold(
    matches: Sequence[Match],
    out: Path,
    on_match: Callable[[Match], None] = lambda match: None,
    on_result: Callable[[dict[str, Any]], None] = lambda result: None,
) -> dict[str, Any]:
    """Play the matches that were not played yet, one after the other.

    What they train with is drawn anew at each call and not written down: submissions read files.

    Parameters
    ----------
    matches : sequence of Match
        At least one.
    out : Path
        Folder of the results. What its journal holds is not played again, unless a file, a setting
        or a version has changed.
    on_match : callable, optional
        Told what is played.
    on_result : callable, optional
        Gets each result, those that were there already too.

    Returns
    -------
    dict
        `game`, `byzantine`, `versions`, `rules`, `attacks` (tables of `standings`), `matches`.

    Raises
    ------
    ConfigError
        When the folder cannot be written to.
    """
    existing_folder(out)
    journal, secret = out / JOURNAL, secrets.randbits(62)
    known = _read(journal)
    results = []
    for match in matches:
        if match.key not in known:
            on_match(match)
            known[match.key] = play(match, secret)
            _append(journal, known[match.key])
        results.append(known[match.key])
        on_result(results[-1])
    rows = standings.scored(results)
    return {
        "game": asdict(matches[0].game),
        "byzantine": list(dict.fromkeys(match.n_byzantine for match in matches)),
        "submissions": {
            kind: sorted({e.name for m in matches if (e := getattr(m, kind)).source})
            for kind in ("rule", "attack")
        },
        "versions": versions(),
        "rules": standings.rules(rows),
        "attacks": standings.attacks(rows),
        "matches": rows,
    }


def _read(journal: Path) -> dict[str, dict[str, Any]]:
    """Results by key; a line that was cut off is no result."""
    found = {}
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    for line in lines:
        try:
            result = json.loads(line)
            found[result["key"]] = result
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _append(journal: Path, result: dict[str, Any]) -> None:
    with journal.open("a+b") as file:
        if file.tell() and not _ends_whole(journal):
            file.write(b"\n")
        file.write(json_line(result).encode())
        file.flush()
        os.fsync(file.fileno())


def _ends_whole(journal: Path) -> bool:
    return journal.read_bytes().endswith(b"\n")
