# Wrong answers to lesson 2. The tests prove that none of them gets the points.

# %% exercise="wrong_vote" mistake="a tie is right"
def wrong_vote(p, honest, byzantine):
    from math import comb

    n = honest + byzantine
    return sum(
        comb(honest, k) * p**k * (1 - p) ** (honest - k)
        for k in range(honest + 1)
        if 2 * (k + byzantine) > n
    )


# %% exercise="wrong_vote" mistake="Byzantine workers are left out instead of being wrong"
def wrong_vote(p, honest, byzantine):
    from math import comb

    return sum(
        comb(honest, k) * p**k * (1 - p) ** (honest - k)
        for k in range(honest + 1)
        if 2 * k >= honest
    )


# %% exercise="wrong_vote" mistake="how often a vote is wrong is taken for how often a bit is"
def wrong_vote(p, honest, byzantine):
    return (honest * p + byzantine) / (honest + byzantine)


# %% exercise="vote_bound" mistake="the formula as printed: below the truth for p above 1/2"
def vote_bound(p):
    mean = np.mean(p)
    return np.exp(-len(p) * (mean - 0.5 * np.log(2 * np.e * mean)))


# %% exercise="vote_bound" mistake="the number of workers is forgotten"
def vote_bound(p):
    mean = np.mean(p)
    return 1.0 if mean >= 0.5 else np.exp(-(mean - 0.5 * np.log(2 * np.e * mean)))


# %% exercise="vote_bound" mistake="true and empty"
def vote_bound(p):
    return 0.0023 if np.allclose(p, 0.1) else 1.0


# %% exercise="most_byzantine" mistake="any minority, whatever honest workers are worth"
def most_byzantine(n, p):
    return (n - 1) // 2


# %% exercise="most_byzantine" mistake="a draw is enough"
def most_byzantine(n, p):
    return max((b for b in range((n + 1) // 2) if (n - b) * (1 - p) >= n / 2), default=0)


# %% exercise="most_byzantine" mistake="p is taken for the probability of being right"
def most_byzantine(n, p):
    p = p or 1
    return max((b for b in range(n) if (n - b) * p > n / 2), default=0)


# %% exercise="strongest" mistake="the opposite of one worker, not of the vote"
def strongest(honest):
    return -np.asarray(honest)[0]


# %% exercise="strongest" mistake="-1 everywhere"
def strongest(honest):
    return np.full(np.shape(honest)[1], -1)


# %% exercise="strongest" mistake="0 where honest workers are split, which is no bit"
def strongest(honest):
    return -np.sign(np.sum(honest, axis=0))
