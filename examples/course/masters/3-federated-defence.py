# %% [markdown]
# # 3. Federated defence: decode instead of throwing away
#
# A worker that always sends the opposite of the truth tells the truth: read it backwards. *SignSGD with federated
# defense* (Park and Lee, 2024) estimates how often each worker is wrong and weighs its bits accordingly, with a
# negative weight where that is more than half the time. No worker is thrown away.
#
# Then you will turn it: workers that are honest until they are trusted make it read the honest ones backwards.
#
# *You need* lessons 1 and 2, and logarithms. *Time*: 75 minutes, twenty seconds of them the computer's. *Afterwards*
# you can derive the weights, and name the assumption that colluders break.

# %% include="digits.py"

# %% part="setup"
def noisy(truth, p, draws):
    """Signs of workers, [len(p), N]: worker m's bit is other than the truth with probability p[m]."""
    wrong = draws.random((len(p), len(truth))) < np.asarray(p)[:, None]
    return np.where(wrong, -truth, truth)


# %% [markdown]
# ## What a bit is worth
#
# Before we know anything, the right sign $U$ is $+1$ or $-1$ with equal probability. Worker $m$ sends $Y_m$, which is
# wrong with probability $p_m$. If workers err independently of one another, then
#
# $$\ln\frac{P[U = +1 \mid Y_1, \ldots, Y_M]}{P[U = -1 \mid Y_1, \ldots, Y_M]} = \sum_m Y_m \ln\frac{1 - p_m}{p_m}$$
#
# and the best guess is its sign: a vote in which worker $m$ has the weight $w_m = \ln\frac{1-p_m}{p_m}$, its
# *log-likelihood ratio* (LLR).

# %%
p = np.linspace(0.005, 0.995, 200)
figure, axis = plt.subplots(figsize=(6, 2.8))
axis.plot(p, np.log((1 - p) / p))
axis.text(0.05, 3.6, "nearly always right:\nheard most", fontsize=8)
axis.text(0.47, 0.5, "a coin:\nnot heard", fontsize=8)
axis.text(0.7, -4.4, "nearly always wrong:\nread backwards", fontsize=8)
axis.set(xlabel="probability that a bit is wrong, p", ylabel="weight of the worker", ylim=(-5, 6))
plt.show()

# %% [markdown]
# ## Six of fifteen invert every bit
#
# The server does not know $p_m$. It counts how often worker $m$ differed from the result of the vote in earlier
# rounds: it is *outvoted* $p_m$ of the time. `sign-fd.estimator='pooled'` is the estimator of the paper, one number a
# worker.

# %%
inverted = {"num_byzantine": 6, "attack": "sign-inversion", "lr": 0.003}
for rule in ({"strategy": "sign-mv"}, {"strategy": "sign-fd", "sign_fd__estimator": "pooled"}):
    run, rounds = train(**rule, **inverted)
    print(f"{rule['strategy']}: {run.summary['final_test_accuracy']:.2f}")
print("outvoted:", *(f"{share:.2f}" for share in rounds[-1]["crossover"].values()))

# %% [markdown]
# The first six are outvoted four times out of five, so they are read backwards, and nothing is lost: 0.96 is what
# fifteen honest workers reach.

# %% [markdown] exercise="llr" points=2
# ### Exercise 1: the weight
#
# Write `llr(p)` for an array of error rates. An estimate may be exactly 0 or 1, where the logarithm is infinite and
# the worker would outweigh all others together. So add $\epsilon = 10^{-5}$ to numerator and denominator, and then
# limit the weight to $[-10, 10]$.


# %% part="answer"
def llr(p):
    """Return the weights of workers with error rates p."""
    # BEGIN SOLUTION
    p = np.asarray(p, dtype=float)
    return np.clip(np.log((1 - p + 1e-5) / (p + 1e-5)), -10, 10)
    # END SOLUTION


# %% part="tests"
assert np.allclose(llr(np.array([0.5, 0.1])), [0.0, np.log(9)], atol=1e-3)

# %% part="hidden"
assert np.allclose(llr(np.array([0.0, 1.0])), [10, -10]), "limited"
assert np.allclose(llr(np.array([0.75])), [-np.log(3)], atol=1e-3), "negative"
assert np.allclose(llr(np.array([1e-4])), [np.log(1 / 1.1e-4)], atol=1e-3), "epsilon"

