"""Checks an ONNX file with onnx.checker, and applies it to the rows of a csv file by numpy alone.

usage: onnx_predict.py MODEL.onnx ROWS.csv LABEL
Prints one line a row, the numbers of the output parted by commas. Knows the operators that ote writes.
"""
import csv
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def gemm(a, b, c=0, transA=0, transB=0, alpha=1.0, beta=1.0):
    return alpha * ((a.T if transA else a) @ (b.T if transB else b)) + beta * c


OPERATORS = {
    "Gemm": gemm,
    "Softmax": softmax,
    "Relu": lambda x: np.maximum(x, 0),
    "Tanh": np.tanh,
    "Mul": np.multiply,
    "Sub": np.subtract,
    "Add": np.add,
    "IsNaN": np.isnan,
    "Where": np.where,
}


def evaluate(model, features):
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    values[model.graph.input[0].name] = features
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](*(values[name] for name in node.input), **attributes)
    return values[model.graph.output[0].name]


def main(model_file, rows_file, label):
    model = onnx.load(model_file)
    onnx.checker.check_model(model, full_check=True)
    with open(rows_file, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != label]
    features = np.array([[float(row[n]) if row[n] else np.nan for n in names] for row in rows], dtype=np.float32)
    for row in evaluate(model, features):
        print(",".join(f"{value:.9g}" for value in row))


if __name__ == "__main__":
    main(*sys.argv[1:])
