"""Where a test puts its tensors: on the CPU, elsewhere, on a GPU."""

import sys

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from signfed.strategies.ops.upload import uploaded


class NamedElsewhere(str):
    """The CPU under the name of another device, to reach the code that a GPU runs."""

    type = "elsewhere"


class Elsewhere(torch.Tensor):
    @property
    def device(self):
        return NamedElsewhere("cpu")


def on_cpu(tensor):
    return tensor


def elsewhere(tensor):
    return tensor.as_subclass(Elsewhere)


def on_gpu(tensor):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    return tensor.cuda()


PLACES = (on_cpu, elsewhere, pytest.param(on_gpu, marks=pytest.mark.gpu))


# What makes the CPU wait for a device, as methods or functions of tensors.
WAIT = {
    "cpu", "numpy", "item", "tolist", "__bool__", "__float__", "__int__", "__index__", "nonzero",
    "unique", "masked_select", "equal", "allclose", "__array__",
}  # fmt: skip


# What makes a tensor out of what lies on the CPU, and the device of a GPU wait for it.
SENDS = {"to", "tensor", "as_tensor", "asarray"}

_ACTIVE = []  # the `Waits` whose blocks are running


class Counted(Elsewhere):
    """The CPU as another device, of which each call is noted that a device would have to wait for.

    To copy it to the CPU, to ask for a number, and to choose by a mask, whose result has a length
    that only the device knows.
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", str(func))
        if name == "to" and isinstance(args[0], Counted):
            name = "cpu" if any(map(_is_cpu, (*args[1:], *(kwargs or {}).values()))) else name
        masked = name == "__getitem__" and any(_is_mask(key) for key in _keys(args[1]))
        if (name in WAIT or masked) and _ACTIVE:
            _ACTIVE[-1].found.append("mask" if masked else name)
        result = super().__torch_function__(func, types, args, kwargs or {})
        if name == "cpu" and isinstance(result, torch.Tensor):
            return result.as_subclass(torch.Tensor)
        return result


class _Sent(TorchFunctionMode):
    """Notes what is sent to the device and waited for, and makes what is made there `Counted`."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = getattr(func, "__name__", str(func)), kwargs or {}
        by_uploaded = sys._getframe(1).f_code is uploaded.__code__
        result = func(*args, **kwargs)
        given = (*args, *kwargs.values())
        there = any(isinstance(value, NamedElsewhere | Counted) for value in given)
        sent = there and name in SENDS and not isinstance(args[0], Counted)
        if sent and not (by_uploaded or kwargs.get("non_blocking")):
            _ACTIVE[-1].found.append("upload")
        if name in ("__getitem__", "__setitem__") and isinstance(args[0], Counted):
            _ACTIVE[-1].found.extend("upload" for value in _keys(args[1]) if _is_sent(value))
            _ACTIVE[-1].found.extend("upload" for value in args[2:] if _is_sent(value))
        if any(isinstance(value, NamedElsewhere) for value in given) and name != "__get__":
            return result.as_subclass(Counted)
        return result


class Waits:
    """Collects, inside a `with` block, what made the CPU wait: `found`.

    Also what is sent to a device from memory that is not pinned: a CPU tensor or a list that is
    written into a tensor there or is an index of it. Only `uploaded` does not wait.
    """

    def __enter__(self):
        self.found, self._sent = [], _Sent()
        _ACTIVE.append(self)
        self._sent.__enter__()
        return self

    def __exit__(self, *error):
        self._sent.__exit__(*error)
        _ACTIVE.remove(self)


def counted(values, kind=torch.as_tensor):
    return kind(values).as_subclass(Counted)


def _keys(key):
    return key if isinstance(key, tuple) else (key,)


def _is_cpu(value):
    """Whether it says that a tensor of a device is wanted on the CPU."""
    if isinstance(value, torch.Tensor):
        return not isinstance(value, Counted)
    return not isinstance(value, NamedElsewhere) and str(value) == "cpu"


def _is_sent(value):
    """Whether a device has to be sent it: numbers come along with the call."""
    if isinstance(value, torch.Tensor):
        return value.dim() > 0 and not isinstance(value, Counted)
    return isinstance(value, list | np.ndarray)


def _is_mask(key):
    return isinstance(key, torch.Tensor) and key.dtype in (torch.bool, torch.uint8)