# %% [markdown] exercise="outvoted" points=2
# ### Exercise 2: the estimate
#
# Write `outvoted(sent, results)`. `sent` holds the bits ($\pm1$) of T rounds, [T, M, N]; `results` what the server
# decoded, [T, N]. Return for each worker the share of all its bits, over all rounds, that differed from the result.


# %% part="answer"
def outvoted(sent, results):
    """Return an estimate of each worker's error rate, [M]."""
    # BEGIN SOLUTION
    return np.mean(np.asarray(sent) != np.asarray(results)[:, None, :], axis=(0, 2))
    # END SOLUTION


# %% part="tests"
sent = np.array([[[1, 1], [1, -1]]])  # one round, two workers, two numbers
assert np.allclose(outvoted(sent, np.array([[1, 1]])), [0.0, 0.5])

# %% part="hidden"
sent = np.array([[[1, 1, 1], [-1, -1, -1]], [[-1, 1, 1], [1, 1, 1]]])
assert np.allclose(outvoted(sent, np.ones((2, 3))), [1 / 6, 1 / 2]), "of all rounds"

# %% [markdown] exercise="decode" points=3
# ### Exercise 3: decode
#
# Write `decode(rows, p)`: the sign of the weighted sum of the rows, +1 and -1 (0 counts as +1). Write the weight of
# exercise 1 again: an answer is graded without the other ones.


# %% part="answer"
def decode(rows, p):
    """Return the best guess of the true signs, [N], from rows of signs [M, N] with error rates p."""
    # BEGIN SOLUTION
    p = np.asarray(p, dtype=float)
    weights = np.clip(np.log((1 - p + 1e-5) / (p + 1e-5)), -10, 10)
    return np.where(weights @ np.asarray(rows) >= 0, 1, -1)
    # END SOLUTION


# %% part="tests"
rows = np.array([[1, -1], [1, -1], [-1, 1]])
assert list(decode(rows, np.array([0.2, 0.2, 0.2]))) == [1, -1], "equal workers: the vote"
assert list(decode(rows, np.array([0.2, 0.2, 0.8]))) == [1, -1]

# %% part="hidden"
rows = np.array([[1, -1], [1, -1], [-1, 1]])
assert list(decode(rows, np.array([0.05, 0.2, 0.01]))) == [-1, 1], "ln 99 against ln 19 + ln 4"
assert list(decode(rows, np.array([0.05, 0.1, 0.01]))) == [1, -1], "ln 99 against ln 19 + ln 9"
assert list(decode(rows, np.array([0.01, 0.01, 1e-4]))) == [1, -1], "epsilon: 2 ln 99 against 9.11"
draws = np.random.default_rng(1)
truth = draws.choice([-1, 1], 2000)
p = np.array([0.2] * 6 + [0.9] * 9)
assert np.mean(decode(noisy(truth, p, draws), p) == truth) > 0.99, "nine invert, and help"
assert list(decode(np.array([[1], [-1]]), np.array([0.3, 0.3]))) == [1], "a tie is +1"

# %% [markdown]
# ## How colluders turn it
#
# The derivation assumed that workers err *independently*. Fifteen honest workers do, more or less. But the reference
# against which $p_m$ is counted is the vote itself, and whoever moves the vote moves the reference.
#
# The attack `trusted-bloc`: six of fifteen workers agree on one row, the sign of the mean of their gradients. It is a
# better row than anyone's alone, so they earn large weights. After 20 rounds they send its opposite. Watch what the
# server believes:

# %%
turned, rounds = train(strategy="sign-fd", sign_fd__estimator="pooled", lr=0.003, num_byzantine=6,
                       attack="trusted-bloc", trusted_bloc__rounds=20)  # fmt: skip
believed = np.array([[r["crossover"][str(worker)] for worker in range(15)] for r in rounds])
figure, (left, beside) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
left.plot(believed[:, 6:], color="C0", lw=0.8)
left.plot(believed[:, :6], color="C3", lw=1.5)
left.set(xlabel="round", ylabel="outvoted", title="honest (blue), bloc (red)", ylim=(0, 1))
beside.plot(*curve(rounds))
for axis in (left, beside):
    axis.axvline(20, color="k", ls=":", lw=0.8)
