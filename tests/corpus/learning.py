"""Machine learning from scratch, as people write it with NumPy."""
# mypy: ignore-errors

import numpy as np

from tests.corpus.case import case, made

X = made(12, 4)
Y = np.arange(12) % 3


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    e /= e.sum(axis=1, keepdims=True)
    return e


@case(made(4, 3), X, Y, static=())
def softmax_regression_loss(w, x, y):
    p = softmax(x @ w)
    return -np.log(p[np.arange(len(y)), y]).mean()


@case(made(4, 3), X, Y)
def softmax_regression_gradient(w, x, y):
    p = softmax(x @ w)
    p[np.arange(len(y)), y] -= 1
    return x.T @ p / len(y)


@case(made(4, 5), made(5), made(5, 3, seed=1), made(3), X, Y)
def two_layer_step(w1, b1, w2, b2, x, y):
    z = x @ w1 + b1
    h = np.maximum(z, 0)
    p = softmax(h @ w2 + b2)
    d = p.copy()
    d[range(len(y)), y] -= 1
    d /= len(y)
    dw2, db2 = h.T @ d, d.sum(axis=0)
    dh = d @ w2.T
    dh[z <= 0] = 0
    dw1, db1 = x.T @ dh, dh.sum(axis=0)
    new = []
    for p, g in zip((w1, b1, w2, b2), (dw1, db1, dw2, db2)):
        p = p.copy()
        p -= 0.1 * g
        new.append(p)
    return new


@case(Y, grad=False)
def one_hot(y):
    out = np.zeros((y.size, 3))
    out[np.arange(y.size), y] = 1
    return out


@case(made(20))
def leaky_relu(x):
    out = x.copy()
    out[x < 0] *= 0.1
    return out


@case(made(20, low=-3, high=3))
def stable_sigmoid(x):
    out = np.empty_like(x)
    pos = x >= 0
    out[pos] = 1 / (1 + np.exp(-x[pos]))
    e = np.exp(x[~pos])
    out[~pos] = e / (1 + e)
    return out


@case(X, made(3, 4, seed=2))
def k_means_step(x, centres):
    d = np.zeros((len(x), len(centres)))
    for k in range(len(centres)):
        d[:, k] = ((x - centres[k]) ** 2).sum(axis=1)
    label = d.argmin(axis=1)
    new = np.zeros_like(centres)
    count = np.zeros(len(centres))
    np.add.at(new, label, x)
    np.add.at(count, label, 1)
    return new / np.maximum(count, 1)[:, None]


@case(X)
def standardise(x):
    z = x - x.mean(axis=0)
    z /= x.std(axis=0) + 1e-8
    return z


@case(X)
def pairwise_distances(x):
    n = len(x)
    d = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            d[i, j] = d[j, i] = np.sqrt(np.sum((x[i] - x[j]) ** 2))
    return d


@case(X, made(12, seed=3))
def ridge_by_gradient_descent(x, y):
    w = np.zeros(x.shape[1])
    for _ in range(10):
        grad = x.T @ (x @ w - y) / len(y) + 0.1 * w
        w -= 0.3 * grad
    return w


@case(made(6), made(5, 6, seed=1))
def adam(w0, grads):
    w = w0.copy()
    m = np.zeros_like(w)
    v = np.zeros_like(w)
    for t, g in enumerate(grads, 1):
        m *= 0.9
        m += 0.1 * g
        v *= 0.999
        v += 0.001 * g * g
        w -= 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


@case(made(3, 5, 4), made(4, 6, seed=1), made(6, 6, seed=2) * 0.5)
def rnn_forward(x, wx, wh):
    n, steps, _ = x.shape
    h = np.zeros((n, steps + 1, wh.shape[0]))
    for t in range(steps):
        h[:, t + 1] = np.tanh(x[:, t] @ wx + h[:, t] @ wh)
    return h[:, 1:]


