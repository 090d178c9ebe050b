"""Networks that a user could write for images of 8 x 8, of the kinds that a GPU treats unlike."""

from __future__ import annotations

from torch import nn


class Block(nn.Module):
    """Two convolutions beside a shortcut, with batch norm as PyTorch makes it by default."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2))

    def forward(self, x):
        y = self.norms[0](self.first(x)).relu()
        return (x + self.norms[1](self.second(y))).relu()


def residual(spec):
    channels, _, _ = spec.image()
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        Block(8), Block(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, spec.num_classes),
    )  # fmt: skip


class Recurrent(nn.Module):
    """Reads an image line by line."""

    def __init__(self, spec, kind):
        super().__init__()
        channels, _, width = spec.image()
        self.reads = kind(channels * width, 12, batch_first=True)
        self.last = nn.Linear(12, spec.num_classes)

    def forward(self, x):
        states, _ = self.reads(x.transpose(1, 2).flatten(2))
        return self.last(states[:, -1])


def lstm(spec):
    return Recurrent(spec, nn.LSTM)


def gru(spec):
    return Recurrent(spec, nn.GRU)


class Attending(nn.Module):
    """A token a line, one layer of a transformer."""

    def __init__(self, spec):
        super().__init__()
        channels, _, width = spec.image()
        self.layer = nn.TransformerEncoderLayer(channels * width, 2, 16, 0.0, batch_first=True)
        self.last = nn.Linear(channels * width, spec.num_classes)

    def forward(self, x):
        return self.last(self.layer(x.transpose(1, 2).flatten(2)).mean(1))


def attention(spec):
    return Attending(spec)
