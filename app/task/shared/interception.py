"""What a network calls while all workers' samples pass through it as one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from signfed.app.task.shared.batch_norm import HANDLERS as BATCH_NORM
from signfed.app.task.shared.conv import HANDLERS as CONVOLUTIONS
from signfed.app.task.shared.embedding import HANDLERS as EMBEDDING
from signfed.app.task.shared.expand import HANDLERS as BROADCASTING
from signfed.app.task.shared.linear import HANDLERS as LINEAR
from signfed.app.task.shared.norms import HANDLERS as NORMS
from signfed.app.task.shared.shared_pass import Handler, SharedPass

HANDLERS: dict[Callable[..., Any], Handler] = {
    **CONVOLUTIONS,
    **LINEAR,
    **EMBEDDING,
    **BATCH_NORM,
    **NORMS,
    **BROADCASTING,
}


class Interception(TorchFunctionMode):
    """Give torch's functions of trained parameters a form with a gradient for each worker.

    It stands at torch's functions and not at modules: what a module of PyTorch's calls, and what a
    user's forward calls with a parameter of its own, go the same way. Every other function runs as
    it is. One that takes a parameter and has no such form makes a gradient of the whole batch;
    whoever runs the backward pass finds it there. `unknown` then says which function it was.

    Parameters
    ----------
    of : SharedPass
    """

    def __init__(self, of: SharedPass) -> None:
        super().__init__()
        self._of = of
        self.unknown: list[str] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        handler = HANDLERS.get(func)
        if handler is not None:
            try:
                made = handler(self._of, *args, **kwargs)
            except TypeError:
                if _takes(handler, self._of, *args, **kwargs):
                    raise
                made = NotImplemented  # arguments that the form does not know
            if made is not NotImplemented:
                return made
        made = func(*args, **kwargs)
        if self._takes_a_parameter(args) or self._takes_a_parameter(kwargs.values()):
            first = made[0] if isinstance(made, tuple) and made else made
            if isinstance(first, Tensor) and first.requires_grad:
                self.unknown.append(resolve_name(func) or getattr(func, "__name__", repr(func)))
        return made

    def _takes_a_parameter(self, values: Iterable[Any]) -> bool:
        return any(
            self._takes_a_parameter(value)
            if isinstance(value, list | tuple)
            else self._of.sink.owns(value)
            for value in values
        )


def _takes(handler: Handler, *args: Any, **kwargs: Any) -> bool:
    try:
        signature(handler).bind(*args, **kwargs)
    except TypeError:
        return False
    return True