beside.set(xlabel="round", ylabel="test accuracy", ylim=(0, 1))
plt.show()
print(f"accuracy in the end: {turned.summary['final_test_accuracy']:.2f}")

# %% [markdown]
# When the bloc turns, the result of the weighted vote turns with it. From then on it is the *honest* workers who are
# outvoted; soon they are read backwards, and the model climbs where it should descend. It would only slow down a plain
# vote.

# %% include="game.py"

# %% [markdown] exercise="bloc" points=4
# ### Exercise 4: turn it yourself
#
# Write the attack. `bloc(own, server_round)` gets the honest rows of your workers, +1 and -1, [b, N], and the number
# of the round, from 1. It returns what they send instead, [b, N]. `play` above is the game: in the last ten of 60
# rounds more than 8 of 10 signs must be wrong, with six colluders of fifteen. Nothing but your own rows is known to you.


# %% part="answer"
def bloc(own, server_round):
    """Return what the colluders send, [b, N], in place of their own rows."""
    # BEGIN SOLUTION
    agreed = np.where(own.sum(axis=0) >= 0, 1, -1)
    return np.tile(agreed if server_round <= 20 else -agreed, (len(own), 1))
    # END SOLUTION


# %% part="tests"
right = play(bloc, colluders=6, seed=0)
assert right[-10:].mean() < 0.5, f"{right[-10:].mean():.2f} of the signs are still right"

# %% part="hidden"
for seed in (1, 2):
    right = play(bloc, colluders=6, seed=seed)
    assert right[-10:].mean() < 0.2, f"{right[-10:].mean():.2f} of the signs are still right"

# %% [markdown]
# ## What gives them away
#
# Independent workers agree just as often as their error rates say: $P[Y_i = Y_j] - P[Y_i \ne Y_j] = q_i q_j$ with
# $q = 1 - 2p$. Two that agree far more often depend on each other. signfed's own estimator, `agreement`, judges
# workers by how they agree with each of the others in the round, and gives a bloc one voice:

# %%
for attack in ("sign-inversion", "trusted-bloc"):
    run, _ = train(strategy="sign-fd", lr=0.003, num_byzantine=6, attack=attack)
    print(f"sign-fd, estimator agreement, {attack}: {run.summary['final_test_accuracy']:.2f}")

# %% [markdown] exercise="twins" points=3
# ### Exercise 5: find the colluders
#
# Write `twins(rows, p)`: the list of all pairs $(i, j)$, $i < j$, whose agreement (the left side above, measured on
# rows of signs [M, N]) is more than 0.2 above $q_i q_j$; `p` holds the error rates, [M].


# %% part="answer"
def twins(rows, p):
    """Return the pairs of workers that agree more than independent ones would."""
    # BEGIN SOLUTION
    rows, q = np.asarray(rows), 1 - 2 * np.asarray(p)
    excess = rows @ rows.T / rows.shape[1] - np.outer(q, q)
    return [(i, j) for i in range(len(q)) for j in range(i + 1, len(q)) if excess[i, j] > 0.2]
    # END SOLUTION


# %% part="tests"
draws = np.random.default_rng(0)
truth = draws.choice([-1, 1], 3000)
rows = noisy(truth, np.full(4, 0.3), draws)
rows[3] = rows[1]
assert twins(rows, np.full(4, 0.3)) == [(1, 3)]

# %% part="hidden"
draws = np.random.default_rng(1)
truth = draws.choice([-1, 1], 3000)
p = np.array([0.05, 0.05, 0.1, 0.3, 0.3, 0.9, 0.9])
rows = noisy(truth, p, draws)
assert twins(rows, p) == [], "good workers agree often, and inverted ones too: no collusion"
rows[4] = rows[3]
assert twins(rows, p) == [(3, 4)]

# %% [markdown]
# ## What you have seen
#
# Decoding recovers everything that independent attackers send, and trusts a bloc too much, because it adds up opinions
# that are one opinion. A rule is only as good as its assumption; look for it in every paper.
#
# *To read*: Park and Lee, *SignSGD with federated defense*, ICML 2024. Whether an attack of your own gets through:
# `signfed redteam`.
