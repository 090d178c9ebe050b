"""What each cell of a sweep ran on, its code, seconds and attempts."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

import signfed
from signfed.app.config.plugins import rule_class
from signfed.app.config.run_config import RunConfig, build_strategy
from signfed.app.experiments.cells import Cell
from signfed.app.experiments.modules import digest
from signfed.app.runs.json_files import json_line, write_json
from signfed.app.runs.versions import versions
from signfed.app.task.workload import device_of

FILE, JOURNAL = "manifest.json", "manifest.jsonl"


class Load(NamedTuple):
    """What decides how long a run takes, what decides most of it first."""

    task: str
    model: str
    device: str
    precision: str
    samples: int  # of a round, of all workers
    workers: int
    strategy: str
    attack: str
    evaluate_every: int
    rounds: int

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Load:
        """Return what a manifest says; what an older one does not say is None."""
        return cls(*(written.get(name) for name in cls._fields))  # type: ignore[arg-type]


class Manifest:
    """Read and write `manifest.json` of a sweep's folder.

    What changes is added to `manifest.jsonl`, a line a change, until the whole is saved: a sweep of
    ten thousand cells would otherwise write megabytes for each.

    Parameters
    ----------
    folder : Path
        The sweep's.
    """

    def __init__(self, folder: Path) -> None:
        self._file, self._journal = folder / FILE, folder / JOURNAL
        found: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
        self.cells: dict[str, dict[str, Any]] = found.get("cells", {})
        self._codes: dict[str, dict[str, str]] = found.get("codes", {})
        self._places: dict[str, dict[str, Any]] = found.get("places", {})
        with suppress(OSError, ValueError):  # its last line may be cut off
            for line in self._journal.read_text(encoding="utf-8").splitlines():
                change = json.loads(line)
                self.cells |= change["cells"]
                self._codes |= change["codes"]
                self._places |= change.get("places", {})  # an older one has none

    def code_of(self, cell_id: str) -> dict[str, str]:
        """Return the digests of a cell's code, by module."""
        return self._codes.get(self.cells[cell_id]["code"], {})

    def begin(self, cell: Cell) -> None:
        """Count an attempt at a cell, and write it down."""
        known = self.cells.setdefault(cell.id, {"attempts": 0})
        known |= {
            "keys": dict(cell.keys), "status": "started", "settings": cell.settings,
            "code": cell.code_id, "load": load_of(cell.config)._asdict(),
            "attempts": known["attempts"] + 1,
        }  # fmt: skip
        new = {} if cell.code_id in self._codes else {cell.code_id: dict(cell.code)}
        self._codes |= new
        self._add(cell, codes=new)

    def end(
        self, cell: Cell, status: str, seconds: float | None, ran_on: Mapping[str, Any]
    ) -> None:
        """Write down how a cell ended.

        Parameters
        ----------
        cell : Cell
        status : str
            Of its run.
        seconds : float, optional
            That its run took, earlier attempts included.
        ran_on : mapping
            `surroundings` of the process that ran it; empty where they are not known.
        """
        known = self.cells[cell.id]
        known |= {"status": status, "seconds": seconds, "when": _today()}
        known.pop("place", None)  # of an earlier attempt
        new = {}
        if ran_on:
            known["place"] = place = digest(json.dumps(ran_on, sort_keys=True))
            new = {} if place in self._places else {place: dict(ran_on)}
        self._places |= new
        self._add(cell, places=new)

    def take(self, cell: Cell, theirs: Manifest) -> None:
        """Write down a cell that another sweep has run.

        Parameters
        ----------
        cell : Cell
        theirs : Manifest
            The other one's, which knows it.
        """
        known = theirs.cells[cell.id] | {"keys": dict(cell.keys)}
        code, place = known["code"], known.get("place", "")
        codes = {} if code in self._codes else {code: theirs.code_of(cell.id)}
        new = place in theirs._places and place not in self._places
        places = {place: theirs._places[place]} if new else {}
        self.cells[cell.id] = known
        self._codes |= codes
        self._places |= places
        self._add(cell, codes=codes, places=places)

    def _add(self, cell: Cell, **new: Mapping[str, Any]) -> None:
        """Write down what became of a cell, with codes or places that are not in the file yet."""
        change = {"cells": {cell.id: self.cells[cell.id]}, "codes": {}, "places": {}}
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(json_line(change | new))

    def ran(self, cell_ids: Iterable[str]) -> dict[str, Any]:
        """Return where most of these cells ran, when the last one ended, how many ran elsewhere.

        Parameters
        ----------
        cell_ids : iterable of str
            Of cells that ended.

        Returns
        -------
        dict
            `surroundings`, "when", and "elsewhere": how many of another commit, other versions or
            hardware, or where that is not known: of an older manifest, or of a cluster that lost
            the machine.
        """
        cells = [self.cells[each] for each in cell_ids if each in self.cells]
        known = [cell for cell in cells if "place" in cell]
        if not known:
            return {**surroundings(), "when": _today(), "elsewhere": len(cells)}
        [(most, count)] = Counter(cell["place"] for cell in known).most_common(1)
        return {
            **self._places[most],
            "when": max(cell["when"] for cell in known),
            "elsewhere": len(cells) - count,
        }

    def save(self) -> None:
        """Replace the file by the whole, before the first cell and after the last."""
        whole = {"cells": self.cells, "codes": self._codes, "places": self._places}
        write_json(self._file, whole)
        self._journal.unlink(missing_ok=True)


def load_of(config: RunConfig) -> Load:
    """Return what decides how long a run takes."""
    workload, workers = config.workload, config.participation.count
    device = workload.device  # one that a cluster has need not be here
    return Load(
        workload.task, workload.model,
        device_of(device).type if device == "auto" else device, workload.precision,
        workload.batch_size * _gradients(config), workers, config.strategy.name,
        config.attack.name, config.evaluate_every, config.num_rounds,
    )  # fmt: skip


def _gradients(config: RunConfig) -> int:
    """How many gradients of a batch a round takes: of the partitions that a code hands out."""
    if rule_class(config.strategy.name).coded:
        says = build_strategy(config).instructions(config.workload.num_workers)
        return int.from_bytes(says["allocation"]).bit_count()
    return config.participation.count * config.workload.local.count


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


@cache  # of the process: what it has imported stays
def surroundings() -> Mapping[str, Any]:
    """Return the commit, the versions and the hardware of this process."""
    return {**_commit(), "versions": versions(), "hardware": hardware()}


def hardware() -> dict[str, Any]:
    """Return the CPU's name, cores, memory in GiB, and GPUs of this machine."""
    gpus = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(i) for i in gpus],
    }


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> dict[str, Any]:
    """The commit of signfed's checkout, and whether it was changed since; None where it is none."""
    folder = Path(signfed.__file__).parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments],
                capture_output=True, text=True, check=True, timeout=20,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "signfed/__init__.py") != "signfed/__init__.py":  # another's repository
        return {"commit": None, "dirty": None}
    return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
