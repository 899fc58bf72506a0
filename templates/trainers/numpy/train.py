#!/usr/bin/env python3
"""Trains ote's linear and softmax models with NumPy alone, for one round of a federated run: the smallest example.

ote gives the paths in OTE_... variables: the task (JSON), the model (safetensors), the prepared training rows
(features.npy, targets.npy). It wants update.safetensors and metrics.json in OTE_OUTPUT.
"""
import json
import os
import struct
import sys

import numpy


def read_safetensors(path):
    """The tensors of a file, by name: 8 bytes of length, a JSON header, then the values."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, about in header.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            tensors[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(about["shape"]).copy()
    return tensors


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, tensor in tensors.items():
        blob = numpy.ascontiguousarray(tensor, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    with open(os.environ["OTE_TASK"], encoding="utf-8") as file:
        task = json.load(file)
    kind, training, local = task["model"]["kind"], task["training"], task["local"]
    if kind not in ("linear", "softmax") or training["optimizer"] != "sgd":
        sys.exit(f"this script trains linear and softmax models by sgd, not {kind} by {training['optimizer']}")
    rows = numpy.load(os.environ["OTE_FEATURES"]) * numpy.float32(task["model"]["inputScale"])
    targets = numpy.load(os.environ["OTE_TARGETS"])
    tensors = read_safetensors(os.environ["OTE_MODEL"])
    weight, bias = tensors["layers.0.weight"], tensors["layers.0.bias"]
    given_weight, given_bias = weight.copy(), bias.copy()
    class_weights = numpy.array(task["preparation"]["classWeights"] or [1.0] * len(bias), "f4")
    rate, rho = training["learningRate"], training["momentum"]
    random = numpy.random.default_rng(task["seed"])
    speed_weight, speed_bias = numpy.zeros_like(weight), numpy.zeros_like(bias)

    steps, loss = 0, 0.0
    for epoch in range(training["epochs"]):
        total = 0.0
        order = random.permutation(len(rows))
        for begin in range(0, len(rows), training["batchSize"]):
            batch = order[begin:begin + training["batchSize"]]
            x, y = rows[batch], targets[batch]
            out = x @ weight.T + bias
            if kind == "linear":
                error = out[:, 0] - y
                total += float((error**2).sum())
                slope = 2 * error[:, None] / len(batch)
            else:
                y = y.astype(int)
                out -= out.max(axis=1, keepdims=True)
                chances = numpy.exp(out)
                chances /= chances.sum(axis=1, keepdims=True)
                of_row = class_weights[y]
                total += float(-(of_row * numpy.log(chances[numpy.arange(len(y)), y] + 1e-12)).sum())
                slope = chances
                slope[numpy.arange(len(y)), y] -= 1
                slope *= of_row[:, None] / len(batch)
            near = local["proximal"]  # FedProx: stay near the model of all sites
            by_weight = slope.T @ x + training["l2"] * weight + near * (weight - given_weight)
            by_bias = slope.sum(axis=0) + near * (bias - given_bias)
            speed_weight = rho * speed_weight + by_weight
            speed_bias = rho * speed_bias + by_bias
            weight = weight - rate * speed_weight
            bias = bias - rate * speed_bias
            steps += 1
        loss = total / len(rows)
        print(f"pass {epoch + 1} of {training['epochs']}: loss {loss:.4f}")

    # What the steps add up to, in learning rates (FedNova): momentum makes the earlier ones count for more.
    effective = sum((1 - rho ** (steps - i)) / (1 - rho) for i in range(steps))
    output = os.environ["OTE_OUTPUT"]
    write_safetensors(os.path.join(output, "update.safetensors"),
                      {"layers.0.weight": weight, "layers.0.bias": bias})
    with open(os.path.join(output, "metrics.json"), "w", encoding="utf-8") as file:
        json.dump({"loss": loss, "steps": effective}, file)


if __name__ == "__main__":
    main()
