"""What one call of every rule costs, beside ByzFL, a naive version, and reading its bytes once.

python -m benchmarks.rules [--n 15 50 200] [--coordinates 10000 582026 11173962] [--rules ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from benchmarks.common import report, seconds
from benchmarks.naive import naive_distances
from signfed.clients import ENCODERS
from signfed.strategies.core.updates import Updates
from signfed.strategies.registry import STRATEGIES, build

LARGEST = 3 * 2**30  # bytes of float32 rows that are tried; a sort takes three times as much
MANY = 1 << 26  # values of which a call takes seconds: one is timed, and no naive version
BYZANTINE = {15: 3, 50: 10, 64: 12, 200: 40}  # f by n, else n // 5; who admits fewer is left out


def rows_of(n: int, n_coordinates: int) -> torch.Tensor:
    """Honest rows around a common direction: float32 [n, N]."""
    draws = np.random.default_rng(0)
    rows = draws.standard_normal((n, n_coordinates), dtype=np.float32)
    rows += draws.standard_normal(n_coordinates, dtype=np.float32)
    return torch.from_numpy(rows)


def naive_krum(rows: torch.Tensor, f: int, selected: int) -> torch.Tensor:
    scores = naive_distances(rows).sort(1).values[:, 1 : len(rows) - f - 1].sum(1)
    return rows[scores.argsort()[:selected]].mean(0)


def naive_signs(rows: torch.Tensor, f: int) -> torch.Tensor:
    return torch.sign(torch.sign(rows).sum(0))


# As one would write it down: float matrices, one expression.
NAIVE: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "mean": lambda rows, f: torch.stack(list(rows)).mean(0),
    "sign-mv": naive_signs,
    "election": naive_signs,
    "median": lambda rows, f: torch.from_numpy(np.median(rows.numpy(), axis=0)),
    "trimmed-mean": lambda rows, f: rows.sort(0).values[f : len(rows) - f].mean(0),
    "krum": lambda rows, f: naive_krum(rows, f, 1),
    "multi-krum": lambda rows, f: naive_krum(rows, f, len(rows) - f - 2),
}


def byzfl_rules() -> dict[str, Callable[[int], Any]]:
    """Rules of ByzFL with the same definition, or the nearest one, by our name; f -> its object."""
    try:
        import byzfl
    except ImportError:
        return {}
    return {
        "mean": lambda f: byzfl.Average(),
        "median": lambda f: byzfl.Median(),
        "trimmed-mean": lambda f: byzfl.TrMean(f),
        "geometric-median": lambda f: byzfl.GeometricMedian(nu=1e-6, T=8),
        "krum": lambda f: byzfl.Krum(f),
        "multi-krum": lambda f: byzfl.MultiKrum(f),
        "centered-clipping": lambda f: byzfl.CenteredClipping(L=3, tau=10.0),
        "meamed": lambda f: byzfl.Meamed(f),
        "monna": lambda f: byzfl.MoNNA(f),
        "caf": lambda f: byzfl.CAF(f),
    }


def packed_of(n: int, n_coordinates: int) -> Updates:
    """Random signs, where the floats that they could come from would not fit."""
    packed = np.random.default_rng(0).integers(
        256, size=(n, -(-n_coordinates // 8)), dtype=np.uint8
    )
    if n_coordinates % 8:
        packed[:, -1] &= (1 << n_coordinates % 8) - 1
    return Updates(torch.arange(n), 1, n_coordinates, torch.from_numpy(packed), True)


def row(
    name: str, n: int, n_coordinates: int, rows: torch.Tensor | None, f: int,
    peers: dict[str, Any], at_least: float,
) -> dict[str, Any] | None:  # fmt: skip
    """One line of the table; None where the rule does not admit (n, f), or needs the rows."""
    rule = build(STRATEGIES[name], n_byzantine=f, seed=0)
    signs = ENCODERS[rule.encoder]().codec.name == "sign"
    if rule.admissible(n) or (rows is None and not signs):
        return None
    if rows is None:
        updates = packed_of(n, n_coordinates)
    else:
        updates = Updates.from_matrix(rows, signs=signs)
    if rule.needs_reference:
        updates = replace(updates, reference=updates.dense().mean(dim=0))
    taken = updates.rows.numpy().reshape(-1)
    words = taken[: len(taken) // 8 * 8].view(np.uint64)
    few = n * n_coordinates < MANY
    budget = {"repeat": 3 if few else 1, "at_least": at_least}
    ours = seconds(lambda: rule.aggregate(updates), **budget)
    once = seconds(lambda: np.bitwise_xor.reduce(words), **budget)
    naive = NAIVE.get(name) if rows is not None and few else None
    naive_time = seconds(lambda: naive(rows, f), **budget) if naive else None
    peer = peers[name](f) if name in peers and rows is not None else None
    peer_time = seconds(lambda: peer(rows), **budget) if peer else None
    return {
        "rule": name, "n": n, "f": f, "N": n_coordinates, "ms": 1e3 * ours,
        "reading once": ours / once,
        "naive ms": naive_time and 1e3 * naive_time, "naive/ours": naive_time and naive_time / ours,
        "ByzFL ms": peer_time and 1e3 * peer_time, "ByzFL/ours": peer_time and peer_time / ours,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, nargs="+", default=[15, 50, 200])
    parser.add_argument("--coordinates", type=int, nargs="+", default=[10_000, 582_026, 11_173_962])
    parser.add_argument("--rules", nargs="+", choices=STRATEGIES, default=list(STRATEGIES))
    parser.add_argument("--budget", type=float, default=0.3, help="seconds for each time")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    peers, table, left_out = byzfl_rules(), [], []
    with Progress() as progress:
        sizes = [(n, size) for size in given.coordinates for n in given.n]
        bar = progress.add_task("rules", total=len(sizes) * len(given.rules))
        for n, size in sizes:
            fits = 4 * n * size <= LARGEST
            rows = rows_of(n, size) if fits else None
            for name in given.rules:
                found = row(name, n, size, rows, BYZANTINE.get(n, n // 5), peers, given.budget)
                if found:
                    table.append(found)
                elif not fits:
                    left_out.append((name, n, size))
                progress.advance(bar)
    report("one call of a rule; medians; factors of time", table, given.out)
    if left_out:
        print(f"left out, float rows above {LARGEST / 2**30:.0f} GiB: {sorted(set(left_out))}")


if __name__ == "__main__":
    main()
