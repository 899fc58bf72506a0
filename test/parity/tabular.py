"""The models of tables: each case beside its reference, on rows that no site was given."""

from dataclasses import dataclass, field

import numpy as np

import reference
from rows import PARTIES, REGRESSION, DataSet


@dataclass
class Case:
    name: str
    data: str
    spec: dict  # of the run: what a user writes into a run file
    within: float  # a part of the reference's measure
    splits: int = 5  # fifths of the rows that are held out in turn
    repeats: int = 1  # with other fifths, and other first parameters
    reference: dict = field(default_factory=dict)  # perceptrons: how the centralised one is trained

    @property
    def id(self):
        return f"{self.data.replace('_', '-')}-{self.spec['model']['kind']}"

    @property
    def regression(self):
        return self.data in REGRESSION


def perceptron(name, data, hidden, rounds, epochs, rate, batch, l2=0, schedule="constant", **more):
    """As many passes over the rows on both sides, and as many steps: a batch of each site in place of one of all."""
    prepare = {"prepare": {"standardize": True}} if data in ("vehicle_scale", *REGRESSION) else {}
    spec = {"model": {"kind": "mlp", "hidden": hidden}, "rounds": rounds, **prepare,
            "training": {"learningRate": rate, "momentum": 0.9, "batchSize": batch, "epochs": epochs, "l2": l2,
                         "schedule": {"kind": schedule}}}
    return Case(name, data, spec, 0.01,
                reference={"batch": batch * len(PARTIES[data]), "epochs": rounds * epochs}, **more)


def trees(name, data, within, count, depth, **more):
    return Case(name, data, {"model": {"kind": "gbt", "trees": count, "depth": depth, "shrinkage": 0.1, "lambda": 1}},
                within, **more)


def regression_of_classes(name, data, l2, rounds, rate, **more):
    """l2 is that of scikit-learn's C = 1 for as many rows as are trained on."""
    spec = {"model": {"kind": "softmax"}, "rounds": rounds, "prepare": {"standardize": True},
            "training": {"learningRate": rate, "momentum": 0.9, "batchSize": 32, "l2": l2,
                         "schedule": {"kind": "cosine"}}}
    return Case(name, data, spec, 0.005, **more)


CASES = [
    regression_of_classes("logistic regression", "breast", 2 / 364, 100, 0.1),
    regression_of_classes("logistic regression", "default_credit", 2 / 19200, 20, 0.02, splits=2),
    regression_of_classes("softmax regression", "vehicle_scale", 1 / 677, 100, 0.3),
    Case("linear regression", "student",
         {"model": {"kind": "linear"}, "rounds": 40, "prepare": {"standardize": True},
          "training": {"learningRate": 0.03, "momentum": 0.9, "batchSize": 32, "schedule": {"kind": "cosine"}}}, 0.02),
    perceptron("perceptron 30-32-2", "breast", [32], 20, 2, 0.05, 16, repeats=2),
    perceptron("perceptron 23-32-2", "default_credit", [32], 10, 2, 0.05, 32, splits=3),
    perceptron("perceptron 18-32-4", "vehicle_scale", [32], 40, 5, 0.05, 16, schedule="cosine", repeats=3),
    perceptron("perceptron 13-16-1", "student", [16], 50, 2, 0.001, 16, l2=1, repeats=2),
    trees("boosted trees", "default_credit", 0.005, 50, 4, splits=2),
    trees("boosted trees", "vehicle_scale", 0.005, 50, 4, repeats=2),
    trees("boosted trees", "student", 0.02, 50, 3),
]


@dataclass
class Outcome:
    """One measure of one case: the means over all that was held out, and each value that they are the mean of."""

    case: Case
    measure: str
    rows: str
    ote: list
    reference: list

    @property
    def difference(self):
        """The part of the reference by which ote is better (above 0) or worse."""
        mine, theirs = np.mean(self.ote), np.mean(self.reference)
        return float((theirs - mine if self.measure == "rmse" else mine - theirs) / theirs)

    @property
    def reached(self):
        return self.difference >= -self.case.within

    def __str__(self):
        pairs = ", ".join(f"{mine:.4f}/{theirs:.4f}" for mine, theirs in zip(self.ote, self.reference))
        return (f"{self.rows}, {self.measure}: {np.mean(self.ote):.4f}, reference {np.mean(self.reference):.4f}, "
                f"{100 * self.difference:+.2f} %{'' if self.reached else ' MISSED'} ({pairs})")


def compare(case, data, federation):
    """Trains and measures both; a list of outcomes."""
    outcomes = {}

    def note(rows, mine, theirs):
        for measure in theirs:
            outcome = outcomes.setdefault((rows, measure), Outcome(case, measure, rows, [], []))
            outcome.ote.append(mine[measure])
            outcome.reference.append(theirs[measure])

    for repeat in range(case.repeats):
        for number, (train, test) in enumerate(data.folds(case.splits, seed=repeat + 1)):
            seed = 100 * repeat + number + 1
            dataset = register(data, train, seed, federation)
            spec = {**case.spec, "dataset": dataset, "seed": seed,
                    "task": "regression" if case.regression else "classification"}
            model = federation.run(spec, data.sites)
            pooled = data.rows.take(np.concatenate(train))
            predict = reference.fit(case, pooled.x, pooled.y, seed)
            for rows, held_out in [("held out", data.rows.take(test)), ("published test", data.published)]:
                if held_out is not None:
                    file = held_out.write(federation.path("held-out.csv"))
                    note(rows, federation.measure(model, file, "--label", "y", "--ignore", "id"),
                         reference.measure(case, predict(held_out.x), held_out.y))
    return list(outcomes.values())


def register(data, train, seed, federation):
    """Gives each site its rows of a split; once, however many cases want it."""
    dataset = f"{data.name.replace('_', '-')}-{seed}"
    if dataset not in federation.registered:
        files = {site: data.rows.take(own).write(federation.path(f"{dataset}-{site}.csv"))
                 for site, own in zip(data.sites, train)}
        federation.add(dataset, files, "--label", "y", "--ignore", "id", "--task",
                       "regression" if data.regression else "classification")
        federation.registered.add(dataset)
    return dataset


def load(folder, names):
    return {name: DataSet(folder, name) for name in sorted(names)}
