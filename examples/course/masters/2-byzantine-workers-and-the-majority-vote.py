# %% [markdown]
# # 2. Byzantine workers and the majority vote
#
# A *Byzantine* worker sends whatever it likes: because it is broken, or because somebody wants the model to fail.
# One such worker is enough to ruin the mean of gradients. A vote gives it one bit a number, and no more.
#
# *You need* lesson 1 and binomial coefficients. *Time*: 60 minutes, of which the computer works about twenty seconds.
# *Afterwards* you can say how many Byzantine workers a vote survives, and why.

# %% include="digits.py"

# %% [markdown]
# ## One is enough for the mean
#
# One of fifteen workers sends $-14$ times its gradient. The mean of all fifteen is then about 0, and what is left
# points anywhere. Beside it the vote, with no, three, six and seven of fifteen workers that send the opposite of
# every bit.

# %%
runs = {"mean, 1 of 15": train(strategy="mean", lr=0.3, num_byzantine=1, attack="reverse-scaling",
                               reverse_scaling__factor=14.0)}  # fmt: skip
for f in (0, 3, 6, 7):
    attack = "sign-inversion" if f else "none"
    runs[f"vote, {f} of 15"] = train(strategy="sign-mv", lr=0.003, num_byzantine=f, attack=attack)

figure, axis = plt.subplots(figsize=(6, 3))
for (name, (_, rounds)), colour in zip(runs.items(), ("k", "C0", "C1", "C2", "C3")):
    axis.plot(*curve(rounds), "--" if "mean" in name else "-", color=colour, label=name)
axis.set(xlabel="round", ylabel="test accuracy", ylim=(0, 1))
axis.legend(fontsize=8)
plt.show()
for name, (run, _) in runs.items():
    print(f"{name}: {run.summary['final_test_accuracy']:.2f}")

# %% [markdown]
# The vote bends and does not break. To see why, look at single bits. A row below is a worker, a column a number of
# the model; a dark field is a bit that is wrong, that is: other than the sign of the gradient over all data. Honest
# workers are wrong here and there, because each has seen 16 images only. Byzantine workers (the lowest rows, right
# picture) are wrong wherever they would have been right. Below, the **margin**: right votes minus wrong ones. Where
# it falls to 0 or below, the vote is wrong.

# %%
model = np.zeros(640, dtype=np.float32)
true = gradient(model, np.arange(1500))
columns = np.argsort(-abs(true))[40:200:4]
votes = np.where(gradients(model, seed=0) >= 0, 1, -1)[:, columns]
right = np.where(true[columns] >= 0, 1, -1)

figure, axes = plt.subplots(2, 2, figsize=(8, 3.6), sharex=True, height_ratios=[3, 2])
for f, (drawn, below) in zip((0, 5), axes.T):
    sent = votes.copy()
    sent[15 - f :] *= -1
    drawn.imshow(sent == right, cmap="copper", aspect="auto", vmin=-0.3, vmax=1.4)
    drawn.set(title=f"{f} Byzantine workers", yticks=[])
    margin = (sent * right).sum(axis=0)
    below.bar(range(len(columns)), margin, color=np.where(margin > 0, "C0", "C3"))
    below.axhline(0, color="k", lw=0.8)
    print(
        f"{f} Byzantine: {np.mean(sent != right):.2f} of all bits wrong, {np.mean(margin <= 0):.2f} of the votes"
    )
axes[0, 0].set_ylabel("workers")
axes[1, 0].set_ylabel("margin")
plt.show()

# %% [markdown]
# ## How often is a vote wrong?
#
# Let an honest bit be wrong with probability $p < 1/2$, independently of all others, and let Byzantine bits always be
# wrong. A tie counts as wrong.

# %% [markdown] exercise="wrong_vote" points=3
# ### Exercise 1: exactly
#
# Write `wrong_vote(p, honest, byzantine)`: the probability that the vote of so many honest and Byzantine workers is
# wrong. The number $k$ of wrong honest bits is binomial, $P[k] = \binom{h}{k} p^k (1-p)^{h-k}$; `math.comb` helps.


# %% part="answer"
def wrong_vote(p, honest, byzantine):
    """Return the probability that at least half of all bits are wrong."""
    # BEGIN SOLUTION
    from math import comb

    n = honest + byzantine
    return sum(
        comb(honest, k) * p**k * (1 - p) ** (honest - k)
        for k in range(honest + 1)
        if 2 * (k + byzantine) >= n
    )
    # END SOLUTION


# %% part="tests"
assert np.isclose(wrong_vote(0.3, honest=1, byzantine=0), 0.3)
assert np.isclose(wrong_vote(0.3, honest=3, byzantine=0), 0.216), "3 * 0.3^2 * 0.7 + 0.3^3"

# %% part="hidden"
assert np.isclose(wrong_vote(0.3, 2, 0), 0.51), "a tie is wrong"
assert np.isclose(wrong_vote(0.1, 3, 2), 0.271), "one wrong honest bit is enough: 1 - 0.9^3"
assert np.isclose(wrong_vote(0.0, 4, 4), 1.0), "half are Byzantine: a tie"
assert np.isclose(wrong_vote(0.0, 5, 4), 0.0)
draws = np.random.default_rng(0)
wrong = (draws.random((100_000, 9)) < 0.25).sum(axis=1) + 3
assert abs(wrong_vote(0.25, 9, 3) - np.mean(2 * wrong >= 12)) < 0.01, "as often as in 100,000 draws"

