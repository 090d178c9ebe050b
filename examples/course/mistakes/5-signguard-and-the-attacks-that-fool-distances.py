# Wrong answers to lesson 5. The tests prove that none of them gets the points.

# %% exercise="krum_scores" mistake="a row counts as its own neighbour"
def krum_scores(rows, f):
    squares = ((rows[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    return np.sort(squares, axis=1)[:, : len(rows) - f - 2].sum(axis=1)


# %% exercise="krum_scores" mistake="distances that are not squared"
def krum_scores(rows, f):
    distances = np.linalg.norm(rows[:, None, :] - rows[None, :, :], axis=2)
    return np.sort(distances, axis=1)[:, 1 : len(rows) - f - 1].sum(axis=1)


# %% exercise="krum_scores" mistake="all n - f others: an attacker is always among them"
def krum_scores(rows, f):
    squares = ((rows[:, None, :] - rows[None, :, :]) ** 2).sum(axis=2)
    return np.sort(squares, axis=1)[:, 1 : len(rows) - f + 1].sum(axis=1)


# %% exercise="lie" mistake="one standard deviation for all numbers"
def a_little(honest, z):
    return honest.mean(axis=0) - z * honest.std()


# %% exercise="lie" mistake="each worker's own standard deviation"
def a_little(honest, z):
    return (honest - z * honest.std(axis=1, keepdims=True)).mean(axis=0)


# %% exercise="byzmean" mistake="the opposite of what honest workers send"
def steer(honest, f, target):
    return -len(honest) * honest.mean(axis=0) / f + target


# %% exercise="byzmean" mistake="the target is weighed with the attackers alone"
def steer(honest, f, target):
    return (len(honest) * target - honest.sum(axis=0)) / f + 0 * target


# %% exercise="byzmean" mistake="right for one attacker only"
def steer(honest, f, target):
    return (len(honest) + f) * target - honest.sum(axis=0)


# %% exercise="sign_statistics" mistake="zeros count as positive"
def sign_statistics(rows):
    return np.stack(
        [(rows >= 0).mean(axis=1), (rows == 0).mean(axis=1), (rows < 0).mean(axis=1)], 1
    )


# %% exercise="sign_statistics" mistake="numbers instead of shares"
def sign_statistics(rows):
    return np.stack([(rows > 0).sum(axis=1), (rows == 0).sum(axis=1), (rows < 0).sum(axis=1)], 1)


# %% exercise="norm_filter" mistake="the mean length: huge rows move it"
def usual(rows):
    norms = np.linalg.norm(rows, axis=1)
    return (0.1 * norms.mean() <= norms) & (norms <= 3 * norms.mean())


# %% exercise="norm_filter" mistake="squared lengths"
def usual(rows):
    squares = (rows**2).sum(axis=1)
    return (0.1 * np.median(squares) <= squares) & (squares <= 3 * np.median(squares))


# %% exercise="norm_filter" mistake="short rows are kept"
def usual(rows):
    norms = np.linalg.norm(rows, axis=1)
    return norms <= 3 * np.median(norms)
