"""Text without a download, the base model, training and evaluation. Nothing here is signfed's.

The base model has seen English: the help texts that come with Python. The nodes hold Python
code, the modules of the standard library, and adapt the model to it.
"""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from sysconfig import get_path

import torch
from torch import Tensor, nn

from text_adapter.model import CONTEXT, TextModel

HELD_OUT = ("abc", "bisect", "glob", "heapq", "sched")  # modules on the server
BATCH = 16


def encode(text: str) -> Tensor:
    """Characters as numbers: int64, 0 to 95."""
    codes = torch.frombuffer(bytearray(text, "utf-8"), dtype=torch.uint8).to(torch.int64) - 32
    return codes.where((codes >= 0) & (codes < 95), 95)  # a new line, too


def english() -> Tensor:
    """The texts of Python's help()."""
    from pydoc_data.topics import topics

    return encode("\n".join(topics[name] for name in sorted(topics)))


def modules() -> list[Path]:
    """The modules of the standard library, by name."""
    return sorted(Path(get_path("stdlib")).glob("[a-z]*.py"))


def code(paths: list[Path]) -> Tensor:
    return encode("\n".join(path.read_text(encoding="utf-8") for path in paths))


@lru_cache
def load_data(partition_id: int, num_partitions: int) -> Tensor:
    """What one node holds: one of every `num_partitions` modules."""
    mine = [path for path in modules() if path.stem not in HELD_OUT]
    return code(mine[partition_id::num_partitions])


@lru_cache
def load_test_set() -> Tensor:
    """Text of modules that no node has."""
    return code([path for path in modules() if path.stem in HELD_OUT])[:20_000]


def batch(text: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random windows of the text, and the same one character later."""
    starts = torch.randint(len(text) - CONTEXT - 1, (BATCH, 1), generator=draws)
    windows = text[starts + torch.arange(CONTEXT + 1)]
    return windows[:, :-1], windows[:, 1:]


def loss_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def train(model: nn.Module, text: Tensor, steps: int, lr: float, seed: int) -> float:
    """Train in place what is not frozen; return the mean loss."""
    draws = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=lr)
    model.train()
    total = 0.0
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, *batch(text, draws))
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / steps


@torch.no_grad()
def test(model: nn.Module, text: Tensor) -> tuple[float, float]:
    """Return loss and accuracy of the next character, on the text cut into windows."""
    model.eval()
    windows = text[: len(text) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1)
    inputs, targets = windows[:, :-1], windows[:, 1:]
    hits = (model(inputs).argmax(dim=-1) == targets).float().mean()
    return loss_of(model, inputs, targets).item(), hits.item()


@lru_cache
def _base() -> TextModel:
    """Seeded, so that all nodes have the same. Your app would load a checkpoint here."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = TextModel()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("adapter" not in name)
    train(model, english(), steps=100, lr=5e-3, seed=0)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("adapter" in name)
    return model


def base_model() -> TextModel:
    """A copy of the base model, in which only the adapter is trained."""
    return deepcopy(_base())
