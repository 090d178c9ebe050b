"""What attacks compute from rows."""

import numpy as np

from signfed.attacks.core.rows import lowest


def test_a_share_that_is_no_float_takes_as_many_as_it_says():
    """0.29 * 100 is 28.999..."""
    assert lowest(np.arange(100.0), 0.29).sum() == 29
