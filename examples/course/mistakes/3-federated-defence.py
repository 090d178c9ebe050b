# Wrong answers to lesson 3. The tests prove that none of them gets the points.

# %% exercise="llr" mistake="an inverted worker is thrown away instead of being read backwards"
def llr(p):
    p = np.asarray(p, dtype=float)
    return np.clip(np.log((1 - p + 1e-5) / (p + 1e-5)), 0, 10)


# %% exercise="llr" mistake="infinite weights"
def llr(p):
    p = np.asarray(p, dtype=float)
    with np.errstate(divide="ignore"):
        return np.log(1 - p) - np.log(p)


# %% exercise="llr" mistake="nothing is limited: 11.5 for a worker that was never wrong"
def llr(p):
    p = np.asarray(p, dtype=float)
    return np.log((1 - p + 1e-5) / (p + 1e-5))


# %% exercise="llr" mistake="limited, but without epsilon"
def llr(p):
    p = np.asarray(p, dtype=float)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(1 - p) - np.log(p), -10, 10)


# %% exercise="outvoted" mistake="the last round only"
def outvoted(sent, results):
    return np.mean(sent[-1] != results[-1], axis=1)


# %% exercise="outvoted" mistake="how often a worker was right"
def outvoted(sent, results):
    return np.mean(np.asarray(sent) == np.asarray(results)[:, None, :], axis=(0, 2))


# %% exercise="decode" mistake="weights of 1 - 2p, which are right for small differences only"
def decode(rows, p):
    return np.where((1 - 2 * np.asarray(p)) @ np.asarray(rows) >= 0, 1, -1)


# %% exercise="decode" mistake="the absolute weight: nobody is read backwards"
def decode(rows, p):
    p = np.asarray(p)
    return np.where(np.abs(np.log((1 - p) / p)) @ np.asarray(rows) >= 0, 1, -1)


# %% exercise="decode" mistake="the best worker alone"
def decode(rows, p):
    best = np.argmax(np.abs(np.asarray(p) - 0.5))
    return np.asarray(rows)[best] * (1 if p[best] < 0.5 else -1)


# %% exercise="decode" mistake="limited, but without epsilon"
def decode(rows, p):
    p = np.asarray(p, dtype=float)
    weights = np.clip(np.log(1 - p) - np.log(p), -10, 10)
    return np.where(weights @ np.asarray(rows) >= 0, 1, -1)


# %% exercise="bloc" mistake="wrong from the start: it is read backwards"
def bloc(own, server_round):
    return -own


# %% exercise="bloc" mistake="each turns, but they do not agree on a row"
def bloc(own, server_round):
    return own if server_round <= 20 else -own


# %% exercise="bloc" mistake="never turns"
def bloc(own, server_round):
    agreed = np.where(own.sum(axis=0) >= 0, 1, -1)
    return np.tile(agreed, (len(own), 1))


# %% exercise="bloc" mistake="coins"
def bloc(own, server_round):
    return np.random.default_rng(server_round).choice([-1, 1], own.shape)


# %% exercise="twins" mistake="good workers agree, too, and are taken for colluders"
def twins(rows, p):
    agree = rows @ rows.T / rows.shape[1]
    return [(i, j) for i in range(len(p)) for j in range(i + 1, len(p)) if agree[i, j] > 0.5]


# %% exercise="twins" mistake="the share of equal bits is compared with q_i q_j"
def twins(rows, p):
    q = 1 - 2 * np.asarray(p)
    same = (rows[:, None] == rows[None]).mean(axis=2)
    return [
        (i, j)
        for i in range(len(q))
        for j in range(i + 1, len(q))
        if same[i, j] - q[i] * q[j] > 0.2
    ]
