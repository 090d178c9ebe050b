"""What a measurement puts around the product's code while rounds run, and takes away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.cases import Case
from signfed.app.engines.local import engine
from signfed.app.task.repeatable import repeatable
from signfed.strategies.core.ledger import Ledger


class Waited:
    """Seconds that the CPU has waited for the device so far."""

    seconds = 0.0


@contextmanager
def waits() -> Iterator[Waited]:
    """Within a `with` block, count the time until what the ledger reads is on the CPU.

    What is done with it is no waiting, and does not count.
    """
    read, waited = Ledger.read, Waited()

    def counted(ledger: Ledger, *wanted: Tensor) -> list[Tensor]:
        started = perf_counter()

        def there(values: Tensor) -> None:
            waited.seconds += perf_counter() - started

        if ledger or wanted:
            ledger._owed.insert(0, (torch.empty(0), there))  # who is owed first hears first
        return read(ledger, *wanted)

    with _replaced(Ledger, "read", counted):
        yield waited


def algorithms(case: Case, device: torch.device) -> AbstractContextManager[None]:
    """Those that a case allows: deterministic ones as in a run, or any, as PyTorch would choose."""
    return nullcontext() if case.algorithms == "any" else repeatable(device)


def engine_with(case: Case) -> AbstractContextManager[None]:
    """Have the local engine take the algorithms that a case allows, within a `with` block."""
    return _replaced(engine, "repeatable", lambda device: algorithms(case, device))


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
