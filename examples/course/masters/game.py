# What lesson 3's attack is played against; its master includes it.


# %% part="setup"
def play(attack, colluders, seed):
    """Play 60 rounds against federated defence; returns the share of right signs in each."""
    draws = np.random.default_rng(seed)
    rule, right = signfed.SignFD(estimator="pooled"), []
    for server_round in range(1, 61):
        truth = draws.choice([-1, 1], 500)
        rows = noisy(truth, np.full(15, 0.3), draws)
        rows[:colluders] = attack(rows[:colluders].copy(), server_round)
        result = rule(rows.astype(np.float32), server_round=server_round)
        right.append(np.mean(result == truth))
    return np.array(right)
