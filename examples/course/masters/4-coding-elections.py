# %% [markdown]
# # 4. Coding elections
#
# A vote loses where honest workers disagree: there a few Byzantine ones decide. *Election coding* (Sohn et al., 2020)
# takes the disagreement away. The data are cut into $n$ partitions, and each worker gets several of them. It
# computes the signs of each partition, holds a vote of its own, and sends that. The codes below make the
# result **exactly** the majority of the $n$ partitions, whatever $b$ Byzantine workers send.
#
# *You need* lesson 2, and matrices of zeros and ones. *Time*: 60 minutes, of which the computer works about twenty
# seconds. *Afterwards* you can say what redundancy buys, and what it costs.

# %% include="digits.py"

# %% part="setup"
# Who holds what, for five workers and one Byzantine among them: a row a worker, a column a partition.
FIVE = np.array([
    [1, 0, 0, 0, 0],
    [0, 1, 1, 1, 0],
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1],
])  # fmt: skip

# %% [markdown]
# ## Two votes
#
# An example with the matrix `FIVE`. The five partitions say (+1 light, -1 dark) something about ten numbers of the
# model; each worker votes among the partitions that it holds; worker 4 is Byzantine and sends the opposite; the server
# votes on the five messages. A plain vote, with one partition a worker and the same Byzantine worker, stands below.

# %%
draws = np.random.default_rng(4)
said = np.where(draws.random((5, 10)) < 0.6, 1, -1)
truth = np.where(said.sum(axis=0) > 0, 1, -1)
local = np.where(FIVE @ said >= 0, 1, -1)
sent = local * np.array([1, 1, 1, 1, -1])[:, None]
coded = np.where(sent.sum(axis=0) > 0, 1, -1)
plain = np.where((said * np.array([1, 1, 1, 1, -1])[:, None]).sum(axis=0) > 0, 1, -1)

figure, axes = plt.subplots(
    1, 4, figsize=(9, 2), width_ratios=[5, 10, 10, 10], layout="constrained"
)
drawn = {"who holds what": 2 * FIVE - 1, "what partitions say": said, "what workers send": sent,
         "what comes out": np.stack([truth, coded, plain])}  # fmt: skip
for axis, (title, values) in zip(axes, drawn.items()):
    axis.imshow(values, cmap="cividis", vmin=-1.3, vmax=1.3, aspect="auto")
    axis.set_title(title, fontsize=9)
    axis.set(xticks=[], yticks=[])
axes[3].set_yticks([0, 1, 2], ["majority", "coded", "plain"], fontsize=8)
plt.show()
print(
    f"differs from the majority of the partitions: coded {sum(coded != truth)}, plain {sum(plain != truth)} of 10"
)

# %% [markdown]
# The price is work: `FIVE` has 19 ones, so a worker computes 3.8 gradients on average where one would do.
#
# ## On the digits
#
# signfed's `election`, fifteen workers, up to seven of them Byzantine, beside the plain vote:

# %%
numbers = (0, 3, 6, 7)
accuracy = {"vote": [], "election": []}
for f in numbers:
    attack = "sign-inversion" if f else "none"
    for name, strategy in (("vote", "sign-mv"), ("election", "election")):
        run, _ = train(strategy=strategy, lr=0.003, num_byzantine=f, attack=attack)
        accuracy[name].append(run.summary["final_test_accuracy"])

figure, axis = plt.subplots(figsize=(6, 2.6))
for shift, (name, values) in zip((-0.2, 0.2), accuracy.items()):
    axis.bar(np.arange(len(numbers)) + shift, values, 0.4, label=name)
axis.set(xticks=range(len(numbers)), xticklabels=numbers, ylim=(0.7, 1))
axis.set(xlabel="Byzantine workers of 15", ylabel="test accuracy")
axis.legend(loc="lower left")
plt.show()
print({name: [round(value, 2) for value in values] for name, values in accuracy.items()})

# %% [markdown]
# The coded run is the same, to the last bit, with seven Byzantine workers and with none. (It votes on 15 partitions,
# as the plain vote does without an attack, so the two begin alike.)

# %% [markdown] exercise="local_votes" points=2
# ### Exercise 1: the local votes
#
# Write `local_votes(holds, said)`: `holds` is a matrix as above, [workers, partitions], `said` the signs of the
# partitions, [partitions, N]. Return what honest workers send, [workers, N], $\pm1$: the majority of the partitions
# that they hold. A tie is +1.


# %% part="answer"
def local_votes(holds, said):
    """Return each worker's vote on the partitions that it holds, [workers, N]."""
    # BEGIN SOLUTION
    return np.where(np.asarray(holds) @ np.asarray(said) >= 0, 1, -1)
    # END SOLUTION


# %% part="tests"
said = np.array([[1], [1], [-1], [-1], [-1]])
assert local_votes(FIVE, said).ravel().tolist() == [1, -1, -1, -1, -1]

