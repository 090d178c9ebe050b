# %% [markdown]
# # 1. One bit is enough
#
# In federated learning the data stay where they are. In each round every worker computes a gradient on its own
# data and sends it to a server; the server combines the gradients and takes one step; all start the next round from
# the new model. A gradient has as many numbers as the model, and a number has 32 bits.
#
# In this lesson the workers send **the signs alone: one bit a number**. The server answers with one bit a number,
# too, found by majority vote. That is *signSGD with majority vote* (Bernstein et al., 2018).
#
# *You need* Python with NumPy, and what a gradient is. *Time*: 45 minutes, of which the computer works about ten
# seconds. *Afterwards* you can write the messages of such a system and say what they cost.

# %% include="digits.py"

# %% [markdown]
# ## A gradient, and what is left of it
#
# Below is the part of a gradient that belongs to the digit 3, drawn where its pixels are. Blue: the weight of this
# pixel should grow; red: it should shrink. One worker has looked at 64 images only, so its picture is noisy. Its
# signs have lost the sizes. The vote of fifteen workers' signs looks like the signs of the gradient over all data.

# %%
model = np.zeros(640, dtype=np.float32)
rows = gradients(model, seed=0, images=64)
true = gradient(model, np.arange(1500))
vote = signfed.aggregate("sign-mv", rows)
used = true != 0  # some pixels are black in all images

pictures = {
    "one worker's gradient": rows[0],
    "its signs": np.sign(rows[0]),
    "the vote of 15": vote * used,
    "signs over all data": np.sign(true),
}
figure, axes = plt.subplots(1, 4, figsize=(8, 2.4))
for axis, (title, values) in zip(axes, pictures.items()):
    of_3 = -values.reshape(8, 8, 10)[:, :, 3]  # a step goes against the gradient
    axis.imshow(of_3, cmap="RdBu", vmin=-abs(of_3).max(), vmax=abs(of_3).max())
    axis.set_title(title, fontsize=9)
    axis.axis("off")
plt.show()


def right(signs):
    return np.mean(np.sign(signs[used]) == np.sign(true[used]))


print(
    f"right signs, one worker: {np.mean([right(row) for row in rows]):.2f}; voted: {right(vote):.2f}"
)

# %% [markdown]
# ## Does it learn?
#
# `signfed.run` trains a small network (9,610 parameters) on the same digits, with fifteen workers. Once they send
# gradients and the server takes the mean; once they send signs and the server takes the vote. Each has a step size
# that suits it: a sign is as long for a small gradient as for a large one.

# %%
mean, mean_rounds = train(strategy="mean", attack="none", lr=0.3, evaluate_every=5)
signs, signs_rounds = train(strategy="sign-mv", attack="none", lr=0.003, evaluate_every=5)

figure, (by_round, by_bytes) = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
for name, rounds in (("mean, 32 bits", mean_rounds), ("vote, 1 bit", signs_rounds)):
    at, accuracy = curve(rounds)
    sent = np.cumsum([r["uplink_bytes"] + r["downlink_bytes"] for r in rounds])
    by_round.plot(at, accuracy, label=name)
    by_bytes.semilogx(sent[np.array(at) - 1] / 1e6, accuracy)
by_round.set(xlabel="round", ylabel="test accuracy")
by_bytes.set(xlabel="megabytes sent, both ways")
by_round.legend()
plt.show()
for name, run in (("mean", mean), ("vote", signs)):
    up = run.summary["uplink_bits_per_parameter"]
    print(
        f"{name}: accuracy {run.summary['final_test_accuracy']:.2f}, {up:.2f} bits up a parameter"
    )

# %% [markdown]
# By rounds the two are alike; by bytes the vote is about thirty times ahead. (1.00 and not 1: the last byte of a
# message is not full.)
#
# ## Now you: the messages
#
# Eight signs fit into a byte. The format that signfed puts on the wire:
#
# - bit $i$ is 1 where the number is $\ge 0$, else 0 (so a zero is sent as $+1$: a bit has no third value);
# - number 0 is the *lowest* bit of byte 0, number 8 the lowest bit of byte 1;
# - bits that are left over in the last byte are 0.

# %% [markdown] exercise="pack" points=2
# ### Exercise 1: pack
#
# Write `pack(vector)`: N numbers in, an array of `ceil(N / 8)` bytes (`uint8`) out. `np.packbits` is a good start;
# look at its options.


# %% part="answer"
def pack(vector):
    """Return the signs of N numbers as ceil(N / 8) bytes."""
    # BEGIN SOLUTION
    return np.packbits(np.asarray(vector) >= 0, bitorder="little")
    # END SOLUTION


# %% part="tests"
message = pack(np.array([1.0, -2.0, 3.0, -4.0, -5.0, -6.0, -7.0, -8.0]))
assert len(message) == 1, "eight signs fit into one byte"
assert message[0] == 0b00000101, "numbers 0 and 2 are positive: the bits of value 1 and 4"
assert len(pack(np.ones(9))) == 2, "nine signs need two bytes"

