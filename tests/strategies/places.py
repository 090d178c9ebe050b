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


PLACES = (on_cpu, elsewhere, on_gpu)
