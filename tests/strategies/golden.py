"""One small federation on which every vote answers differently: its rounds, and who was wrong when.

Workers 0, 1, 2, of which 2 misses round 4; coordinates 3; sign-fd with T_in = 2. Rounds 1 to 3 =
T_in + 1 are decoded alike by all three forms of sign-fd, and by reputation-mv; "wrong" marks
Y != U. LLR(k/q) stands for ln((q - k) / k), w for the weight in the next round.

round 1: all weights 1.
    Y0 = + + +   wrong x . x   sign-fd p0 = 2/3, w = LLR(2/3) = -0.693  reputation a0 = 1/3, w = 0
    Y1 = - - -         . x .           p1 = 1/3, w = LLR(1/3) = +0.693             a1 = 2/3, w = 1/3
    Y2 = - + -         . . .           p2 = 0/3, w = +10 (clipped)                 a2 = 3/3, w = 1
    U  = - + -
round 2:
    Y0 = + - +   wrong x x x   sign-fd p0 = 5/6, w = LLR(5/6) = -1.609  reputation a0 = 1/6, w = 0
    Y1 = + - -         x x .           p1 = 3/6, w = 0                             a1 = 3/6, w = 0
    Y2 = - + -         . . .           p2 = 0/6, w = +10                           a2 = 6/6, w = 1
    sign-fd     -0.693 + 0.693 - 10, 0.693 - 0.693 + 10, -0.693 - 0.693 - 10
    reputation  1/3 - 1, -1/3 + 1, -1/3 - 1
    U  = - + -
round 3:
    Y0 = + + +   wrong x x .   sign-fd p0 = 7/9                         reputation a0 = 2/9, w = 0
    Y1 = - + +         . x .           p1 = 4/9                                    a1 = 5/9, w = 1/9
    Y2 = - - +         . . .           p2 = 0/9                                    a2 = 9/9
    sign-fd     -1.609 - 10, -1.609 - 10, -1.609 + 10
    reputation  follows Y2, the only one with a weight
    U  = - - +
So after round 3 the disagreements by coordinate are
    worker 0: 3 2 2, of which 2 1 2 until T_in (5 of 6) and 1 1 0 after it;
    worker 1: 1 3 0, of which 1 2 0 until T_in (3 of 6) and 0 1 0 after it;
    worker 2: none.
round 4: Y0 = + + +, Y1 = + - +; what each rule makes of it is in test_golden.
"""

import numpy as np

INITIAL_ROUNDS = 2
CROSSOVER_AFTER_ROUND_3 = {0: 7 / 9, 1: 4 / 9, 2: 0.0}
REPUTATION_AFTER_ROUND_3 = {0: 2 / 9, 1: 5 / 9, 2: 1.0}
VOTES_UNTIL_ROUND_3 = [[-1, 1, -1], [-1, 1, -1], [-1, -1, 1]]

ROUNDS = [
    {worker: np.array(row, np.float32) for worker, row in enumerate(rows)}
    for rows in (
        [(1, 1, 1), (-1, -1, -1), (-1, 1, -1)],
        [(1, -1, 1), (1, -1, -1), (-1, 1, -1)],
        [(1, 1, 1), (-1, 1, 1), (-1, -1, 1)],
        [(1, 1, 1), (1, -1, 1)],
    )
]
