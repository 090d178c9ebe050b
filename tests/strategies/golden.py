"""One small federation on which every rule answers differently: its rounds, and who was wrong when.

Workers 0, 1, 2; coordinates 3; sign-fd with T_in = 2. Rounds 1 to 3 = T_in + 1 are decoded alike by
all three forms of sign-fd; "wrong" marks Y != U. LLR(k/q) stands for ln((q - k) / k).

round 1: all weights 1.
    Y0 = + + +   wrong . . .        p0 = 0/3 -> weight +10 (clipped)
    Y1 = + + +         . . .        p1 = 0/3 -> weight +10
    Y2 = - + -         x . x        p2 = 2/3 -> weight LLR(2/3) = -0.693
    U  = + + +
round 2:
    Y0 = - + -   wrong . x .        p0 = 1/6 -> LLR(1/6) = +1.609
    Y1 = + - +         x . x        p1 = 2/6 -> LLR(2/6) = +0.693
    Y2 = + + +         x x x        p2 = 5/6 -> LLR(5/6) = -1.609
    score  -10 + 10 - 0.693, 10 - 10 - 0.693, -10 + 10 - 0.693
    U  = - - -
round 3:
    Y0 = + + +   wrong x . .        p0 = 2/9
    Y1 = - + +         . . .        p1 = 2/9
    Y2 = + + +         x . .        p2 = 6/9
    score  1.609 - 0.693 - 1.609 = -0.693, 1.609 + 0.693 - 1.609 = 0.693, 0.693
    U  = - + +
So after round 3 the counts by coordinate are
    worker 0: 1 1 0, of which 0 1 0 until T_in (1 of 6) and 1 0 0 after it;
    worker 1: 1 0 1, of which 1 0 1 until T_in (2 of 6) and 0 0 0 after it;
    worker 2: 3 1 2, of which 2 1 2 until T_in (5 of 6) and 1 0 0 after it.
round 4 has other magnitudes than 1, for the mean:
    Y0 = + - +, Y1 = + + -, Y2 = + + +; what each rule makes of it is in test_golden.
"""

import numpy as np

INITIAL_ROUNDS = 2
CROSSOVER_AFTER_ROUND_3 = {0: 2 / 9, 1: 2 / 9, 2: 6 / 9}

ROUNDS = [
    {worker: np.array(row, np.float32) for worker, row in enumerate(rows)}
    for rows in (
        [(1, 1, 1), (1, 1, 1), (-1, 1, -1)],
        [(-1, 1, -1), (1, -1, 1), (1, 1, 1)],
        [(1, 1, 1), (-1, 1, 1), (1, 1, 1)],
        [(1, -2, 1), (1, 1, -8), (4, 4, 1)],
    )
]
