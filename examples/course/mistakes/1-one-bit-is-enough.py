# Wrong answers to lesson 1. The tests prove that none of them gets the points.

# %% exercise="pack" mistake="zero is sent as -1"
def pack(vector):
    return np.packbits(np.asarray(vector) > 0, bitorder="little")


# %% exercise="pack" mistake="the first number is the highest bit"
def pack(vector):
    return np.packbits(np.asarray(vector) >= 0)


# %% exercise="pack" mistake="a number that is left over is lost"
def pack(vector):
    whole = len(vector) // 8 * 8
    return np.packbits(np.asarray(vector[:whole]) >= 0, bitorder="little")


# %% exercise="unpack" mistake="bits, not signs"
def unpack(message, n):
    return np.unpackbits(message, bitorder="little", count=n)


# %% exercise="unpack" mistake="the filling of the last byte is taken for numbers"
def unpack(message, n):
    return np.where(np.unpackbits(message, bitorder="little") == 1, 1, -1)


# %% exercise="vote" mistake="a tie is -1"
def majority(messages):
    ones = np.unpackbits(messages, axis=1, bitorder="little").sum(axis=0, dtype=int)
    return np.packbits(2 * ones > len(messages), bitorder="little")


# %% exercise="vote" mistake="the median of the bytes, not of the bits"
def majority(messages):
    return np.median(messages, axis=0).astype(np.uint8)


# %% exercise="vote" mistake="a count that overflows with more than 255 workers"
def majority(messages):
    ones = np.unpackbits(messages, axis=1, bitorder="little").sum(axis=0, dtype=np.uint8)
    return np.packbits(ones >= len(messages) / 2, bitorder="little")


# %% exercise="vote" mistake="unanimity"
def majority(messages):
    return np.bitwise_and.reduce(messages, axis=0)


# %% exercise="traffic" mistake="the way down is free"
def traffic(parameters, workers, rounds, one_bit):
    return (-(-parameters // 8) if one_bit else 4 * parameters) * workers * rounds


# %% exercise="traffic" mistake="a byte that is not full does not count"
def traffic(parameters, workers, rounds, one_bit):
    return 2 * (parameters // 8 if one_bit else 4 * parameters) * workers * rounds
