"""The hot loops of the rules on a CPU: NumPy on packed bits and whole rows, nothing to compile.

Pure functions on arrays; the two that count in place say so. Beside each stands `reference`, the
same in the plainest form; the tests hold both to the same bits (distances to ten digits). Rows are
packed as SignCodec packs them. `eager` has the sign kernels for tensors on an accelerator,
`compiled` makes fused ones of them on a GPU, `grouped` calls those that sum rows in order.
"""

from signfed.strategies.ops.kernels.bits import pack, signs, unpack
from signfed.strategies.ops.kernels.coordinates import count_disagreements, vote_and_count
from signfed.strategies.ops.kernels.gram import (
    centred_gram,
    distances_of,
    inner_products,
    squared_distances,
)
from signfed.strategies.ops.kernels.majority import majority_vote, tied
from signfed.strategies.ops.kernels.order import order_statistics
from signfed.strategies.ops.kernels.popcount import block_disagreements, disagreements
from signfed.strategies.ops.kernels.weighted import weighted_vote

__all__ = [
    "block_disagreements",
    "centred_gram",
    "count_disagreements",
    "disagreements",
    "distances_of",
    "inner_products",
    "majority_vote",
    "order_statistics",
    "pack",
    "signs",
    "squared_distances",
    "tied",
    "unpack",
    "vote_and_count",
    "weighted_vote",
]
