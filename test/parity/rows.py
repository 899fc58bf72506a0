"""The rows of the data sets: whose they are, and which of them no site is given."""

import csv
import os

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

# The label of all of them is y, and id tells nothing. Of vehicle there is no test file here: its rows are also in the
# parties' files.
PARTIES = {
    "breast": ["guest", "host"],
    "default_credit": ["guest", "host_1", "host_2"],
    "vehicle_scale": ["guest", "host"],
    "student": ["guest", "host"],
}
PUBLISHED_TEST = ["breast", "default_credit"]
REGRESSION = ["student"]


class Rows:
    """The text of rows, to be given to sites as it stands, and their numbers."""

    def __init__(self, header, lines):
        self.header, self.lines = header, lines
        features = [i for i, name in enumerate(header) if name not in ("id", "y")]
        numbers = np.array(lines, dtype=np.float64)
        self.x, self.y = numbers[:, features], numbers[:, header.index("y")]

    def take(self, chosen):
        return Rows(self.header, [self.lines[i] for i in chosen])

    def write(self, path):
        with open(path, "w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows([self.header, *self.lines])
        return path


def read(folder, name):
    with open(os.path.join(folder, "fate", name + ".csv"), encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    return Rows(header, lines)


class DataSet:
    """One data set, with the rows of all parties one after the other."""

    def __init__(self, folder, name):
        self.name = name
        self.regression = name in REGRESSION
        parts = [read(folder, f"{name}_homo_{party}") for party in PARTIES[name]]
        self.sites = [party.replace("_", "-") for party in PARTIES[name]]
        self.rows = Rows(parts[0].header, [line for part in parts for line in part.lines])
        self.owner = np.repeat(np.arange(len(parts)), [len(part.lines) for part in parts])
        self.published = read(folder, f"{name}_homo_test") if name in PUBLISHED_TEST else None

    def folds(self, count, seed):
        """Pairs of what is trained on, by site, and the rows that are held out: in each fold other ones."""
        kind = KFold if self.regression else StratifiedKFold
        for train, test in kind(5, shuffle=True, random_state=seed).split(self.rows.x, self.rows.y):
            if count == 0:
                return
            count -= 1
            yield [train[self.owner[train] == party] for party in range(len(self.sites))], test
