"""A convolutional network on digits that ten sites hold unevenly, beside the same one with all rows in one place."""

import json
import os

from federation import Federation

SITES = [f"site-{n:02}" for n in range(1, 11)]
FLOOR = 0.965
SPEC = {"task": "classification", "rounds": 30, "seed": 1,
        "model": {"kind": "cnn", "inputScale": 1 / 255, "filters": [8, 16], "hidden": [64]},
        "training": {"learningRate": 0.05, "momentum": 0.9, "batchSize": 32, "epochs": 2,
                     "schedule": {"kind": "cosine"}}}


def idx(folder, part):
    folder = os.path.join(folder, "mnist8k")
    return [os.path.join(folder, f"{part}-images-idx3-ubyte.gz"), "--format", "idx", "--label-path",
            os.path.join(folder, f"{part}-labels-idx1-ubyte.gz")]


def compare(folder, programs):
    """The accuracy of the federated network on the test digits, of the pooled one, and the sites' numbers of rows."""
    with Federation(programs, SITES) as federation:
        parts = json.loads(federation.ote(
            "data", "split", *idx(folder, "train"), "--parts", "10", "--dirichlet", "0.5", "--seed", "1", "--names",
            ",".join(SITES), "--out", federation.path("parts"), "-o", "json"))["items"]
        federation.add("digits", {site: part["path"] for site, part in zip(SITES, parts)}, "--label", "label")
        federated = federation.run({**SPEC, "dataset": "digits"}, SITES)
        pooled, file = federation.path("pooled.safetensors"), federation.path("pooled.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump({**SPEC, "dataset": "digits"}, out)
        federation.ote("fl", "simulate", "-f", file, "--sites", "1", "--test-fraction", "0", "--save", pooled, "-q",
                       "--data", *idx(folder, "train"))
        test, *flags = idx(folder, "test")
        accuracies = [federation.measure(model, test, *flags)["accuracy"] for model in (federated, pooled)]
        return *accuracies, [part["rows"] for part in parts]
