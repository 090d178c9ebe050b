"""The networks once more, in plain NumPy and the precision of their parameters.

Each takes parameters one after the other, in the order of `model.parameters()`, and a mask for each
dropout. Slow and literal: every output of a convolution is a sum over a window.
"""

import numpy as np


class Layers:
    """Layers that take their parameters from one flat vector, front to back."""

    def __init__(self, flat, masks=()):
        self._flat, self._at, self._masks = flat, 0, list(masks)

    def take(self, *shape):
        size = int(np.prod(shape))
        self._at += size
        return self._flat[self._at - size : self._at].reshape(shape)

    def done(self):
        return self._at == len(self._flat) and not self._masks

    def drop(self, x):
        return x * self._masks.pop(0) if self._masks else x

    def conv(self, x, outputs, k, stride=1, padding=0, bias=True):
        weight = self.take(outputs, x.shape[1], k, k)
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        rows, columns = ((side - k) // stride + 1 for side in x.shape[2:])
        found = np.zeros((len(x), outputs, rows, columns), x.dtype)
        for i in range(rows):
            for j in range(columns):
                window = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
                found[:, :, i, j] = window.reshape(len(x), -1) @ weight.reshape(outputs, -1).T
        return found + self.take(outputs)[:, None, None] if bias else found

    def norm(self, x):
        scale, shift = self.take(x.shape[1]), self.take(x.shape[1])
        mean = x.mean(axis=(0, 2, 3), keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=(0, 2, 3), keepdims=True)
        plain = (x - mean) / np.sqrt(variance + 1e-5)
        return plain * scale[:, None, None] + shift[:, None, None]

    def linear(self, x, outputs):
        weight = self.take(outputs, x.shape[1])
        return x @ weight.T + self.take(outputs)


def relu(x):
    return np.maximum(x, 0)


def pool(x):
    rows, columns = x.shape[2] // 2, x.shape[3] // 2
    windows = x[:, :, : 2 * rows, : 2 * columns].reshape(*x.shape[:2], rows, 2, columns, 2)
    return windows.max(axis=(3, 5))


def flat(x):
    return x.reshape(len(x), -1)


def mlp(net, x, classes):
    return net.linear(relu(net.linear(flat(x), 128)), classes)


def krum_mlp(net, x, classes):
    hidden = relu(net.linear(relu(net.linear(flat(x), 20)), 20))
    return net.linear(hidden, classes)


def fd_cnn(net, x, classes):
    x = pool(relu(net.conv(x, 32, 5)))
    x = flat(pool(relu(net.conv(x, 64, 5))))
    return net.linear(relu(net.linear(x, 512)), classes)


def bft_cnn(net, x, classes):
    x = relu(net.conv(x, 32, 3))
    x = flat(net.drop(pool(relu(net.conv(x, 64, 3)))))
    return net.linear(net.drop(relu(net.linear(x, 128))), classes)


def signguard_cnn(net, x, classes):
    x = pool(relu(net.conv(x, 8, 5)))
    x = pool(relu(net.conv(x, 16, 3, padding=1)))
    x = flat(pool(relu(net.conv(x, 32, 3, padding=1))))
    x = net.drop(relu(net.linear(x, 120)))
    return net.linear(net.drop(relu(net.linear(x, 84))), classes)


def resnet_56(net, x, classes):
    x = relu(net.norm(net.conv(x, 16, 3, padding=1, bias=False)))
    for width in (16, 32, 64):
        for _ in range(9):
            grows = width - x.shape[1]
            y = relu(net.norm(net.conv(x, width, 3, 2 if grows else 1, 1, bias=False)))
            y = net.norm(net.conv(y, width, 3, 1, 1, bias=False))
            if grows:  # every second pixel, zeros on both sides
                x = np.pad(x[:, :, ::2, ::2], ((0, 0), (grows // 2, grows // 2), (0, 0), (0, 0)))
            x = relu(x + y)
    return net.linear(x.mean(axis=(2, 3)), classes)


def resnet_18(net, x, classes):
    x = relu(net.norm(net.conv(x, 64, 3, padding=1, bias=False)))
    for width in (64, 128, 256, 512):
        for _ in range(2):
            grows = width > x.shape[1]
            y = relu(net.norm(net.conv(x, width, 3, 2 if grows else 1, 1, bias=False)))
            y = net.norm(net.conv(y, width, 3, 1, 1, bias=False))
            x = net.norm(net.conv(x, width, 1, 2, bias=False)) if grows else x
            x = relu(x + y)
    return net.linear(x.mean(axis=(2, 3)), classes)


def resnet_50(net, x, classes):
    x = relu(net.norm(net.conv(x, 64, 3, padding=1, bias=False)))
    for width, depth in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for i in range(depth):
            stride = 2 if i == 0 and width > 64 else 1
            y = relu(net.norm(net.conv(x, width, 1, bias=False)))
            y = relu(net.norm(net.conv(y, width, 3, stride, 1, bias=False)))
            y = net.norm(net.conv(y, 4 * width, 1, bias=False))
            x = net.norm(net.conv(x, 4 * width, 1, stride, bias=False)) if i == 0 else x
            x = relu(x + y)
    return net.linear(x.mean(axis=(2, 3)), classes)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(xs, weights):
    """The states of one text [T, inputs], front to back: [T, 128]."""
    from_x, from_h, bias_x, bias_h = weights
    h, c, states = np.zeros(128), np.zeros(128), []
    for x in xs:
        i, f, g, o = np.split(from_x @ x + bias_x + from_h @ h + bias_h, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def text_rnn(net, tokens, classes, vocabulary=50):
    embedding = net.take(vocabulary, 300)

    def direction(inputs):
        return net.take(512, inputs), net.take(512, 128), net.take(512), net.take(512)

    layers = [(direction(n), direction(n)) for n in (300, 256)]
    last = []
    for text in tokens:
        x = embedding[text[text != 0]] if text.any() else embedding[:1]
        for ahead, back in layers:
            forwards, backwards = lstm(x, ahead), lstm(x[::-1], back)
            x = np.hstack([forwards, backwards[::-1]])
        last.append(np.concatenate([forwards[-1], backwards[-1]]))
    return net.linear(net.drop(np.array(last)), classes)


NETWORKS = {
    "mlp": mlp, "krum-mlp": krum_mlp,
    "fd-cnn": fd_cnn, "bft-cnn": bft_cnn, "signguard-cnn": signguard_cnn,
    "resnet-56": resnet_56, "resnet-18": resnet_18, "resnet-50": resnet_50, "text-rnn": text_rnn,
}  # fmt: skip