@case(made(2, 3, 4), made(4, 12, seed=1), made(3, 12, seed=2))
def lstm_forward(x, wx, wh):
    n, steps, _ = x.shape
    size = wh.shape[0]
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    h, c = np.zeros((n, size)), np.zeros((n, size))
    out = np.zeros((n, steps, size))
    for t in range(steps):
        a = x[:, t] @ wx + h @ wh
        i, f, o, g = np.split(a, 4, axis=1)
        i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
        c = f * c + i * g
        h = o * np.tanh(c)
        out[:, t, :] = h
    return out


@case(made(2, 5, 5), made(3, 2, 3, 3, seed=1))
def conv_layer(x, w):
    c_out, _, kh, kw = w.shape
    h, wd = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    out = np.zeros((c_out, h, wd))
    for k in range(c_out):
        for i in range(h):
            for j in range(wd):
                out[k, i, j] = (x[:, i : i + kh, j : j + kw] * w[k]).sum()
    return out


@case(made(2, 4, 6))
def max_pool(x):
    c, h, w = x.shape
    out = np.empty((c, h // 2, w // 2))
    for i in range(h // 2):
        for j in range(w // 2):
            out[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
    return out


@case(made(1, 5, 5))
def im2col(x):
    cols = []
    for i in range(3):
        for j in range(3):
            cols.append(x[:, i : i + 3, j : j + 3].ravel())
    return np.array(cols)


@case(made(5, 4), made(5, 4, seed=1), made(5, 4, seed=2))
def causal_attention(q, k, v):
    s = q @ k.T / np.sqrt(q.shape[1])
    s[np.triu_indices(len(s), 1)] = -np.inf
    s -= s.max(axis=1, keepdims=True)
    np.exp(s, out=s)
    s /= s.sum(axis=1, keepdims=True)
    return s @ v


@case(6, 4, static=(0, 1), grad=False)
def positional_encoding(n, d):
    pe = np.zeros((n, d))
    pos = np.arange(n)[:, np.newaxis]
    div = np.exp(np.arange(0, d, 2) * -(np.log(10000.0) / d))
    pe[:, 0::2] = np.sin(pos * div)
    pe[:, 1::2] = np.cos(pos * div)
    return pe


@case(X, Y)
def naive_bayes_fit(x, y):
    mean, var, prior = np.zeros((3, 4)), np.zeros((3, 4)), np.zeros(3)
    onehot = np.eye(3)[y]
    prior += onehot.mean(axis=0)
    for c in range(3):
        w = onehot[:, c : c + 1]
        mean[c] = (w * x).sum(axis=0) / w.sum()
        var[c] = (w * (x - mean[c]) ** 2).sum(axis=0) / w.sum() + 1e-3
    return mean, var, prior


@case(made(10, 3), np.array([0, 2, 2, 5, 9]))
def embedding_gradient(table, ids):
    grad = np.zeros_like(table)
    np.add.at(grad, ids, np.sin(table[ids]))
    return grad


@case(made(15))
def exponential_moving_average(x):
    out = np.empty_like(x)
    out[0] = x[0]
    for i in range(1, len(x)):
        out[i] = 0.2 * x[i] + 0.8 * out[i - 1]
    return out


@case(made(4, 4, low=0.1), made(5, 4, low=0.1, seed=1), np.array([0, 1, 2, 1, 0]))
def hmm_forward(a, b, obs):
    a = a / a.sum(axis=1, keepdims=True)
    alpha = np.zeros((len(obs), 4))
    alpha[0] = 0.25 * b[obs[0]]
    for t in range(1, len(obs)):
        for j in range(4):
            alpha[t, j] = alpha[t - 1] @ a[:, j] * b[obs[t], j]
    return alpha[-1].sum()


@case(made(8, 3), 0.5)
def dropout_with_fixed_mask(x, keep):
    mask = np.zeros(x.shape, bool)
    mask[::2] = True
    mask.ravel()[1::3] = True
    out = x / keep
    out[~mask] = 0
    return out


@case(made(6, 5))
def batch_norm_running(x):
    stats = {"mean": np.zeros(5), "var": np.ones(5)}
    stats["mean"] *= 0.9
    stats["mean"] += 0.1 * x.mean(0)
    stats["var"][...] = 0.9 * stats["var"] + 0.1 * x.var(0)
    return (x - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