# %% part="hidden"
two = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]])
said = np.array([[1, -1, 1], [-1, -1, 1], [-1, 1, -1]])
assert local_votes(two, said).tolist() == [[1, -1, 1], [-1, 1, 1], [1, -1, 1]], "a tie is +1"

# %% [markdown] exercise="survives" points=4
# ### Exercise 2: does a code keep its promise?
#
# Write `survives(holds, b)`: whether the server's vote is the majority of the $n$ partition signs for **every**
# one of the $2^n$ possible messages and **every** choice of $b$ workers that send the opposite of their local vote.
# ($n$ is odd and small. `itertools.product` and `itertools.combinations` help.)


# %% part="answer"
def survives(holds, b):
    """Return whether no b workers can change the result of any election."""
    # BEGIN SOLUTION
    from itertools import combinations, product

    n = len(holds)
    said = np.array(list(product([-1, 1], repeat=n))).T  # a column a message
    truth = np.where(said.sum(axis=0) > 0, 1, -1)
    local = np.where(np.asarray(holds) @ said >= 0, 1, -1)
    for byzantine in combinations(range(n), b):
        sent = local.copy()
        sent[list(byzantine)] *= -1
        if np.any(sent.sum(axis=0) * truth <= 0):
            return False
    return True
    # END SOLUTION


# %% part="tests"
assert survives(FIVE, 1)
assert not survives(FIVE, 2)

# %% part="hidden"
assert survives(np.eye(5, dtype=int), 0), "without Byzantine workers a plain vote is exact"
assert not survives(np.eye(5, dtype=int), 1), "one is enough where three stand against two"
assert survives(np.ones((5, 5), dtype=int), 2), "everybody holds everything"
assert not survives(np.ones((5, 5), dtype=int), 3)
assert not survives(FIVE[:, ::-1] * [1, 1, 1, 1, 0], 1), "a partition that counts for nobody"
ring = np.array([[(j - i) % 5 < 3 for j in range(5)] for i in range(5)], dtype=int)
assert not survives(ring, 1), "each partition is held three times, and that is not enough"
first = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 1]])
assert not survives(first, 1), "only some choices of workers break it"
assert survives(first, 0)

# %% [markdown] exercise="code" points=4
# ### Exercise 3: the code
#
# Sohn et al. give a matrix for every odd $n$ and every $b \le (n-1)/2$. With $s = \frac{n-1}{2} - b$ and
# $L = \left\lfloor \frac{n+1}{2(b+1)} \right\rfloor$, and everything counted from 1:
#
# - rows $1, \ldots, s$: row $j$ holds partition $j$ alone;
# - rows $s+1, \ldots, s+L$: row $s+j$ holds the $2b+1$ partitions from $s + (j-1)(b+1) + 1$ on;
# - all other rows hold everything.
#
# Write `code(n, b)`. `code(5, 1)` is `FIVE`. Your `survives` tells you whether you are right.


# %% part="answer"
def code(n, b):
    """Return who holds what, [n, n], so that b Byzantine workers change nothing."""
    # BEGIN SOLUTION
    s, length = (n - 1) // 2 - b, (n + 1) // (2 * (b + 1))
    holds = np.ones((n, n), dtype=int)
    holds[: s + length] = 0
    holds[range(s), range(s)] = 1
    for j in range(length):
        start = s + j * (b + 1)
        holds[s + j, start : start + 2 * b + 1] = 1
    return holds
    # END SOLUTION


# %% part="tests"
assert np.array_equal(code(5, 1), FIVE)

# %% part="hidden"
assert np.array_equal(code(7, 0), np.eye(7)), "no Byzantine workers: a partition each"
assert np.array_equal(code(5, 2), np.ones((5, 5))), "as many as possible: everything"
ones = {(7, 1): 29, (7, 2): 41, (9, 1): 45, (9, 2): 61, (9, 3): 71, (11, 2): 79}
for (n, b), expected in ones.items():
    assert np.sum(code(n, b)) == expected, (
        f"n = {n}, b = {b}: {np.sum(code(n, b))} ones, not {expected}"
    )
holds = np.asarray(code(9, 2))
said = np.array([[(message >> j & 1) * 2 - 1 for message in range(512)] for j in range(9)])
truth = np.where(said.sum(axis=0) > 0, 1, -1)
wrong = np.sum(np.where(holds @ said >= 0, 1, -1) != truth, axis=0)
assert wrong.max() <= 2, "so many honest workers may be wrong that two Byzantine ones do not decide"

# %% [markdown]
# ## What you have seen
#
# A majority can be made immune: let workers agree before they vote. Seven Byzantine workers of fifteen change nothing,
# at up to fifteen times the work, and data that are shared out by the server: this is a method for a
# data centre, not for phones.
#
# *To read*: Sohn et al., *Election coding for distributed learning: protecting signSGD against Byzantine attacks*,
# NeurIPS 2020.
