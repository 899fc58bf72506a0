"""Strategies where each of five sites has rows of two digits only: do those made for that beat plain averaging?

The learning rate is the one of a small grid with which *averaging* does best, over all seeds together and on the rows
that strategies are compared on. That favours averaging.
"""

import json

from federation import Federation

SITES = [f"site-{n}" for n in range(1, 6)]
SEEDS = [1, 2, 3, 4, 5]
RATES = [0.03, 0.1, 0.3, 1]
STRATEGIES = {
    "fedavg": {"kind": "fedavg"},
    "fedprox, mu 0.01": {"kind": "fedprox", "proximal": 0.01},
    "fedprox, mu 0.1": {"kind": "fedprox", "proximal": 0.1},
    "scaffold": {"kind": "scaffold"},
}
SPEC = {"task": "classification", "rounds": 20,
        "model": {"kind": "mlp", "hidden": [64], "inputScale": 0.0625},
        "training": {"momentum": 0, "batchSize": 32, "epochs": 5}}


class Skewed:
    """A federation in which each seed is a data set, shared out anew."""

    def __init__(self, federation, sample):
        self.federation = federation
        self.test = {}
        for seed in SEEDS:
            *parts, test = json.loads(federation.ote(
                "data", "split", sample, "--label", "digit", "--parts", "5", "--classes-per-site", "2", "--seed",
                str(seed), "--test-fraction", "0.2", "--names", ",".join(SITES), "--out",
                federation.path(f"parts-{seed}"), "-o", "json"))["items"]
            federation.add(f"digits-{seed}", {site: part["path"] for site, part in zip(SITES, parts)}, "--label",
                           "digit")
            self.test[seed] = test["path"]

    def accuracies(self, strategy, rate):
        """One for each seed."""
        spec = {**SPEC, "strategy": strategy, "training": {**SPEC["training"], "learningRate": rate}}
        return [self.federation.measure(
            self.federation.run({**spec, "dataset": f"digits-{seed}", "seed": seed}, SITES), self.test[seed],
            "--label", "digit")["accuracy"] for seed in SEEDS]


def compare(sample, programs):
    """The grid of fedavg by rate, the rate that was taken, and the accuracies of each strategy with it."""
    with Federation(programs, SITES) as federation:
        skewed = Skewed(federation, sample)
        grid = {rate: skewed.accuracies(STRATEGIES["fedavg"], rate) for rate in RATES}
        rate = max(RATES, key=lambda rate: sum(grid[rate]))
        return grid, rate, {name: grid[rate] if name == "fedavg" else skewed.accuracies(strategy, rate)
                            for name, strategy in STRATEGIES.items()}
