#!/usr/bin/python3
"""Reference values for the convolutional network of core/learn: full-batch training by PyTorch in float64, written to
cnn.json beside this file. Needs the package python3-torch."""
import json
import os

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, case, outputs):
        super().__init__()
        channels, height, width = case["image"]
        side = case["kernel"]
        self.conv, self.norm, self.layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.act = nn.ReLU() if case["activation"] == "relu" else nn.Tanh()
        self.pool = nn.MaxPool2d(case["pool"])
        for filters in case["filters"]:
            self.conv.append(nn.Conv2d(channels, filters, side, padding=side // 2))
            if case["groups"]:
                self.norm.append(nn.GroupNorm(case["groups"], filters))
            channels, height, width = filters, height // case["pool"], width // case["pool"]
        units = [channels * height * width, *case["hidden"], outputs]
        for i, o in zip(units, units[1:]):
            self.layers.append(nn.Linear(i, o))

    def forward(self, x):
        for i, conv in enumerate(self.conv):
            x = conv(x)
            if self.norm:
                x = self.norm[i](x)
            x = self.pool(self.act(x))
        x = x.flatten(1)
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i + 1 < len(self.layers):
                x = self.act(x)
        return x


def ordered(net):
    """Names and tensors, a convolution and its normalisation side by side."""
    state = dict(net.named_parameters())
    names = []
    for i in range(len(net.conv)):
        names += ["conv.%d.weight" % i, "conv.%d.bias" % i]
        if net.norm:
            names += ["norm.%d.weight" % i, "norm.%d.bias" % i]
    for i in range(len(net.layers)):
        names += ["layers.%d.weight" % i, "layers.%d.bias" % i]
    assert sorted(names) == sorted(state)
    return [(name, state[name]) for name in names]


def flat(values):
    return torch.cat([v.detach().reshape(-1) for v in values])


CASES = [
    dict(name="two convolutions in groups, one step", image=[2, 6, 6], filters=[4, 4], kernel=3, pool=2, groups=2,
         activation="relu", hidden=[5], outputs=3, optimizer="sgd", learning_rate=0.1, l2=0.0, epochs=1),
    dict(name="two convolutions in groups, momentum, L2", image=[2, 6, 6], filters=[4, 4], kernel=3, pool=2, groups=2,
         activation="relu", hidden=[5], outputs=3, optimizer="sgd", learning_rate=0.05, l2=0.02, epochs=2),
    dict(name="a wide filter over an image that is not square, Adam", image=[1, 7, 5], filters=[6], kernel=5, pool=2,
         groups=3, activation="tanh", hidden=[], outputs=2, optimizer="adam", learning_rate=0.01, l2=0.01, epochs=2),
    dict(name="no normalisation, no pooling, regression", image=[3, 4, 4], filters=[3, 2], kernel=3, pool=1, groups=0,
         activation="tanh", hidden=[4], outputs=1, optimizer="adam", learning_rate=0.01, l2=0.0, epochs=2),
    dict(name="a filter of one pixel, pooling by three", image=[2, 7, 9], filters=[3], kernel=1, pool=3, groups=1,
         activation="relu", hidden=[], outputs=1, optimizer="sgd", learning_rate=0.05, l2=0.0, epochs=2),
]


def make(case):
    rows, outputs = 6, case["outputs"]
    x = (torch.randn(rows, *case["image"]) * 10).round() / 10
    y = (torch.randn(rows) * 10).round() / 10 if outputs == 1 else torch.arange(rows) % outputs
    net = Net(case, outputs)
    tensors = ordered(net)
    with torch.no_grad():
        for name, tensor in tensors:
            noise = (torch.randn_like(tensor) * 40).round() / 100
            tensor.copy_(noise + (1 if name.startswith("norm") and name.endswith("weight") else 0))
    loss_of = (lambda z: ((z[:, 0] - y) ** 2).mean()) if outputs == 1 else (lambda z: nn.functional.cross_entropy(z, y))
    decayed = [t for n, t in tensors if n.endswith("weight") and not n.startswith("norm")]
    others = [t for n, t in tensors if not (n.endswith("weight") and not n.startswith("norm"))]
    parts = [dict(params=decayed, weight_decay=case["l2"]), dict(params=others, weight_decay=0.0)]
    rate = case["learning_rate"]
    steps = torch.optim.Adam(parts, lr=rate) if case["optimizer"] == "adam" else torch.optim.SGD(parts, lr=rate, momentum=0.9)
    start = flat(t for _, t in tensors)
    first = net(x).detach()
    for _ in range(case["epochs"]):
        steps.zero_grad()
        loss = loss_of(net(x))
        loss.backward()
        steps.step()
    final = loss_of(net(x))
    predictions = first if outputs == 1 else first.softmax(1)
    return dict(case, rows=rows, features=x.reshape(-1).tolist(), targets=y.tolist(),
                layout=[[n, list(t.shape)] for n, t in tensors], start=[round(v, 2) for v in start.tolist()],
                predictions=[round(v, 9) for v in predictions.reshape(-1).tolist()], loss=loss.item(),
                final_loss=final.item(), end=[round(v, 9) for v in flat(t for _, t in tensors).tolist()])


def main():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(20261125)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cnn.json")
    with open(path, "w", encoding="utf-8") as out:
        json.dump([make(case) for case in CASES], out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
