"""Networks for the shared pass: those that it takes, and those that it has to refuse."""

import torch
from torch import nn
from torch.nn import functional as F


class Own(nn.Module):
    """Parameters of a user's own: a class token, places, a scale, tied weights, a module twice."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 6, padding_idx=0)
        self.token = nn.Parameter(torch.full((1, 1, 6), 0.3))
        self.places = nn.Parameter(torch.linspace(-1, 1, 48).view(1, 8, 6))
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.twice, self.slopes = nn.Linear(6, 6), nn.PReLU(8)
        self.norm, self.rms = nn.LayerNorm(6), nn.RMSNorm(6)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        x = self.slopes(self.twice(self.norm(x)))
        x = self.rms(self.twice(x) * self.scale + 2 / (3 + x * x))
        return F.linear(x.mean(1), self.embedding.weight)  # tied


class Windows(nn.Module):
    """Rows of samples: a linear layer and a norm of a row for each of 7 tokens."""

    def __init__(self):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(11, 6), nn.Linear(6, 5)
        self.norm, self.last = nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(35, 3)

    def forward(self, tokens):
        rows = self.norm(self.layer(self.embedding(tokens).flatten(0, 1)))
        return self.last(torch.tanh(rows).unflatten(0, (-1, 7)).flatten(1))


def images():
    """Every kind of convolution and norm of images."""
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding="same", dilation=2), nn.GroupNorm(2, 6), nn.PReLU(6),
        nn.Conv2d(6, 8, (2, 3), stride=(2, 1), padding=(1, 0), groups=2, bias=False),
        nn.BatchNorm2d(8, track_running_stats=False), nn.ELU(),
        nn.ConvTranspose2d(8, 4, 3, stride=2, output_padding=1), nn.InstanceNorm2d(4, affine=True),
        nn.Conv2d(4, 4, 2, padding="same", padding_mode="reflect"), nn.MaxPool2d(2),
        nn.BatchNorm2d(4, affine=False, track_running_stats=False), nn.Flatten(1, 2),
        nn.Conv1d(24, 5, 3), nn.BatchNorm1d(5, track_running_stats=False), nn.Flatten(),
        nn.LazyLinear(3),
    )  # fmt: skip


class Changed(nn.Module):
    """Two layers with something between them that a shared pass must not take."""

    def __init__(self, between, shape=(6,)):
        super().__init__()
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.extra = nn.Parameter(torch.full(shape, 0.5))
        self.between = between

    def forward(self, x):
        return self.last(self.between(self.extra, torch.tanh(self.first(x))))


class Rare(torch.autograd.Function):
    """A parameter that autograd sees, and no function of torch's."""

    @staticmethod
    def forward(ctx, parameter, x):
        ctx.save_for_backward(x)
        return x + parameter

    @staticmethod
    def backward(ctx, gradient):
        return gradient.sum(0), gradient


MIXING = {  # what depends on the other samples of a batch
    "mean of the batch": lambda p, x: x - x.mean(0) + 0 * p.sum().detach(),
    "a little of it": lambda p, x: x + 1e-4 * x.mean(0),
    "order": lambda p, x: x + 0.1 * x.cumsum(0),
    "size": lambda p, x: x / len(x),
    "largest": lambda p, x: x / x.abs().max(),
}
OTHERWISE = {  # parameters in functions without a shared form
    "norm": lambda p, x: x * (p / p.norm()),
    "einsum": lambda p, x: torch.einsum("bi,i->bi", x, p),
    "stack": lambda p, x: torch.stack([p * 1, p * 1]).sum(0) * x,
    "autograd function": lambda p, x: Rare.apply(p, x),
    "in place": lambda p, x: (x * 1).add_(p),
    "with alpha": lambda p, x: torch.add(x, p, alpha=2),
    "turned": lambda p, x: (x.t() * p.unsqueeze(1)).t(),
}


class Called(nn.Module):
    """Calls functions of its parameters, one of each usual shape."""

    def __init__(self, between):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.filter, self.back = nn.Conv1d(1, 2, 3), nn.ConvTranspose1d(1, 2, 3)
        self.scale = nn.Parameter(torch.linspace(0.5, 1, 6))
        self.token = nn.Parameter(torch.linspace(-1, 1, 6).view(1, 6))
        self.between = between

    def forward(self, x):
        return self.last(self.between(self, torch.tanh(self.first(x))))


BY_KEYWORD = {  # by the names that torch gives its arguments
    "linear": lambda m, x: F.linear(input=x, weight=m.second.weight, bias=m.second.bias),
    "filter": lambda m, x: F.conv1d(input=x[:, None], weight=m.filter.weight, padding=1)[:, 0],
    "filter back": lambda m, x: F.conv_transpose1d(input=x[:, None], weight=m.back.weight)[
        :, 1, 2:
    ],
    "product": lambda m, x: torch.mul(input=x, other=m.scale),
    "sum of a tensor": lambda m, x: x.add(other=m.scale),
    "expand": lambda m, x: x + m.token.expand(size=(len(x), 6)),
    "slope": lambda m, x: torch.prelu(input=x, weight=m.scale),
    "no parameter": lambda m, x: torch.pow(torch.mul(x, other=x), exponent=2) + m.scale,
}
COMPUTED = {  # a weight or a bias that is computed from a parameter beside one that is not
    "weight": lambda m, x: F.linear(x, 2 * m.second.weight, m.second.bias),
    "bias": lambda m, x: F.linear(x, m.second.weight, 2 * m.second.bias),
    "filter": lambda m, x: F.conv1d(x[:, None], 2 * m.filter.weight, m.filter.bias, padding=1)[
        :, 0
    ],
    "filter back": lambda m, x: F.conv_transpose1d(x[:, None], 2 * m.back.weight, m.back.bias)[
        :, 1, 2:
    ],
}
