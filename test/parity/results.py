"""What was found, as Markdown."""

import datetime
import json
import os
import platform
import subprocess

import numpy as np
import sklearn
import xgboost

import digits
import skew

NAMES = {"accuracy": "accuracy", "auc": "AUC", "rmse": "RMSE"}
THEIRS = {"softmax": "LogisticRegression", "linear": "LinearRegression", "gbt": "XGBoost"}


def verdict(reached):
    return "reached" if reached else "**missed**"


def table(heads, numbers, rows):
    """The last `numbers` columns but one are aligned right."""
    aligned = ["---"] * (len(heads) - numbers - 1) + ["---:"] * numbers + ["---"]
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, aligned, *rows]) + "\n"


def reference_of(case):
    kind = case.spec["model"]["kind"]
    return THEIRS.get(kind) or ("MLPRegressor" if case.regression else "MLPClassifier")


def of_tables(outcomes):
    return table(
        ["model", "data", "rows", "reference", "measure", "ote", "reference's", "difference", "bound", ""], 4,
        [[o.case.name, o.case.data, f"{o.rows}, {len(o.ote)}", reference_of(o.case), NAMES[o.measure],
          f"{np.mean(o.ote):.4f}", f"{np.mean(o.reference):.4f}", f"{100 * o.difference:+.2f} %".replace("-", "−"),
          f"−{100 * o.case.within:g} %", verdict(o.reached)] for o in outcomes])


def of_digits(found):
    federated, pooled, rows = found
    return table(["model", "rows at the ten sites", "ote, ten agents", "ote, all rows in one place", "bound", ""], 3,
                 [["cnn", ", ".join(map(str, rows)), f"{100 * federated:.1f} %", f"{100 * pooled:.1f} %",
                   f"{100 * digits.FLOOR:.1f} %", verdict(federated >= digits.FLOOR)]])


def wins(mine, theirs):
    return sum(a > b for a, b in zip(mine, theirs))


def of_skew(found):
    grid, rate, strategies = found
    percents = lambda values: [f"{100 * value:.1f} %" for value in values]
    averaging = strategies["fedavg"]
    rows = [[name, *percents(values), f"{100 * np.mean(values):.1f} %",
             "" if name == "fedavg" else f"better with {wins(values, averaging)} of {len(values)}"]
            for name, values in strategies.items()]
    rates = ", ".join(f"{100 * np.mean(values):.1f} % with {r:g}" for r, values in grid.items())
    return (table(["strategy", *(f"seed {seed}" for seed in skew.SEEDS), "mean", "than fedavg"], len(skew.SEEDS) + 1,
                  rows) + f"\nThe grid, fedavg: {rates}. Taken: {rate:g}.\n")


def skew_reached(found):
    """Whether a strategy made for skew has a better mean, and more seeds on its side than not."""
    strategies = found[2]
    averaging = strategies["fedavg"]
    return any(np.mean(values) > np.mean(averaging) and 2 * wins(values, averaging) > len(values)
               for name, values in strategies.items() if name != "fedavg")


def machine(programs):
    version = json.loads(subprocess.run([os.path.join(programs, "ote"), "version", "-o", "json"], check=True,
                                        capture_output=True, text=True).stdout)
    linux = platform.release().split("-")[0]
    return (f"{datetime.date.today()}, {os.cpu_count()} cores, Linux {linux};\n"
            f"ote {version['version']} with the {version['kernel']} kernels, scikit-learn {sklearn.__version__}, "
            f"XGBoost {xgboost.__version__}.")
