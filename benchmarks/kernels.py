"""Loops on signs and rows beside naive float versions and the time to read their bytes once.

python -m benchmarks.kernels [--rows 15 50] [--coordinates 582026] [--large] [--threads 1]

All versions of a case take turns, and with one thread the process's own time is taken, not that of
the wall: a busy machine changes little. A second table has the accuracy of pairwise distances, in
the worst pair, by how near the rows are to one another.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import report
from benchmarks.naive import (
    ROUNDS,
    Work,
    naive_distances,
    naive_fd,
    naive_pack,
    naive_signs,
    naive_vote,
    read,
)
from signfed.strategies.core.agreement import agreements, standings
from signfed.strategies.core.ternary import silence_useless, ternary_vote, ternary_weights
from signfed.strategies.ops.gram import centred_gram, distances_of, squared_distances
from signfed.strategies.ops.order import order_statistics
from signfed.strategies.ops.packed import PackedSigns

MOST = 2**30  # bytes that a naive version touches, up to which it is tried
PUBLISHED = (64, 65_536)  # the size of which others tell their times


def together(works: dict[str, Work | None], budget: float) -> dict[str, float]:
    """Median seconds of each; they take turns, 5 at least and for `budget` seconds.

    In its turn a work is called twice and timed the second time, with its own data in the caches.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found: dict[str, list[float]] = {name: [] for name, work in works.items() if work}
    started, turn = time.perf_counter(), 0
    while turn < 5 or (time.perf_counter() - started < budget and turn < 1000):
        for name, times in found.items():
            works[name]()
            before = clock()
            works[name]()
            times.append(clock() - before)
        turn += 1
    return {name: median(times) for name, times in found.items()}


def judged(signs: PackedSigns) -> Tensor:
    standing = standings(agreements(signs))
    return silence_useless(signs, ternary_weights(standing, standing, signs.n_coordinates))


