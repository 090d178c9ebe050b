"""Where a test puts its tensors: on the CPU, elsewhere, on a GPU."""

import pytest
import torch


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


_ACTIVE = []  # the `Waits` whose blocks are running


class Counted(Elsewhere):
    """The CPU as another device, of which each call is noted that a device would have to wait for.

    To copy it to the CPU, to ask for a number, and to choose by a mask, whose result has a length
    that only the device knows.
    """

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", str(func))
        masked = name == "__getitem__" and any(_is_mask(key) for key in _keys(args[1]))
        if (name in WAIT or masked) and _ACTIVE:
            _ACTIVE[-1].found.append("mask" if masked else name)
        result = super().__torch_function__(func, types, args, kwargs or {})
        if name == "cpu" and isinstance(result, torch.Tensor):
            return result.as_subclass(torch.Tensor)
        return result


class Waits:
    """Collects, inside a `with` block, what made the CPU wait: `found`."""

    def __enter__(self):
        self.found = []
        _ACTIVE.append(self)
        return self

    def __exit__(self, *error):
        _ACTIVE.remove(self)


def counted(values, kind=torch.as_tensor):
    return kind(values).as_subclass(Counted)


def _keys(key):
    return key if isinstance(key, tuple) else (key,)


def _is_mask(key):
    return isinstance(key, torch.Tensor) and key.dtype in (torch.bool, torch.uint8)
