"""The hot loops on packed bits on a CPU: NumPy, nothing to compile.

Pure functions on arrays; the two that count in place say so. Beside each stands `reference`, the
same in the plainest form; the tests hold both to the same bits. Rows are
packed as SignCodec packs them. `eager` has the sign kernels for tensors on an accelerator,
`compiled` makes fused ones of them on a GPU, `grouped` calls those that sum rows in order.
"""

from signfed.strategies.ops.kernels.bits import pack, signs, unpack
from signfed.strategies.ops.kernels.coordinates import count_disagreements, vote_and_count
from signfed.strategies.ops.kernels.majority import majority_vote, tied
from signfed.strategies.ops.kernels.popcount import block_disagreements, disagreements
from signfed.strategies.ops.kernels.weighted import weighted_vote

__all__ = [
    "block_disagreements",
    "count_disagreements",
    "disagreements",
    "majority_vote",
    "pack",
    "signs",
    "tied",
    "unpack",
    "vote_and_count",
    "weighted_vote",
]
