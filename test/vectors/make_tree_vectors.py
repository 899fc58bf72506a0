#!/usr/bin/python3
"""Reference values for the models of statistics, written to trees.json beside this file: boosted trees by XGBoost 1.7
(hist), k-means by scikit-learn 1.2. Packages: python3-xgboost, python3-sklearn."""
import json
import os

import numpy as np
import xgboost
from sklearn.cluster import KMeans


def plain(values):
    """Missing values as null, six digits."""
    return [None if np.isnan(v) else float(f"{v:.6g}") for v in np.asarray(values, dtype=float).ravel()]


def trees(random):
    vectors = []
    for name, classes, missing, spec in [
        ("two classes", 2, 0.0, dict(trees=8, depth=3, shrinkage=0.3, lambda_=1.0, gamma=0.0, minChildWeight=1.0)),
        ("two classes, missing values", 2, 0.2,
         dict(trees=6, depth=4, shrinkage=0.5, lambda_=0.5, gamma=0.1, minChildWeight=2.0)),
        ("three classes", 3, 0.0, dict(trees=5, depth=3, shrinkage=0.3, lambda_=1.0, gamma=0.0, minChildWeight=1.0)),
        ("regression", 0, 0.0, dict(trees=8, depth=3, shrinkage=0.3, lambda_=2.0, gamma=1.0, minChildWeight=3.0)),
        ("regression, missing values", 0, 0.2,
         dict(trees=6, depth=5, shrinkage=0.2, lambda_=1.0, gamma=0.0, minChildWeight=1.0)),
    ]:
        rows, columns = 160, 4
        x = random.normal(size=(rows, columns)).round(4).astype(np.float32)
        signal = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * random.normal(size=rows)
        if classes:
            y = np.searchsorted(np.quantile(signal, np.arange(1, classes) / classes), signal).astype(float)
        else:
            y = (50 + 20 * signal).round(3)
        x[random.random(size=x.shape) < missing] = np.nan
        settings = dict(tree_method="hist", max_bin=256, max_depth=spec["depth"], eta=spec["shrinkage"],
                        gamma=spec["gamma"], min_child_weight=spec["minChildWeight"], nthread=1)
        settings["lambda"] = spec.pop("lambda_")
        spec["lambda"] = settings["lambda"]
        data = xgboost.DMatrix(x, y)
        if classes > 2:
            prior = np.log(np.bincount(y.astype(int)) / rows)
            data.set_base_margin(np.tile(prior, (rows, 1)).ravel())
            settings.update(objective="multi:softprob", num_class=classes)
        else:
            settings.update(objective="binary:logistic" if classes else "reg:squarederror", base_score=float(y.mean()))
        model = xgboost.train(settings, data, spec["trees"])
        outputs = model.predict(data)
        if classes == 2:
            outputs = np.stack([1 - outputs, outputs], axis=1)
        vectors.append(dict(name=name, classes=classes, columns=columns, spec=spec, x=plain(x), y=plain(y),
                            outputs=plain(outputs)))
    return vectors


def centroids(random):
    x = np.concatenate([random.normal(size=(30, 3)) + 4 * random.normal(size=3) for _ in range(6)]).round(3)
    start = x[random.choice(len(x), 6, replace=False)]
    steps = 4
    lloyd = KMeans(6, init=start, n_init=1, max_iter=steps, tol=0, algorithm="lloyd").fit(x)
    best = KMeans(6, n_init=50, random_state=1).fit(x)
    return dict(columns=3, x=plain(x), start=plain(start), steps=steps, centroids=plain(lloyd.cluster_centers_),
                bestLoss=float(best.inertia_ / len(x)))


def main():
    random = np.random.default_rng(20261125)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "trees.json"), "w") as out:
        json.dump(dict(trees=trees(random), kmeans=centroids(random)), out)
        out.write("\n")


if __name__ == "__main__":
    main()
