"""What a measurement puts around the product's code while rounds run, and takes away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.cases import Case
from signfed.app.engines.local import engine
from signfed.app.task import precision
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


@contextmanager
def algorithms(case: Case, device: torch.device) -> Iterator[None]:
    """Within, take those that a case allows: deterministic ones, or any, as torch would choose.

    A run asks for deterministic ones, and so do gradients in each call: neither does for any.
    """
    with ExitStack() as stack:
        if case.algorithms == "any":
            for owner in (engine, precision):
                stack.enter_context(_replaced(owner, "repeatable", lambda _: nullcontext()))
        else:
            stack.enter_context(repeatable(device))
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
