"""A transformer that predicts the next character; its embedding is its output layer, too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

VOCABULARY = 96  # printable ASCII, and one for everything else
CONTEXT = 32  # characters that it sees
WIDTH, HEADS, LAYERS, RANK = 64, 4, 2, 4


class Adapted(nn.Module):
    """A frozen linear layer plus a trained product of two thin matrices (LoRA): W x + B A x.

    B starts at zero, so that the adapted model starts as the base model.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.base = nn.Linear(inputs, outputs)
        self.adapter_a = nn.Parameter(torch.randn(RANK, inputs) / inputs**0.5)
        self.adapter_b = nn.Parameter(torch.zeros(outputs, RANK))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.adapter_a.T @ self.adapter_b.T


class Block(nn.Module):
    """Causal self-attention and a perceptron, each behind a layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = Adapted(WIDTH, 3 * WIDTH), Adapted(WIDTH, WIDTH)
        self.up, self.down = Adapted(WIDTH, 4 * WIDTH), Adapted(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(self.norm1(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))


class TextModel(nn.Module):
    """Token and position embeddings, blocks, and the token embedding again as output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.1)
        self.head.weight = self.tokens.weight  # tied: one array under two names

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions.weight[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))


def adapter_of(model: TextModel) -> dict[str, Tensor]:
    """The arrays that travel: those of the adapters."""
    return {name: value for name, value in model.state_dict().items() if "adapter" in name}
