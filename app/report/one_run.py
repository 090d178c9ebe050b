"""The report of one run."""

from __future__ import annotations

from typing import Any

from signfed.app.config.keys import defaults
from signfed.app.report.document import Report, Section, Table, Text
from signfed.app.report.reading import Run
from signfed.app.report.rows import NAMES, PLACES, shown
from signfed.app.report.run_pictures import accuracy, events, traffic, workers
from signfed.app.runs.summary import DETECTION


def report_of(run: Run) -> Report:
    """Return the report of a run, as far as it has come.

    Parameters
    ----------
    run : Run
        What its folder holds.

    Returns
    -------
    Report
    """
    title = _title(run)
    sections = [
        Section("Accuracy", accuracy(run, title)),
        Section("Workers", workers(run)),
        Section("Traffic", traffic(run)),
        Section("What went wrong", events(run)),
        *_configuration(run),
        Section("Versions and files", _versions(run), folded=True),
    ]
    return Report(
        title=title,
        says=_says(run),
        headline=_headline(run),
        sections=[section for section in sections if section.parts],
        data={"rounds": [_flat(line) for line in run.rounds]},
    )


def _title(run: Run) -> str:
    config = run.config
    if "task" not in config:  # of another's Flower app
        return f"{config.get('strategy', 'run')}: {run.path.name}"
    return f"{config['strategy']} under {config['attack']}, {config['task']}"


def _says(run: Run) -> str:
    config, planned = run.config, run.config.get("num-rounds", run.config.get("num_rounds"))
    done = f"{len(run.rounds)} of {planned} rounds" if planned else f"{len(run.rounds)} rounds"
    who = f"{len(run.workers)} workers"
    if run.byzantine:
        who += f", {len(run.byzantine)} of them Byzantine"
    seed = f", seed {config['seed']}" if "seed" in config else ""
    why = run.summary.get("error") or run.summary.get("stopped_because")
    ended = f"{run.status}: {why}" if why else run.status
    return f"{who}; {done}{seed}. Status: {ended}. Folder: {run.path.name}."


def _headline(run: Run) -> list[tuple[str, str]]:
    summary, found = run.summary, []
    shares = ("final_test_accuracy", "best_test_accuracy", "final_claimed_accuracy")
    beside = ("final_backdoor_success", "final_minority_accuracy", "final_others_accuracy")
    for key in (*shares, *beside, *DETECTION):
        if key in summary:
            share = summary[key]
            says = "not finite" if share is None else f"{100 * share:.1f} %"
            found.append((NAMES.get(key, key.replace("_", " ")), says))
    if "final_test_accuracy" not in summary and "final_test_loss" in summary:
        found.append(("final test loss", shown(summary["final_test_loss"])))
    for name, value in summary.get("final_server_metrics", {}).items():
        if not isinstance(value, list):
            found.append((name, "not finite" if value is None else shown(value)))
    if run.rounds:
        found += [
            (NAMES[key].replace(" (MB)", ""), f"{run.rounds[-1][key]:.2f} MB")
            for key in ("uplink_megabytes", "downlink_megabytes")
        ]
    if "uplink_bits_per_parameter" in summary:
        up, down = summary["uplink_bits_per_parameter"], summary["downlink_bits_per_parameter"]
        found.append(("bits a parameter, up and down", f"{up:.4g} / {down:.4g}"))
    if "seconds" in summary:
        found.append(("time", f"{summary['seconds']:.1f} s"))
    return [("status", run.status), *found]


def _configuration(run: Run) -> list[Section]:
    """What differs from the defaults, and every key; of another's Flower app, all that it says."""
    lines = [[key, shown(value)] for key, value in run.config.items()]
    if "task" not in run.config:
        return [Section("Configuration", [Table(["key", "value"], lines)])] if lines else []
    usual = defaults()
    differing = [
        [key, shown(value), shown(usual.get(key))]
        for key, value in run.config.items()
        if key not in PLACES and value != usual.get(key)
    ]
    nothing = Text("Nothing: every key has its default.")
    table = Table(["key", "value", "default"], differing)
    return [
        Section("Configuration: what differs from the defaults", [table if differing else nothing]),
        Section("Configuration: every key", [Table(["key", "value"], lines)], folded=True),
    ]


def _versions(run: Run) -> list[Table]:
    lines = [[name, str(version)] for name, version in run.described.get("versions", {}).items()]
    lines += [
        [key, str(run.summary[key])] for key in ("model_sha256", "parameters") if key in run.summary
    ]
    return [Table(["of", "is"], lines)] if lines else []


def _flat(line: dict[str, Any]) -> dict[str, Any]:
    """One row of CSV: numbers and texts as they are, lists of workers as text, tables left out."""
    flat = {}
    for key, value in line.items():
        if isinstance(value, list):
            flat[key] = " ".join(map(str, value))
        elif not isinstance(value, dict):
            flat[key] = value
    counted = {f"dropped {reason}": len(ids) for reason, ids in line["dropped"].items()}
    return flat | {f"seconds {k}": s for k, s in line.get("seconds", {}).items()} | counted