def sign_cases(n: int, n_coordinates: int, float_too: bool) -> Iterator[tuple[str, dict]]:
    """(kernel, works): "ours", "naive" and "read"."""
    draws = np.random.default_rng(0)
    rows = (torch.from_numpy(draws.standard_normal(n_coordinates)) for _ in range(n))
    signs = PackedSigns(torch.stack([PackedSigns.pack(row).bits for row in rows]), n_coordinates)
    decoded = signs.vote()
    weights = torch.from_numpy(draws.standard_normal(n).astype(np.float32))
    truth, once = decoded.dense(), read(signs.bits.numpy())

    def floats() -> Tensor:
        return naive_signs(signs)

    def case(name: str, ours: Work, naive: Work, floor: Work = once) -> tuple[str, dict]:
        return name, {"ours": ours, "naive": naive if float_too else None, "read": floor}

    yield case(
        "majority vote",
        signs.vote,
        lambda: floats().sum(0) >= 0,
    )
    yield case(
        "weighted vote",
        lambda: signs.weighted_vote(weights),
        lambda: naive_vote(floats(), weights[:, None]),
    )
    yield case(
        "disagreements",
        lambda: signs.disagreements(decoded),
        lambda: (floats() != truth).sum(1),
    )
    yield case(
        "disagreements of all pairs",
        signs.pairwise_disagreements,
        lambda: floats() @ floats().T,
    )
    yield case(
        "vote by agreement",
        lambda: ternary_vote(signs, judged(signs)),
        lambda: floats() @ floats().T,
    )
    drawn = (draws.integers(0, ROUNDS // 2, n_coordinates, dtype=np.int16) for _ in range(n))
    counts = [torch.from_numpy(count) for count in drawn]
    tables = draws.standard_normal((n, 2**16)).astype(np.float32)  # the turns go on counting
    tables = torch.from_numpy(tables)
    wide_counts = torch.stack(counts).to(torch.float32) if float_too else None
    yield case(
        "sign-fd per coordinate",
        lambda: signs.vote_and_count(counts, tables),
        lambda: naive_fd(floats(), wide_counts),
        lambda: (once(), [count.max() for count in counts]),
    )


def float_cases(n: int, n_coordinates: int) -> Iterator[tuple[str, dict]]:
    rows = np.random.default_rng(0).standard_normal((n, n_coordinates), dtype=np.float32)
    tensor, once = torch.from_numpy(rows), read(rows)
    signs = PackedSigns.pack(tensor)
    middle, kept = ((n - 1) // 2, n // 2), range(n // 4, n - n // 4)
    few = n * n * n_coordinates <= MOST
    cases: dict[str, tuple[Work, Work | None, Work]] = {
        "pack": (lambda: PackedSigns.pack(tensor), lambda: naive_pack(tensor), once),
        "unpack to float32": (signs.dense, lambda: naive_signs(signs), read(signs.bits.numpy())),
        "median": (
            lambda: order_statistics(rows, middle),
            lambda: tensor.sort(dim=0).values[list(middle)],
            once,
        ),
        "trimmed half": (
            lambda: order_statistics(rows, kept),
            lambda: tensor.sort(dim=0).values[list(kept)],
            once,
        ),
        "pairwise distances": (
            lambda: squared_distances(tensor),
            (lambda: naive_distances(tensor)) if few else None,
            once,
        ),
    }
    for name, works in cases.items():
        yield name, dict(zip(("ours", "naive", "read"), works, strict=True))


def accuracy(n: int = 15, n_coordinates: int = 100_000) -> list[dict[str, Any]]:
    """Largest relative error of a squared distance, by the spread of the rows around their mean."""

    def in_float32(rows: Tensor, centre: Tensor) -> Tensor:
        parts = (rows - centre).split(2048, dim=1)
        return distances_of(sum((part @ part.T).to(torch.float64) for part in parts))

    def uncentred(rows: Tensor) -> Tensor:
        exact = rows.to(torch.float64)
        return distances_of(exact @ exact.T)

    variants: dict[str, Callable[[Tensor], Tensor]] = {
        "float64, near rows anew (ours)": squared_distances,
        "float64, centred once": lambda rows: distances_of(centred_gram(rows)),
        "float64, not centred": uncentred,
        "float32, centred, chunks added in float64": lambda rows: in_float32(rows, rows.mean(0)),
        "float32, not centred": lambda rows: in_float32(rows, torch.zeros(1)),
        "torch.cdist": lambda rows: torch.cdist(rows, rows).double() ** 2,
    }
    table = [{"distances": name} for name in variants]
    draws = torch.Generator().manual_seed(0)
    for spread in (1.0, 1e-3, 1e-5):
        rows = torch.randn(n_coordinates, generator=draws)
        rows = rows + spread * torch.randn(n, n_coordinates, generator=draws)
        rows[1] = rows[0]
        rows[1, :10] += 1e-3 * spread  # a near-duplicate, far nearer than the others
        exact = naive_distances(rows.to(torch.float64))
        pairs = exact > 0
        for line, variant in zip(table, variants.values(), strict=True):
            error = (variant(rows)[pairs] - exact[pairs]).abs() / exact[pairs]
            line[f"spread {spread:g}"] = float(error.max())
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[15, 50])
    parser.add_argument("--coordinates", type=int, nargs="+", default=[9_610, 582_026])
    parser.add_argument("--large", action="store_true", help="also 50 rows of 11,173,962")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds per case")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    table: list[dict[str, Any]] = []

    def measure(n: int, n_coordinates: int, cases: Iterator[tuple[str, dict]]) -> None:
        for name, works in cases:
            ms = {key: 1e3 * value for key, value in together(works, given.budget).items()}
            naive = ms.get("naive")
            table.append({
                "kernel": name, "n": n, "N": n_coordinates, "ms": ms["ours"], "naive ms": naive,
                "naive/ours": naive and naive / ms["ours"], "read ms": ms["read"],
                "ours/read": ms["ours"] / ms["read"],
            })  # fmt: skip

    if given.large:  # first: the peak of memory is of the whole process
        measure(50, 11_173_962, sign_cases(50, 11_173_962, float_too=False))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    for n in given.rows:
        for n_coordinates in given.coordinates:
            measure(n, n_coordinates, sign_cases(n, n_coordinates, 4 * n * n_coordinates <= MOST))
            measure(n, n_coordinates, float_cases(n, n_coordinates))
    measure(*PUBLISHED, float_cases(*PUBLISHED))
    clock = "process" if given.threads == 1 else "wall"
    title = f"kernels, torch threads: {given.threads}; medians of {clock} time"
    if given.large:
        title += f"; peak memory of the large ones {peak:.2f} GiB"
    report(title, table, given.out)
    second = given.out and given.out.with_stem(f"{given.out.stem}-accuracy")
    report("largest relative error of a squared distance", accuracy(), second)


if __name__ == "__main__":
    main()
