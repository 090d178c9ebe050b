"""Pages in Markdown from what is kept: one an experiment, and the summary of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from signfed.app.errors import ConfigError
from signfed.app.experiments.records import NOT_FINISHED, read_verdicts
from signfed.app.experiments.registry import EXPERIMENTS, PAPERS
from signfed.app.report.published import FAILS, HOLDS, NOT_TRIED, UNDECIDED
from signfed.app.report.sources import VERDICTS
from signfed.app.report.tables import markdown_table
from signfed.app.runs.json_files import replace_text

Found = Mapping[str, Mapping[str, Any]]  # setting -> record, as verdicts.json holds it
PAGE = "README.md"
SHOWN = (HOLDS, FAILS, UNDECIDED, NOT_TRIED)
QUICK = (
    "A quick setting was chosen while its results were looked at: batches, rounds and seeds are "
    "such that it shows the claim, where it can. So a claim that holds there is shown, not tested; "
    "the full settings test it, and quick ones with other seeds."
)
MINUTES = (
    "The minutes are those of the runs, added up, on a machine that did other things, too: "
    "`signfed reproduce --list` says how long a setting takes on two cores."
)
ONE_SEED = (
    "A verdict from one seed has only the papers' own noise as its error, that of bits the headers "
    "of messages: how far other seeds are from it nobody knows."
)
TIES = (
    "A claim counts once for each setting in which it is judged. One of Election Coding with half "
    "batches stands three times, as it is judged under each of three tie rules: the counts have it "
    "three times, too."
)
MEANS = "Means over the seeds; ± is one-sided 95 % of the mean."
HALF = (
    " Of a run that diverged a final accuracy counts as 0 and a loss as infinite, the best "
    "accuracy as it was; one that failed does not count."
)
HEADS = ("claim", "source", "published", "ours", "tolerance", "verdict")


def write_page(found: Found, place: Path) -> Path:
    """Write the page of an experiment.

    Parameters
    ----------
    found : mapping
    place : Path
        Its folder among the pages.

    Returns
    -------
    Path
        The page.
    """
    page = place / PAGE
    replace_text(page, page_of(found))
    return page


def page_of(found: Found) -> str:
    """Return the page of an experiment: verdicts, pictures, cells, setting, choices, by setting.

    Choices that all settings have in common stand once, at its end.

    Parameters
    ----------
    found : mapping
    """
    first = next(iter(found.values()))
    paper = PAPERS.get(first["paper"], first["paper"])
    lines = [f"# {first['name']}: {first['title']}", "", f"{paper}.", ""]
    several = len(found) > 1
    common = [
        c for c in first["choices"] if several and all(c in r["choices"] for r in found.values())
    ]
    for setting in ordered(found):
        lines += _section(setting, found[setting], common)
    if common:
        lines += ["## Every setting", "", *_chosen(common)]
    return "\n".join(lines).rstrip() + "\n"


def ordered(found: Found) -> list[str]:
    """Return the settings as the experiment has them, "full" first and "quick" last.

    Parameters
    ----------
    found : mapping
    """
    names = {record["name"] for record in found.values()} & set(EXPERIMENTS)
    known = [setting for name in names for setting in EXPERIMENTS[name].settings]
    places = {setting: place for place, setting in enumerate(known)}
    return sorted(found, key=lambda s: (s == "quick", s != "full", places.get(s, len(known)), s))


def _section(setting: str, record: Mapping[str, Any], common: Sequence[str]) -> list[str]:
    whole = "in full" if record["paper"] == "ours" else "in the paper"
    smaller = f"Smaller than {whole}: {record['note']}." if record["note"] else ""
    lines = [f"## {setting}", "", *([smaller, ""] if smaller else [])]
    claims = [
        [c["text"], c["source"], c["published"], c["ours"], c["tolerance"], _marked(c["verdict"])]
        for c in record["claims"]
    ]
    lines += [markdown_table(HEADS, claims)]
    if record["remark"]:
        lines += [record["remark"], ""]
    for table in record.get("tables", ()):
        file = f"{table['name']}.csv"
        lines += [f"{table['says']} Each as a line of a file: [{file}]({file}).", ""]
        lines += [markdown_table(table["heads"], table["lines"])]
    for picture in record["pictures"]:
        lines += [f"![{record['title']} ({setting})]({picture})", ""]
    if record["cells"]:
        heads = list(dict.fromkeys(key for cell in record["cells"] for key in cell))
        cells = [[cell.get(key, "") for key in heads] for cell in record["cells"]]
        lines += [MEANS + (HALF if NOT_FINISHED in heads else ""), ""]
        lines += [markdown_table(heads, cells)]
    elif record["runs"]:
        lines += [f"The cells, with means over the seeds: [{setting}.csv]({setting}.csv)", ""]
    lines += [f"- Ran: {ran(record)}", f"- Every cell: {_keys(_shared(record))}"]
    lines += [f"- Seeds: {', '.join(map(str, record['seeds']))}; engine: {record['engine']}"]
    return [*lines, *_chosen(c for c in record["choices"] if c not in common), ""]


def _chosen(choices: Iterable[str]) -> list[str]:
    return [f"- Chosen here: {choice}" for choice in choices]


def _marked(says: str) -> str:
    return f"**{says}**" if says == FAILS else says


def _shared(record: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that no cell has another value of."""
    varied = {*record.get("grid", {}), *(key for case in record.get("cases", []) for key in case)}
    return {key: value for key, value in record["config"].items() if key not in varied}


