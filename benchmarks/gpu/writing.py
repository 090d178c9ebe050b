"""What was found so far, as JSON and as Markdown: written anew after each row."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

COLUMNS = (
    "model", "workers", "batch", "rule", "precision", "algorithms", "round_ms", "wait_ms",
    "floor_ms", "gradients_ms", "ratio", "loop_ms", "least_ms", "first_round_s", "peak_gb",
    "target_ms", "path", "note",
)  # fmt: skip
MEANT = (
    "Milliseconds. wait: of a round, what the CPU waits for the device in its one synchronisation;"
    " near 0 the CPU is the slower one, and the device waits for it. floor: the gradients of all"
    " workers and nothing else, with the drawing of their batches, many calls under way at once;"
    " gradients: the same on batches that are there, each call waited for. ratio: of the round to"
    " the floor. loop: one worker after the other. least: what the card could do it in, by FLOP and"
    " bytes counted.",
    "",
    "first_round_s: of a network of which nothing was computed yet, with its trial, and with what"
    " Triton compiles that no row and no check before it had compiled. peak_gb: of what PyTorch"
    " reserves for a run, CUDA graphs and its own cache included, CUDA's context not.",
)


class Findings:
    """All that a run of the benchmark found, in a folder.

    Parameters
    ----------
    folder : Path
        It is made; what lies there under the same names is replaced.
    device : torch.device
        What is measured.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.found: dict[str, Any] = {
            "machine": machine(device), "card": {}, "checks": [], "rows": [], "left_out": [],
            "side_by_side": None, "profile_of": None, "cold": None,
        }  # fmt: skip

    def add(self, kind: str, value: Any) -> None:
        """Add to a list, or set what is none, and write."""
        if isinstance(self.found[kind], list):
            self.found[kind].append(value)
        else:
            self.found[kind] = value
        self._write("results.json", json.dumps(self.found, indent=1) + "\n")
        self._write("results.md", markdown(self.found))

    def leave_out(self, of: str, what: str) -> None:
        """Note what was not reached in the time."""
        self.add("left_out", {"of": of, "what": what})

    def profile(self, text: str) -> None:
        """Write a profile beside the results."""
        self._write("profile.txt", text + "\n")

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all: a run may be killed at any moment."""
        part = self._folder / f".{name}"
        part.write_text(text, encoding="utf-8")
        part.replace(self._folder / name)


def machine(device: torch.device) -> dict[str, str]:
    """Card and versions."""
    card = torch.cuda.get_device_name() if device.type == "cuda" else "none"
    found = {"gpu": card, "cores": str(os.cpu_count()), "python": platform.python_version()}
    for name in ("torch", "numpy", "triton"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found | {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}


def markdown(found: dict[str, Any]) -> str:
    """Everything on one page."""
    failed = [each for each in found["checks"] if not each["ok"]]
    card = ", ".join(f"{name} {value:.3g}/s" for name, value in found["card"].items())
    lines = [
        "# Rounds on a device",
        "",
        "; ".join(f"{name} {value}" for name, value in found["machine"].items()),
        "",
        f"Measured on it: {card or 'not yet'} (FLOP by precision; bytes of a copy).",
        "",
        f"Checks: {len(found['checks']) - len(failed)} of {len(found['checks'])} hold.",
        *(f"- FAILED: {each['name']}: {each['said']}" for each in failed),
        "",
        *MEANT,
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    for row in found["rows"]:
        lines.append("| " + " | ".join(_cell(row.get(name)) for name in COLUMNS) + " |")
    if beside := found["side_by_side"]:
        lines += ["", "SignGuard's CNN, 50 workers, side by side on one card: " + _beside(beside)]
    if cold := found["cold"]:
        took = cold.get("note") or f"{cold['seconds']:.3g} s"
        lines += ["", f"The very first round of the process, {cold['of']}, with CUDA's start and"
                  f" all of Triton's compiling: {took}."]  # fmt: skip
    lines += _cost(found["rows"])
    if found["left_out"]:
        lines += ["", f"Not reached in the time ({len(found['left_out'])}):", ""]
        lines += _named(found["left_out"])
    if found["profile_of"]:
        lines += ["", f"profile.txt: {found['profile_of']}."]
    return "\n".join(lines) + "\n"


def _cost(rows: list[dict[str, Any]]) -> list[str]:
    """What deterministic algorithms cost, where a row was measured with and without."""
    keys = ("model", "workers", "batch", "byzantine", "rule", "precision")
    timed = {
        (*(row.get(key) for key in keys), row.get("algorithms")): row["round_ms"]
        for row in rows
        if "round_ms" in row
    }
    lines = []
    for (*case, kind), free in timed.items():
        with_them = timed.get((*case, "deterministic"))
        if kind == "any" and with_them is not None:
            model, workers, batch, _, rule, precision = case
            lines.append(
                f"- {model} {workers} x {batch} {precision} {rule}: {with_them:.3g} ms a round,"
                f" {free:.3g} without ({100 * (with_them / free - 1):+.0f} %)"
            )
    return ["", "What deterministic algorithms cost:", "", *lines] if lines else []


def _named(left_out: list[dict[str, str]]) -> list[str]:
    """All of them: what is left out of several groups alike is one line."""
    by_group: dict[str, list[str]] = {}
    for each in left_out:
        by_group.setdefault(each["of"], []).append(each["what"])
    alike: dict[str, list[str]] = {}
    for of, what in by_group.items():
        alike.setdefault(", ".join(what), []).append(of)
    return [f"- {'; '.join(groups)}: {what}" for what, groups in alike.items()]


def _beside(found: dict[str, Any]) -> str:
    if "note" in found:
        return f"{found['note']}."
    return (
        f"{found['runs']} runs get {found['ratio']:.2f} times the rounds of one, "
        f"{found['together']:.1f} and {found['one']:.1f} a second."
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
