"""Rows of infinities: dropped as floats, +1 as signs."""

import numpy as np
import pytest

from signfed.strategies.core.codecs import Float32Codec, SignCodec
from signfed.strategies.core.drop_reason import DropReason
from tests.attacks.inputs import crafted
from tests.federation import federate, locally

KEYS = {
    "task": "quadratic", "num_workers": 7, "num_byzantine": 2, "byzantine_ids": "1,4",
    "attack": "inf", "num_rounds": 3,
}  # fmt: skip


def test_no_float_row_of_infinities_is_valid_and_every_sign_row_is():
    (row,) = crafted("inf", np.ones((1, 9), np.float32))
    assert Float32Codec().fault(Float32Codec().encode(row), 9) is DropReason.NON_FINITE
    bits = SignCodec().encode(row)
    assert SignCodec().fault(bits, 9) is None
    assert np.array_equal(SignCodec().decode(bits, 9), np.ones(9))


@pytest.mark.parametrize("run", [federate, locally])
def test_its_rows_are_dropped_and_counted_and_the_run_goes_on(run, tmp_path):
    done = run(tmp_path / "run", strategy="median", **KEYS)
    assert done.summary["status"] == "finished"
    assert [r["dropped"] for r in done.rounds] == [{"non-finite": [1, 4]}] * 3


def test_a_rule_that_needs_more_rows_than_are_left_answers_with_its_fallback(tmp_path):
    """Bulyan with n = 7 and f = 1 may not answer with 6."""
    keys = KEYS | {"num_byzantine": 1, "byzantine_ids": "4"}
    done = locally(tmp_path / "run", strategy="bulyan", **keys)
    assert all("fallback" in r for r in done.rounds)


def test_as_signs_they_are_votes_for_plus_one(tmp_path):
    signs = locally(tmp_path / "inf", strategy="sign-mv", **KEYS)
    keys = KEYS | {"attack": "directional", "directional.value": 1.0}
    assert not any(signs.dropped)
    assert signs.sha256 == locally(tmp_path / "plus", strategy="sign-mv", **keys).sha256
