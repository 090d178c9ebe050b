"""Election Coding of ALGORITHMS.md section 3 with plain loops, sign(0) by each of the options.

m_j = sign(g_j); c_i = sign(sum of the m_j that worker i holds); the server: sign(sum_i y_i).
A coin is of (seed, round, who) and the coordinate: coordinate k takes the k-th of a stream.
"""

from signfed.strategies.core.seeds import generator


def sign(number, tie, coin):
    if number == 0:
        return {"plus": 1, "zero": 0, "random": coin}[tie]
    return 1 if number > 0 else -1


def tosses(n_coordinates, kind, *of):
    """+1 or -1 for each coordinate."""
    draws = generator(*of).integers(2, size=n_coordinates, dtype=kind)
    return [1 if toss else -1 for toss in draws.tolist()]


def partition_signs(gradients, tie, seed, server_round):
    signs = []
    for j, gradient in enumerate(gradients):
        coins = tosses(len(gradient), "int8", seed, "zero of a partition", j, server_round)
        signs.append([sign(g, tie, coin) for g, coin in zip(gradient, coins, strict=True)])
    return signs


def local_votes(allocation, gradients, tie, seed, server_round):
    """c_i of every worker: lists of +1, 0, -1."""
    signs, votes = partition_signs(gradients, tie, seed, server_round), []
    for i, row in enumerate(allocation):
        coins = tosses(len(signs[0]), "int8", seed, "tie of partitions", i, server_round)
        vote = []
        for k, coin in enumerate(coins):
            vote.append(sign(sum(signs[j][k] for j, held in enumerate(row) if held), tie, coin))
        votes.append(vote)
    return votes


def server_vote(votes, tie, seed, server_round):
    coins = tosses(len(votes[0]), "int64", seed, "tie", server_round)
    return [
        sign(sum(column), tie, coin)
        for column, coin in zip(zip(*votes, strict=True), coins, strict=True)
    ]
