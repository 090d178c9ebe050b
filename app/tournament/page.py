"""A tournament as a page, tables and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.report.document import Part, Report, Section, Table, Text
from signfed.app.report.writing import place_of, write
from signfed.app.runs.json_files import write_json

PAGE, RESULTS = "tournament.html", "tournament.json"
KINDS = {"rule lost": "bad", "attack lost": "bad"}
FENCES = {
    "memory": "memory",
    "network": "the network",
    "processes": "new processes",
    "neighbours": "the other submission's memory and signals",
    "files": "writing to your files",
}


def write_all(found: Mapping[str, Any], title: str, out: Path) -> Path:
    """Write the page, what lies beside it (Markdown, CSV), and all as JSON.

    Parameters
    ----------
    found : mapping
        As `hold` returns it.
    title : str
        Of the page.
    out : Path
        Folder.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ConfigError
        When nothing can be written there.
    """
    page = place_of(out / PAGE, out)
    write(report_of(found, title), page)
    write_json(out / RESULTS, found)
    return page


def report_of(found: Mapping[str, Any], title: str) -> Report:
    """Return the report of a tournament.

    Parameters
    ----------
    found : mapping
        As `hold` returns it.
    title : str
        Of the page.
    """
    game, rules, attacks = found["game"], found["rules"], found["attacks"]
    lost = [row for row in found["matches"] if row["lost_by"]]
    byzantine = " or ".join(map(str, found["byzantine"]))
    sections = [
        Section("Rules", _rules(found)),
        Section("Attacks", _attacks(found)),
        Section("Matches", [_matrix(found, f) for f in found["byzantine"]]),
        Section("Lost matches", [_lost(lost)] if lost else []),
        Section("How it was played", [Text(text) for text in _how(found)], folded=True),
    ]
    best, strongest = rules[0], attacks[0]  # signfed's own are always there
    headline = [
        ("best rule: worst match", f"{best['rule']}, {_percent(best['worst'])}"),
        ("strongest attack: mean harm", f"{strongest['attack']}, {_percent(strongest['mean'])}"),
        ("matches", str(len(found["matches"]))),
        ("lost by a submission", str(len(lost))),
    ]
    return Report(
        title=title,
        says=f"{len(rules)} rules against {len(attacks)} attacks: each rule trains on digits for "
        f"{game['num_rounds']} rounds while {byzantine} of {game['num_workers']} workers do what "
        f"the attack says. Numbers are test accuracies in %.",
        headline=headline,
        sections=[section for section in sections if section.parts],
        data={"rules": rules, "attacks": attacks, "matches": [_flat(r) for r in found["matches"]]},
    )


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("fences", "key")}


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _named(found: Mapping[str, Any], kind: str, name: str) -> str:
    """Submissions as they are; the package's own are marked."""
    return name if name in found["submissions"][kind] else f"{name} (signfed)"


def _rules(found: Mapping[str, Any]) -> list[Part]:
    lines = [
        [_named(found, "rule", row["rule"]), str(row["place"]), _percent(row["worst"]),
         _percent(row["mean"]), _percent(row["without"]), str(row["lost"]),
         f"{row['under']}, {row['f']}"]
        for row in found["rules"]
    ]  # fmt: skip
    heads = ["rule", "place", "worst", "mean", "no attack", "lost", "worst under"]
    says = "Ranked by the worst match, then by the mean over all matches."
    return [Text(says), Table(heads, lines)]


def _attacks(found: Mapping[str, Any]) -> list[Part]:
    lines = [
        [_named(found, "attack", row["attack"]), str(row["place"]), _percent(row["mean"]),
         _percent(row["most"]), _percent(row["least"]), str(row["lost"]),
         f"{row['against']}, {row['f']}" if row["most"] > 0 else "-"]
        for row in found["attacks"]
    ]  # fmt: skip
    heads = ["attack", "place", "mean harm", "most", "least", "lost", "most against"]
    says = (
        "Harm: points of accuracy that a rule has less than without an attack. Ranked by the mean "
        "over all rules and numbers of Byzantine workers, then by the least."
    )
    return [Text(says), Table(heads, lines)]


def _matrix(found: Mapping[str, Any], f: int) -> Part:
    rows = [row for row in found["matches"] if row["f"] == f]
    attacks = list(dict.fromkeys(row["attack"] for row in rows))
    at = {(row["rule"], row["attack"]): row for row in rows}
    lines = [
        [_named(found, "rule", row["rule"]), *(_cell(at[row["rule"], a]) for a in attacks)]
        for row in found["rules"]
    ]
    says = f"Accuracy in %, {f} of {found['game']['num_workers']} workers are Byzantine."
    return Table(["rule", *attacks], lines, says, KINDS)


def _cell(row: Mapping[str, Any]) -> str:
    return f"{row['lost_by']} lost" if row["lost_by"] else _percent(row["accuracy"])


def _lost(rows: Sequence[Mapping[str, Any]]) -> Part:
    """Each reason once, with the number of its matches."""
    counted: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        other = "attack" if row["lost_by"] == "rule" else "rule"
        why = (row[row["lost_by"]], row["lost_by"], row["reason"])
        counted.setdefault(why, []).append(f"{row[other]}, {row['f']}")
    lines = [
        [name, kind, reason, str(len(against)), against[0]]
        for (name, kind, reason), against in counted.items()
    ]
    return Table(["submission", "kind", "why", "matches", "first against"], lines)


def _how(found: Mapping[str, Any]) -> list[str]:
    limits = found["game"]["limits"]
    up = [row["fences"] for row in found["matches"] if row["fences"]]
    held = [says for name, says in FENCES.items() if up and all(each.get(name) for each in up)]
    open_ = [says for name, says in FENCES.items() if says not in held]
    reach = "read" if FENCES["files"] in held else "read, change and delete"
    return [
        "A match that a rule loses counts as accuracy 0 for the rule. One that an attack loses "
        "counts as if it had not attacked. Lost is who raises an error, takes too long or too much "
        "memory, starts processes, ends, or returns another shape, NaN or infinity.",
        f"Each submission has a process of its own for each match, {limits['seconds']:g} s for all "
        f"its answers together, {limits['megabytes']} MiB of memory, files of at most "
        f"{limits['file_megabytes']} MiB in an empty folder, and {limits['files']} open files. An "
        "attack sees what its declared knowledge gives, at most the honest rows; never the rule.",
        f"Fences of the system that stood: {', '.join(held) or 'none'}. Open: "
        f"{', '.join(open_) or 'none'}. Submissions can {reach} every file that whoever holds the "
        f"tournament can {reach}: this is a fence, not a sandbox.",
        "Versions: " + ", ".join(f"{name} {text}" for name, text in found["versions"].items()),
    ]
