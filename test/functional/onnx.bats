#!/usr/bin/env bats
# Models as ONNX: what another implementation makes of them is what ote makes of them, and they come back the same.
# timeout: 400
load helpers
load federation

setup() {
  ote_setup
  start_federation
  head -n 101 "$samples/digits.csv" >rows.csv
}

model() {
  local verb=$1
  shift
  ote model "$verb" --state "$scratch/hq" "$@"
}

# agrees MODEL FILE.onnx: numpy gives the probabilities that ote gives.
agrees() {
  model predict "$1" --data rows.csv --label "$(digits_label)" -o json >predictions.json
  /usr/bin/python3 "$source_root/test/functional/onnx_predict.py" "$2" rows.csv "$(digits_label)" predictions.json
}

@test "numpy makes of an exported softmax and an exported perceptron what ote predicts" {
  local kind
  for kind in softmax mlp; do
    fl run --dataset digits --name "$kind" --model "$kind" --input-scale 0.0625 --rounds 2 -q >/dev/null
    expect 0 model export "$kind" --format onnx
    agrees "$kind" "$kind.onnx"
  done
  fl run --dataset digits --name tanh --model mlp --hidden 20,10 --activation tanh --rounds 1 -q >/dev/null
  model export tanh --format onnx --to tanh.onnx -q
  agrees tanh tanh.onnx
}

@test "an exported model is imported as the same file" {
  fl run --dataset digits --name digits --model mlp --hidden 20,10 --activation tanh --input-scale 0.0625 --rounds 1 \
    -q >/dev/null
  model export digits --format onnx --to digits.onnx -q
  expect 0 model import digits.onnx --name back -o json
  [ "$(json .digest)" = "$(model show digits -o json | jq -r .digest)" ]
}

@test "an operator that is not known is named and refused" {
  /usr/bin/python3 - <<'PY'
import numpy as np, onnx
from onnx import helper, numpy_helper, TensorProto
def save(name, nodes, tensors):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
                              [numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), name)
weight, bias = np.array([[1, 0, -1], [0, 1, -1]]), np.zeros(3)
save("sigmoid.onnx", [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Sigmoid", ["a"], ["y"])],
     {"w": weight})
save("matmul.onnx", [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Add", ["a", "b"], ["c"]),
                     helper.make_node("Softmax", ["c"], ["y"])], {"w": weight, "b": bias})
PY
  expect 1 model import sigmoid.onnx --name other
  [[ $stderr == *Sigmoid*OTE-E0405* ]]
  expect 0 model import matmul.onnx --name other --classes right,up,neither -q
  printf 'a,b\n3,0\n0,3\n-3,-3\n' >points.csv
  expect 0 model predict other --data points.csv -q
  [ "$output" = $'right\nup\nneither' ]
  expect 2 model import matmul.onnx --name other --classes right,up
  head -c 100 matmul.onnx >cut.onnx
  expect 8 model import cut.onnx --name other
}
