"""What the field reaches with all rows in one place: scikit-learn and XGBoost."""

import warnings

import numpy as np
import xgboost
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, mean_squared_error, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler


def fit(case, x, y, seed):
    """A function from features to outputs: values, or the probabilities of the classes in their order."""
    scale = StandardScaler().fit(x).transform if case.spec.get("prepare", {}).get("standardize") else (lambda x: x)
    model = MAKERS[case.spec["model"]["kind"]](case, y, seed)
    with warnings.catch_warnings():
        # A perceptron is trained for as many passes as it is told.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scale(x), y)
    predict = model.predict if case.regression else model.predict_proba
    return lambda x: predict(scale(x))


def measure(case, outputs, y):
    """The metrics by the names that ote gives them."""
    if case.regression:
        return {"rmse": float(np.sqrt(mean_squared_error(y, outputs)))}
    metrics = {"accuracy": float(accuracy_score(y, np.argmax(outputs, axis=1)))}
    if outputs.shape[1] == 2:
        metrics["auc"] = float(roc_auc_score(y, outputs[:, 1]))
    return metrics


def _softmax(case, y, _seed):
    # C is that of a sum over rows: l2 of a mean over them is 1/(C n); two classes have one vector of weights here and
    # two in a softmax, which share the difference.
    l2, halves = case.spec["training"]["l2"], 2 if len(np.unique(y)) == 2 else 1
    return LogisticRegression(C=halves / (l2 * len(y)), max_iter=10000, tol=1e-6)


def _linear(_case, _y, _seed):
    return LinearRegression()


def _mlp(case, y, seed):
    model, how = case.spec["model"], case.reference
    kind = MLPRegressor if case.regression else MLPClassifier
    # The loss of numbers is half the squared error here and all of it in ote: steps and l2 are of the other half. alpha
    # is divided by the rows of a batch.
    whole, l2 = 2 if case.regression else 1, case.spec["training"].get("l2", 0)
    return kind(hidden_layer_sizes=model["hidden"], activation="relu", solver="sgd", momentum=0.9,
                nesterovs_momentum=False, alpha=l2 * how["batch"] / whole, batch_size=how["batch"],
                learning_rate_init=whole * case.spec["training"]["learningRate"], max_iter=how["epochs"],
                n_iter_no_change=how["epochs"], tol=0, random_state=seed)


def _gbt(case, y, seed):
    model = case.spec["model"]
    kind = xgboost.XGBRegressor if case.regression else xgboost.XGBClassifier
    # XGBoost 1.7 starts a regression at 0.5 unless it is told better; ote starts at the mean, as XGBoost 2 does.
    start = {"base_score": float(np.mean(y))} if case.regression else {}
    return kind(n_estimators=model["trees"], max_depth=model["depth"], learning_rate=model["shrinkage"],
                reg_lambda=model["lambda"], gamma=0, min_child_weight=1, max_bin=256,
                random_state=seed, n_jobs=1, **start)


MAKERS = {"softmax": _softmax, "linear": _linear, "mlp": _mlp, "gbt": _gbt}
