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
    "model", "workers", "batch", "rule", "precision", "round_ms", "floor_ms", "ratio", "loop_ms",
    "least_ms", "first_round_s", "peak_gb", "target_ms", "path", "note",
)  # fmt: skip


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
            "side_by_side": None, "profile_of": None,
        }  # fmt: skip

    def add(self, kind: str, value: Any) -> None:
        """Add to a list, or set what is none, and write."""
        if isinstance(self.found[kind], list):
            self.found[kind].append(value)
        else:
            self.found[kind] = value
        self._write("results.json", json.dumps(self.found, indent=1) + "\n")
        self._write("results.md", markdown(self.found))

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
        "Milliseconds. floor: the gradients of all workers and nothing else; loop: one worker after"
        " the other; least: what the card could do it in, by FLOP and bytes counted.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    for row in found["rows"]:
        lines.append("| " + " | ".join(_cell(row.get(name)) for name in COLUMNS) + " |")
    if beside := found["side_by_side"]:
        lines += ["", "SignGuard's CNN, 50 workers, side by side on one card: " + _beside(beside)]
    if found["left_out"]:
        lines += ["", f"Not reached in the time: {len(found['left_out'])}."]
    if found["profile_of"]:
        lines += ["", f"profile.txt: {found['profile_of']}."]
    return "\n".join(lines) + "\n"


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
