"""The networks, by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from signfed.app.task.models.cnn import bft_cnn, fd_cnn, mlp, signguard_cnn
from signfed.app.task.models.pure import purified
from signfed.app.task.models.resnet import resnet_18, resnet_50, resnet_56
from signfed.app.task.models.spec import Spec
from signfed.app.task.models.text_rnn import text_rnn
from signfed.app.task.own import found

Factory = Callable[[Spec], nn.Module]

MODELS: dict[str, Factory] = {
    "mlp": mlp,
    "fd-cnn": fd_cnn,
    "bft-cnn": bft_cnn,
    "signguard-cnn": signguard_cnn,
    "resnet-56": resnet_56,
    "resnet-18": resnet_18,
    "resnet-50": resnet_50,
    "text-rnn": text_rnn,
}


def build(name: str, spec: Spec, seed: int) -> nn.Module:
    """A freshly initialised model, a function of its arguments; the global RNG is left as it was.

    name: of MODELS, or module:function. Raises ConfigError when there is no such function.
    """
    factory = MODELS[name] if name in MODELS else found("model", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return purified(factory(spec))


def flatten(model: nn.Module) -> Tensor:
    """Parameters as one vector, float32 [N], in `model.parameters()` order."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()
