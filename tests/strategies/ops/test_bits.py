import numpy as np
import pytest

from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.ops import bits
from tests.strategies.ops import plain
from tests.strategies.ops.samples import SIZES, frozen, packed_rows, same_bits


@pytest.mark.parametrize("shape", [(), (1,), (5,), (0,)])
def test_signs_are_those_of_the_plain_form(shape):
    for n_coordinates in SIZES:
        packed = packed_rows(shape[0] if shape else 1, n_coordinates)
        packed = frozen(packed.reshape(*shape, -1)) if packed.size else packed
        dense = bits.signs(packed, n_coordinates)
        assert same_bits(dense, plain.signs(packed, n_coordinates))
        assert dense.flags.c_contiguous and dense.flags.writeable
        assert same_bits(bits.unpack(packed, n_coordinates), (dense > 0).astype(np.uint8))
        assert same_bits(bits.pack(dense >= 0), packed)


@pytest.mark.parametrize("n_coordinates", [n for n in SIZES if n])
def test_the_layout_is_the_codecs(n_coordinates):
    values = np.random.default_rng(0).standard_normal(n_coordinates).astype(np.float32)
    values[::3], values[1::5] = -0.0, np.inf
    packed = bits.pack(values >= 0)
    assert same_bits(packed, SignCodec().encode(values))
    assert same_bits(bits.signs(packed, n_coordinates), SignCodec().decode(packed, n_coordinates))