# %% [markdown] exercise="vote_bound" points=2
# ### Exercise 2: a bound
#
# The exact sum says little about how the error falls with the number of workers. Park and Lee (2024, Theorem 4.5)
# bound it, for $M$ workers that are wrong with probabilities $p_1, \ldots, p_M$ and their mean $\bar p$:
#
# $$P_e \le \exp\left(-M\left(\bar p - \tfrac12 \ln(2 e \bar p)\right)\right).$$
#
# Their formula gives less than 1 for *every* $\bar p \ne 1/2$, for $\bar p = 0.8$ too, where the vote is nearly
# always wrong. So write `vote_bound(p)` for an array of probabilities with care: it must never be below the truth.


# %% part="answer"
def vote_bound(p):
    """Return a bound on the probability that the vote of workers with error rates p is wrong."""
    # BEGIN SOLUTION
    mean = np.mean(p)
    if mean >= 0.5:
        return 1.0
    if mean == 0:
        return 0.0
    return np.exp(-len(p) * (mean - 0.5 * np.log(2 * np.e * mean)))
    # END SOLUTION


# %% part="tests"
assert np.isclose(vote_bound(np.full(15, 0.1)), 0.0023, atol=1e-4)
assert np.isclose(vote_bound(np.full(15, 0.5)), 1.0)

# %% part="hidden"
from math import comb

for p in (0.05, 0.2, 0.4, 0.45, 0.55, 0.8, 0.99):
    for m in (1, 5, 15):
        exact = sum(comb(m, k) * p**k * (1 - p) ** (m - k) for k in range(m + 1) if 2 * k >= m)
        assert vote_bound(np.full(m, p)) >= exact - 1e-12, f"p = {p}, M = {m}: below the truth"
assert vote_bound(np.full(15, 0.2)) < 0.13, "no bound at all would be easy: it has to say something"
assert np.isclose(vote_bound(np.array([0.1, 0.3])), vote_bound(np.array([0.2, 0.2]))), "the mean"

# %% [markdown] exercise="most_byzantine" points=2
# ### Exercise 3: how many are too many?
#
# Write `most_byzantine(n, p)`: the largest number $b$ of Byzantine workers among $n$ with which more bits are right
# than wrong *on average*, when each honest bit is wrong with probability $p$. If there is no such number, not even 0,
# return 0.
#
# (Mengoli et al. write the same as a share of all workers: $\alpha < 1 - \frac{1}{2(1-p)}$.)


# %% part="answer"
def most_byzantine(n, p):
    """Return the largest b with more right than wrong bits on average."""
    # BEGIN SOLUTION
    return max((b for b in range(n) if (n - b) * (1 - p) > n / 2), default=0)
    # END SOLUTION


# %% part="tests"
assert most_byzantine(15, 0.0) == 7, "honest workers are never wrong: any minority"

# %% part="hidden"
assert most_byzantine(15, 0.3) == 4, "11 * 0.7 = 7.7 right bits of 15"
assert most_byzantine(10, 0.0) == 4, "five of ten is a tie"
assert most_byzantine(10, 0.375) == 1, (
    "eight honest: 5 right bits of 10 are no majority; nine: 5.625"
)
assert most_byzantine(15, 0.5) == 0
assert most_byzantine(15, 0.7) == 0

# %% [markdown] exercise="strongest" points=3
# ### Exercise 4: be Byzantine
#
# You see the bits of all honest workers, $+1$ and $-1$, and own the others. Write `strongest(honest)`: the one row
# $\pm1$ that all your workers send so that as many of the votes as possible change. (The server reads a tie as $+1$.)


# %% part="answer"
def strongest(honest):
    """Return the row, +1 and -1, that turns the most votes; honest is [h, N]."""
    # BEGIN SOLUTION
    return np.where(np.sum(honest, axis=0) >= 0, -1, 1)
    # END SOLUTION


# %% part="tests"
honest = np.array([[1, 1, -1], [1, -1, -1], [1, 1, 1]])
assert list(strongest(honest)) == [-1, -1, 1]

# %% part="hidden"
draws = np.random.default_rng(0)
for h, b in ((3, 1), (4, 1), (6, 3), (9, 5)):
    honest = draws.choice([-1, 1], (h, 200), p=[0.4, 0.6])
    row = np.asarray(strongest(honest))
    assert row.shape == (200,) and set(row.tolist()) <= {-1, 1}, "a bit is +1 or -1"
    before = honest.sum(axis=0) >= 0
    turned = ((honest.sum(axis=0) + b * row) >= 0) != before
    possible = np.where(before, honest.sum(axis=0) - b < 0, honest.sum(axis=0) + b >= 0)
    assert turned.sum() == possible.sum(), (
        f"{h} honest, {b} of yours: {turned.sum()} of {possible.sum()}"
    )

# %% [markdown]
# ## What you have seen
#
# A Byzantine worker costs the vote two honest ones: its own right bit is missing, and a wrong one stands in its place.
# As long as the margin holds, nothing happens; where honest workers disagree anyway, it is lost first. And nothing
# that a worker can send is worse than the opposite of the vote. The next lesson makes use of that.
#
# *To read*: Mengoli et al., *On the Byzantine fault tolerance of signSGD with majority vote*, 2025; Park and Lee,
# *SignSGD with federated defense*, ICML 2024. `signfed bound` evaluates their bounds.
