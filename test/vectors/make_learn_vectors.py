#!/usr/bin/python3
"""Reference values for core/learn: full-batch training in float64 with numpy, written to learn.json beside this file."""
import json
import os

import numpy as np


def forward(layers, x):
    activations = [x]
    for i, (w, b) in enumerate(layers):
        z = activations[-1] @ w.T + b
        activations.append(np.tanh(z) if i + 1 < len(layers) else z)
    return activations


def loss_and_slope(z, y):
    n = len(y)
    if z.shape[1] == 1:
        error = z[:, 0] - y
        return np.mean(error**2), (2 * error / n)[:, None]
    shifted = z - z.max(axis=1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    rows = np.arange(n)
    loss = -np.mean(np.log(p[rows, y.astype(int)]))
    p[rows, y.astype(int)] -= 1
    return loss, p / n


def train(units, x, y, start, optimizer, rate, l2, epochs):
    layers, at = [], 0
    for i, o in zip(units, units[1:]):
        layers.append([start[at:at + i * o].reshape(o, i).copy(), start[at + i * o:at + i * o + o].copy()])
        at += i * o + o
    state = [[[np.zeros_like(t), np.zeros_like(t)] for t in layer] for layer in layers]
    for step in range(1, epochs + 1):
        a = forward(layers, x)
        loss, slope = loss_and_slope(a[-1], y)
        gradients = []
        for i in reversed(range(len(layers))):
            w = layers[i][0]
            gradients.insert(0, (slope.T @ a[i] + l2 * w, slope.sum(axis=0)))
            slope = slope @ w * (1 - a[i]**2)
        for layer, moments, grads in zip(layers, state, gradients):
            for k in range(2):
                m, v = moments[k]
                if optimizer == "adam":
                    m[:] = 0.9 * m + 0.1 * grads[k]
                    v[:] = 0.999 * v + 0.001 * grads[k]**2
                    layer[k] -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
                else:
                    m[:] = 0.9 * m + grads[k]
                    layer[k] -= rate * m
    z = forward(layers, x)[-1]
    return loss, loss_and_slope(z, y)[0], np.concatenate([t.ravel() for layer in layers for t in layer]), z


def auc(z, y):
    score = z[:, 1] - z[:, 0]
    pairs = score[y == 1][:, None] - score[y == 0][None, :]
    return np.mean((pairs > 0) + 0.5 * (pairs == 0))


def main():
    random = np.random.default_rng(20261123)
    vectors = []
    for name, hidden, outputs, optimizer, rate, l2, epochs in [
        ("logistic regression, momentum", [], 2, "sgd", 0.1, 0.0, 25),
        ("logistic regression, momentum, L2", [], 2, "sgd", 0.1, 0.05, 25),
        ("softmax regression, Adam", [], 4, "adam", 0.05, 0.01, 20),
        ("linear regression, momentum", [], 1, "sgd", 0.02, 0.01, 25),
        ("perceptron, momentum, L2", [6], 3, "sgd", 0.1, 0.01, 20),
        ("perceptron of two layers, Adam", [5, 4], 2, "adam", 0.02, 0.0, 20),
        ("perceptron regression, Adam", [5], 1, "adam", 0.02, 0.02, 20),
    ]:
        rows, columns = 24, 5
        units = [columns, *hidden, outputs]
        x = random.normal(size=(rows, columns)).round(4)
        truth = random.normal(size=(columns, outputs))
        noisy = x @ truth + random.normal(size=(rows, outputs))
        y = noisy[:, 0].round(4) if outputs == 1 else noisy.argmax(axis=1).astype(float)
        count = sum(i * o + o for i, o in zip(units, units[1:]))
        start = (random.normal(size=count) * 0.4).round(4)
        x32, y32, start32 = (v.astype(np.float32).astype(np.float64) for v in (x, y, start))
        loss, final, end, z = train(units, x32, y32, start32, optimizer, rate, l2, epochs)
        vector = dict(name=name, rows=rows, columns=columns, hidden=hidden, outputs=outputs, optimizer=optimizer,
                      learning_rate=rate, l2=l2, epochs=epochs, features=x.ravel().tolist(), targets=y.tolist(),
                      start=start.tolist(), loss=loss, final_loss=final, end=end.round(9).tolist())
        if outputs == 2:
            vector["auc"] = auc(z, y)
        vectors.append(vector)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "learn.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump(vectors, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