def _keys(config: Mapping[str, Any]) -> str:
    return " ".join(f"`{key}={value}`" for key, value in config.items())


def ran(record: Mapping[str, Any]) -> str:
    """Say when, where and with what a setting ran.

    Parameters
    ----------
    record : mapping
        Of verdicts.json.
    """
    commit = str(record["commit"] or "unknown")[:10]
    elsewhere = record.get("elsewhere")
    others = f"; {elsewhere} of them by another commit, versions or machine" if elsewhere else ""
    return (
        f"{record['when']}, {record['ended']} of {record['runs']} runs ended, "
        f"{record['minutes']} minutes of runs; {_where(record)}; "
        f"commit {commit}{' and changes' if record['dirty'] else ''}{others}"
    )


def _where(record: Mapping[str, Any]) -> str:
    machine = record["hardware"]
    gpus = f", {', '.join(machine['gpus'])}" if machine["gpus"] else ""
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB{gpus}; {versions}"
    )


def write_summary(folder: Path) -> Path:
    """Write the summary of all pages of a folder, and each page again, from the verdicts.

    Parameters
    ----------
    folder : Path
        That holds NAME/verdicts.json.

    Returns
    -------
    Path
        Its README.md.

    Raises
    ------
    ConfigError
        When there is no page.
    """
    pages = {file.parent.name: read_verdicts(file.parent) for file in folder.glob(f"*/{VERDICTS}")}
    if not pages:
        raise ConfigError(f"{folder}: expected NAME/{VERDICTS}, as `signfed reproduce` writes it")
    for name, found in pages.items():
        write_page(found, folder / name)
    replace_text(folder / PAGE, summary_of(pages))
    return folder / PAGE


def summary_of(pages: Mapping[str, Found]) -> str:
    """Return the summary.

    Parameters
    ----------
    pages : mapping
        Name of an experiment -> what its verdicts.json holds.
    """
    lines, total = [], Counter[str]()
    places = Counter(_where(record) for found in pages.values() for record in found.values())
    known = [*EXPERIMENTS, *sorted(set(pages) - set(EXPERIMENTS))]
    failed = []
    for name in known:
        found = pages.get(name, {})
        for setting in ordered(found):
            record = found[setting]
            count = Counter(claim["verdict"] for claim in record["claims"])
            total += count
            failed += [
                f"- [{name}]({name}/{PAGE}) ({setting}): {claim['text']}: {claim['ours']}"
                for claim in record["claims"] if claim["verdict"] == FAILS
            ]  # fmt: skip
            counts = [str(count[says]) for says in SHOWN]
            lines.append([f"[{name}]({name}/{PAGE})", record["title"], setting,
                          str(len(record["seeds"])), *counts, str(record["minutes"])])  # fmt: skip
        if not found:
            lines.append([name, EXPERIMENTS[name].title, *"-------"])
    counted = ("hold", "fail", "not decided", "not tried")
    heads = ("item", "what it shows", "setting", "seeds", *counted, "minutes")
    claims = (
        f"{total[HOLDS]} claims hold, {total[FAILS]} do not, {total[UNDECIDED]} are not decided "
        f"(the error is larger), {total[NOT_TRIED]} were not tried."
    )
    return "\n".join([
        "# Results", "",
        "The papers' figures and tables, each by `signfed reproduce NAME`. This page is written by "
        "`signfed reproduce --summary DIR` from the verdicts beside it.", "", QUICK, "",
        MINUTES, "", ONE_SEED, "", TIES, "",
        claims, "", markdown_table(heads, lines),
        *(f"- {count} settings ran on {place}" for place, count in places.most_common()), "",
        *(["What does not hold; the item's page says why:", "", *failed] if failed else []),
    ]).rstrip() + "\n"  # fmt: skip
