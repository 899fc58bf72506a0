"""Checks an ONNX file with onnx.checker, and applies it to the rows of a csv file by numpy alone.

usage: onnx_predict.py MODEL.onnx ROWS.csv LABEL PREDICTIONS.json
PREDICTIONS.json is what `ote model predict -o json` says of the rows. Fails when it is not what numpy comes to, to 1e-5
of a probability, and of a value or its size. Knows the operators that ote writes.
"""
import csv
import json
import sys

import numpy as np
import onnx
from onnx import helper, mapping, numpy_helper


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def gemm(a, b, c=0, transA=0, transB=0, alpha=1.0, beta=1.0):
    return alpha * ((a.T if transA else a) @ (b.T if transB else b)) + beta * c


def conv(x, w, b, kernel_shape, pads, strides):
    assert strides == [1, 1] and list(w.shape[2:]) == kernel_shape
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel_shape, axis=(2, 3))
    return np.einsum("nchwij,fcij->nfhw", windows, w) + b.reshape(1, -1, 1, 1)


def max_pool(x, kernel_shape, strides):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel_shape, axis=(2, 3))
    return windows[:, :, :: strides[0], :: strides[1]].max(axis=(4, 5))


def instance_normalization(x, scale, b, epsilon):
    axes = tuple(range(2, x.ndim))
    shape = (1, -1) + (1,) * len(axes)
    deviation = np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)
    return scale.reshape(shape) * (x - x.mean(axis=axes, keepdims=True)) / deviation + b.reshape(shape)


def reshape(x, shape):
    return x.reshape([x.shape[i] if extent == 0 else extent for i, extent in enumerate(shape)])


def tree_ensemble_regressor(x, aggregate_function, base_values, n_targets, post_transform, **lists):
    assert aggregate_function == b"SUM" and post_transform == b"NONE"
    nodes, roots = {}, []
    names = ["treeids", "nodeids", "modes", "featureids", "values", "missing_value_tracks_true", "truenodeids"]
    for tree, node, *rest in zip(*(lists["nodes_" + name] for name in names + ["falsenodeids"])):
        if node == 0:
            roots.append(tree)
        nodes[tree, node] = rest
    leaves = {}
    for tree, node, target, weight in zip(*(lists["target_" + n] for n in ["treeids", "nodeids", "ids", "weights"])):
        leaves.setdefault((tree, node), []).append((target, weight))
    out = np.tile(np.array(base_values, dtype=np.float32), (len(x), 1))
    assert out.shape[1] == n_targets
    for row, sums in zip(x, out):
        for tree in roots:
            at = 0
            while (node := nodes[tree, at])[0] != b"LEAF":
                mode, feature, value, missing, left, right = node
                beyond = {b"BRANCH_LT": np.less, b"BRANCH_GT": np.greater}[mode](row[feature], np.float32(value))
                goes = missing if np.isnan(row[feature]) else beyond
                at = left if goes else right
            for target, weight in leaves[tree, at]:
                sums[target] += np.float32(weight)
    return out


OPERATORS = {
    "Add": np.add,
    "ArgMin": lambda x, axis, keepdims: np.argmin(x, axis=axis, keepdims=bool(keepdims)),
    "Cast": lambda x, to: x.astype(mapping.TENSOR_TYPE_TO_NP_TYPE[to]),
    "Concat": lambda *parts, axis: np.concatenate(parts, axis=axis),
    "Conv": conv,
    "Flatten": lambda x, axis: x.reshape(int(np.prod(x.shape[:axis])), -1),
    "Gemm": gemm,
    "InstanceNormalization": instance_normalization,
    "IsNaN": np.isnan,
    "MaxPool": max_pool,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Relu": lambda x: np.maximum(x, 0),
    "Reshape": reshape,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Softmax": softmax,
    "Sub": np.subtract,
    "Tanh": np.tanh,
    "TreeEnsembleRegressor": tree_ensemble_regressor,
    "Where": np.where,
}


def evaluate(model, features):
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    values[model.graph.input[0].name] = features
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](*(values[name] for name in node.input), **attributes)
        assert values[node.output[0]].dtype in (np.float32, np.int64, np.bool_), node.op_type
    return values[model.graph.output[0].name]


def predicted(file, classes):
    with open(file, encoding="utf-8") as stream:
        items = json.load(stream)["items"]
    if classes:
        return np.array([[item["probabilities"][name] for name in classes] for item in items])
    return np.array([[item["prediction"]] for item in items])


def main(model_file, rows_file, label, predictions_file):
    model = onnx.load(model_file)
    onnx.checker.check_model(model, full_check=True)
    with open(rows_file, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != label]
    features = np.array([[float(row[n]) if row[n] else np.nan for n in names] for row in rows], dtype=np.float32)
    classes = json.loads({entry.key: entry.value for entry in model.metadata_props}["ote.classes"])
    ours, theirs = predicted(predictions_file, classes), evaluate(model, features)
    assert ours.shape == theirs.shape == (len(rows), max(len(classes), 1)), (ours.shape, theirs.shape)
    distance = (np.abs(ours - theirs) / np.maximum(np.abs(ours), 1)).max()
    assert distance < 1e-5, distance
    print(f"{len(rows)} rows, the largest distance {distance:.2g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
