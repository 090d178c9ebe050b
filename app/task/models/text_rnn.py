"""A recurrent network for short texts."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from signfed.app.task.models.spec import Spec

EMBEDDING, HIDDEN = 300, 128
PADDING = 0  # the token that fills up a text


class TextRNN(nn.Module):
    """Tokens int64 [B, T], filled up with 0 on the right -> scores [B, classes].

    Embedding 300, bidirectional LSTM of 2 layers with 128 each way, dropout .5, fc of the last
    states of both directions. What fills a text up is not read, so its length changes nothing.

    Parameters
    ----------
    vocabulary : int
        Number of different tokens.
    num_classes : int
        Outputs.
    """

    def __init__(self, vocabulary: int, num_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, EMBEDDING, padding_idx=PADDING)
        self.rnn = nn.LSTM(EMBEDDING, HIDDEN, 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.scores = nn.Linear(2 * HIDDEN, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PADDING).sum(dim=1).clamp(min=1).cpu()  # an empty text: one token 0
        read = pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.rnn(read)  # [2 layers x 2 directions, B, 128]
        return self.scores(self.dropout(last[-2:].transpose(0, 1).flatten(1)))


def text_rnn(spec: Spec) -> nn.Module:
    """Make a two-layer bidirectional LSTM: 3,836,612 parameters for 10,000 tokens, 4 classes.

    References
    ----------
    Xu et al. 2022, section V.

    Notes
    -----
    Deviation: the sizes are ours; the paper states none.
    """
    if not spec.vocabulary:
        raise ValueError(f"expected tokens; got {spec.described()}")
    return TextRNN(spec.vocabulary, spec.num_classes)
