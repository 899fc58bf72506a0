#!/usr/bin/env python3
"""Trains ote's linear, softmax and mlp models with PyTorch, for one round of a federated run.

ote gives the paths in OTE_... variables: the task (JSON), the model (safetensors), the prepared training rows
(features.npy, targets.npy). It wants update.safetensors and metrics.json in OTE_OUTPUT. Needs torch and numpy.
"""
import json
import os
import struct
import sys

import numpy
import torch
from torch import nn


def read_safetensors(path):
    """The tensors of a file, by name: 8 bytes of length, a JSON header, then the values."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        begin, end = about["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, offset=begin, count=(end - begin) // 4)
        tensors[name] = flat.reshape(about["shape"]).clone()
    return tensors


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, tensor in tensors.items():
        blob = tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Scale(nn.Module):
    """Multiplies the features, as model.inputScale of the run file says."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, rows):
        return rows * self.factor


def build(spec, tensors):
    """A chain of layers, layers.0, layers.1 and so on, with the activation between them."""
    if spec["kind"] not in ("linear", "softmax", "mlp"):
        sys.exit(f"this script trains linear, softmax and mlp models, not {spec['kind']}")
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[spec["activation"]]
    modules, layers = [Scale(spec["inputScale"])], []
    count = len(tensors) // 2
    for index in range(count):
        weight, bias = tensors[f"layers.{index}.weight"], tensors[f"layers.{index}.bias"]
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        layers.append(layer)
        modules.append(layer)
        if index + 1 < count:
            modules.append(activation())
    return nn.Sequential(*modules), layers


def effective_steps(training, steps):
    """What the steps add up to, in learning rates (FedNova): momentum makes the earlier ones count for more."""
    rho = training["momentum"] if training["optimizer"] == "sgd" else 0.0
    if rho == 0.0:
        return float(steps)
    return sum((1 - rho ** (steps - i)) / (1 - rho) for i in range(steps))


def main():
    with open(os.environ["OTE_TASK"], encoding="utf-8") as file:
        task = json.load(file)
    training, local = task["training"], task["local"]
    torch.manual_seed(task["seed"] % 2**63)
    device = "cuda" if torch.cuda.is_available() else "cpu"

    features = torch.from_numpy(numpy.load(os.environ["OTE_FEATURES"])).to(device)
    targets = torch.from_numpy(numpy.load(os.environ["OTE_TARGETS"])).to(device)
    model, layers = build(task["model"], read_safetensors(os.environ["OTE_MODEL"]))
    model.to(device).train()
    given = [parameter.detach().clone() for parameter in model.parameters()]

    classification = task["task"] == "classification"
    if classification:
        targets = targets.long()
        weights = torch.tensor(task["preparation"]["classWeights"] or [1.0] * len(task["classes"]), device=device)

    def loss_of(rows, wanted):
        if not classification:
            return nn.functional.mse_loss(model(rows).squeeze(1), wanted)
        # A row's loss is multiplied by its class's weight; the mean is over the rows.
        each = nn.functional.cross_entropy(model(rows), wanted, reduction="none")
        return (each * weights[wanted]).mean()

    # l2 is added to the gradient of the weights, not of the biases.
    groups = [{"params": [layer.weight for layer in layers], "weight_decay": training["l2"]},
              {"params": [layer.bias for layer in layers], "weight_decay": 0.0}]
    if training["optimizer"] == "adam":
        optimizer = torch.optim.Adam(groups, lr=training["learningRate"], eps=training["epsilon"],
                                     betas=(training["beta1"], training["beta2"]))
    else:
        optimizer = torch.optim.SGD(groups, lr=training["learningRate"], momentum=training["momentum"])

    steps, loss = 0, 0.0
    for epoch in range(training["epochs"]):
        total = 0.0
        for batch in torch.randperm(len(features), device=device).split(training["batchSize"]):
            optimizer.zero_grad()
            value = loss_of(features[batch], targets[batch])
            value.backward()
            if local["proximal"] > 0:  # FedProx: stay near the model of all sites
                for parameter, origin in zip(model.parameters(), given):
                    parameter.grad.add_(parameter.detach() - origin, alpha=local["proximal"])
            optimizer.step()
            total += value.item() * len(batch)
            steps += 1
        loss = total / len(features)
        print(f"pass {epoch + 1} of {training['epochs']}: loss {loss:.4f}")

    update = {}
    for index, layer in enumerate(layers):
        update[f"layers.{index}.weight"] = layer.weight
        update[f"layers.{index}.bias"] = layer.bias
    output = os.environ["OTE_OUTPUT"]
    write_safetensors(os.path.join(output, "update.safetensors"), update)
    with open(os.path.join(output, "metrics.json"), "w", encoding="utf-8") as file:
        json.dump({"loss": loss, "steps": effective_steps(training, steps)}, file)


if __name__ == "__main__":
    main()
