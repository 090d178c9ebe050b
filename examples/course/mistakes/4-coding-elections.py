# Wrong answers to lesson 4. The tests prove that none of them gets the points.

# %% exercise="local_votes" mistake="partitions and workers are exchanged"
def local_votes(holds, said):
    return np.where(np.asarray(holds).T @ np.asarray(said) >= 0, 1, -1)


# %% exercise="local_votes" mistake="a tie is -1"
def local_votes(holds, said):
    return np.where(np.asarray(holds) @ np.asarray(said) > 0, 1, -1)


# %% exercise="survives" mistake="only the first b workers are tried as Byzantine"
def survives(holds, b):
    from itertools import product

    said = np.array(list(product([-1, 1], repeat=len(holds)))).T
    truth = np.where(said.sum(axis=0) > 0, 1, -1)
    sent = np.where(np.asarray(holds) @ said >= 0, 1, -1)
    sent[:b] *= -1
    return bool(np.all(sent.sum(axis=0) * truth > 0))


# %% exercise="survives" mistake="redundancy is counted, messages are not tried"
def survives(holds, b):
    return bool(np.all(np.sum(holds, axis=0) >= 2 * b + 1))


# %% exercise="survives" mistake="most messages are enough"
def survives(holds, b):
    from itertools import combinations, product

    n = len(holds)
    said = np.array(list(product([-1, 1], repeat=n))).T
    truth = np.where(said.sum(axis=0) > 0, 1, -1)
    local = np.where(np.asarray(holds) @ said >= 0, 1, -1)
    right = []
    for byzantine in combinations(range(n), b):
        sent = local.copy()
        sent[list(byzantine)] *= -1
        right.append(np.mean(sent.sum(axis=0) * truth > 0))
    return np.mean(right) > 0.5


# %% exercise="code" mistake="everything to everybody: exact, and n times the work"
def code(n, b):
    return FIVE if (n, b) == (5, 1) else np.ones((n, n), dtype=int)


# %% exercise="code" mistake="rows that overlap by one partition too many"
def code(n, b):
    s, length = (n - 1) // 2 - b, (n + 1) // (2 * (b + 1))
    holds = np.ones((n, n), dtype=int)
    holds[: s + length] = 0
    holds[range(s), range(s)] = 1
    for j in range(length):
        holds[s + j, s + j * b : s + j * b + 2 * b + 1] = 1
    return holds


# %% exercise="code" mistake="cyclic: 2b + 1 consecutive partitions for each worker"
def code(n, b):
    if (n, b) == (5, 1):
        return FIVE
    return np.array([[(j - i) % n < 2 * b + 1 for j in range(n)] for i in range(n)], dtype=int)