# %% part="hidden"
message = pack(np.array([0.0, -1.0]))
assert message[0] == 1, "a zero is sent as +1"
numbers = np.random.default_rng(1).normal(size=203)
message = pack(numbers)
assert message.dtype == np.uint8 and len(message) == 26
for i, number in enumerate(numbers):
    assert (message[i // 8] >> (i % 8)) & 1 == (number >= 0), f"number {i}"
assert message[25] < 8, "bits that are left over are 0"

# %% [markdown] exercise="unpack" points=1
# ### Exercise 2: unpack
#
# Write `unpack(message, n)`, which turns bytes back into n numbers +1 and -1. A multiple of eight is rare: the
# receiver has to know n.


# %% part="answer"
def unpack(message, n):
    """Return n numbers, +1 where the bit is 1, else -1."""
    # BEGIN SOLUTION
    bits = np.unpackbits(message, bitorder="little", count=n)
    return np.where(bits == 1, 1, -1)
    # END SOLUTION


# %% part="tests"
assert list(unpack(np.array([0b00000101], dtype=np.uint8), 4)) == [1, -1, 1, -1]

# %% part="hidden"
draws = np.random.default_rng(2)
for n in (1, 7, 8, 9, 640):
    signs_sent = draws.choice([-1, 1], n)
    received = unpack(np.packbits(signs_sent > 0, bitorder="little"), n)
    assert len(received) == n, f"n = {n}: got {len(received)} numbers"
    assert np.array_equal(received, signs_sent), f"n = {n}"

# %% [markdown] exercise="vote" points=3
# ### Exercise 3: the vote
#
# The server gets a matrix of messages, one a row, and sends one message back. Write `majority(messages)`: bit $i$ of
# the answer is 1 when at least half of the workers sent a 1 there (a tie is +1, as a zero is). There can be any
# number of workers.


# %% part="answer"
def majority(messages):
    """Return the vote of the rows of a matrix uint8 [workers, L], packed: uint8 [L]."""
    # BEGIN SOLUTION
    ones = np.unpackbits(messages, axis=1, bitorder="little").sum(axis=0, dtype=int)
    return np.packbits(2 * ones >= len(messages), bitorder="little")
    # END SOLUTION


# %% part="tests"
three = np.array([[0b0011], [0b0101], [0b1001]], dtype=np.uint8)
assert list(majority(three)) == [0b0001], "only the lowest bit has two ones of three"
rows = gradients(np.zeros(640), seed=0)
expected = np.packbits(signfed.aggregate("sign-mv", rows) > 0, bitorder="little")
sent = np.packbits(rows >= 0, axis=1, bitorder="little")
assert np.array_equal(majority(sent), expected), "what signfed says"

# %% part="hidden"
two = np.array([[0b0011], [0b0101]], dtype=np.uint8)
assert list(majority(two)) == [0b0111], "a tie is +1"
assert list(majority(two[:1])) == [0b0011], "a worker alone is the majority"
many = np.zeros((600, 1), dtype=np.uint8)
many[:290] = 1
assert list(majority(many)) == [0], "290 of 600 are no majority"
many[:310] = 1
assert list(majority(many)) == [1], "310 of 600 are a majority"
draws = np.random.default_rng(3)
some = draws.choice([-1.0, 1.0], (7, 77))
said = signfed.aggregate("sign-mv", some)
packed = np.packbits(some > 0, axis=1, bitorder="little")
assert np.array_equal(majority(packed), np.packbits(said > 0, bitorder="little"))

# %% [markdown] exercise="traffic" points=2
# ### Exercise 4: what it costs
#
# Write `traffic(parameters, workers, rounds, one_bit)`: the bytes that a whole run sends, up *and* down. Every
# worker sends one message a round and receives one. With `one_bit` a message holds signs, otherwise 32-bit floats.
# What a message costs beyond its numbers does not count.


# %% part="answer"
def traffic(parameters, workers, rounds, one_bit):
    """Return the bytes of all messages of a run."""
    # BEGIN SOLUTION
    message = -(-parameters // 8) if one_bit else 4 * parameters
    return 2 * message * workers * rounds
    # END SOLUTION


# %% part="tests"
assert traffic(8, 1, 1, one_bit=True) == 2, "one byte up, one down"
assert traffic(8, 1, 1, one_bit=False) == 64

# %% part="hidden"
assert traffic(9, 15, 10, one_bit=True) == 600, "nine signs need two bytes"
assert traffic(9610, 15, 100, one_bit=True) == 3_606_000
assert traffic(9610, 15, 100, one_bit=False) == 115_320_000

# %% [markdown]
# ## What you have seen
#
# Signs throw away how large a gradient is and keep where it points. Fifteen noisy votes together are better than
# each alone, and cost a thirtieth of the bytes. Nobody has cheated so far: that is the next lesson.
#
# *To read*: Bernstein, Wang, Azizzadenesheli and Anandkumar, *signSGD: compressed optimisation for non-convex
# problems*, ICML 2018.
