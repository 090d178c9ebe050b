"""The networks, by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from signfed.app.errors import ConfigError
from signfed.app.task.models.cnn import bft_cnn, fd_cnn, krum_mlp, mlp, signguard_cnn
from signfed.app.task.models.lazy import materialised
from signfed.app.task.models.parameters import assign, flatten, trainable
from signfed.app.task.models.pure import purified
from signfed.app.task.models.resnet import resnet_18, resnet_50, resnet_56
from signfed.app.task.models.spec import Spec
from signfed.app.task.models.text_rnn import text_rnn
from signfed.app.task.own import found
from signfed.app.task.seeded import seeded

MODELS: dict[str, Callable[[Spec], nn.Module]] = {
    "mlp": mlp,
    "krum-mlp": krum_mlp,
    "fd-cnn": fd_cnn,
    "bft-cnn": bft_cnn,
    "signguard-cnn": signguard_cnn,
    "resnet-56": resnet_56,
    "resnet-18": resnet_18,
    "resnet-50": resnet_50,
    "text-rnn": text_rnn,
}


def build(name: str, spec: Spec, seed: int) -> nn.Module:
    """Make a freshly initialised model, a function of its arguments, on the CPU, in training mode.

    Parameters
    ----------
    name : str
        Of MODELS, or module:function.
    spec : Spec
        What the model has to fit.
    seed : int
        Of the global generators while the model is made; they are put back afterwards.

    Returns
    -------
    nn.Module
        With dropout and norms in their pure forms, its lazy parameters initialised.

    Raises
    ------
    ConfigError
        When there is no such function, or it does not return a module.
    """
    factory = MODELS[name] if name in MODELS else found("model", name)
    with seeded(seed):
        model = factory(spec)
        if not isinstance(model, nn.Module):
            raise ConfigError(
                f"model={name!r}: expected a torch.nn.Module; got {type(model).__name__}"
            )
        return purified(materialised(model.cpu(), spec)).train()


__all__ = ["MODELS", "Spec", "assign", "build", "flatten", "trainable"]
