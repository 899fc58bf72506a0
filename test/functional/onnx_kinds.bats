#!/usr/bin/env bats
# Every kind of model as ONNX, from files and with no agent: numpy makes of it what ote predicts.
# timeout: 300
load helpers

samples=$source_root/templates/samples

# learn NAME SITES ARGUMENTS... : NAME.safetensors, of the run file in standard input.
learn() {
  cat >"$1.yaml"
  ote fl simulate -f "$1.yaml" --sites "$2" --save "$1.safetensors" "${@:3}" -q >/dev/null
}
# agrees NAME ROWS.csv LABEL: exports the model, and applies it to the rows in both ways.
agrees() {
  ote model export "$1.safetensors" --format onnx --to "$1.onnx" -q >/dev/null
  ote model predict "$1.safetensors" --data "$2" --label "$3" -o json >predictions.json
  /usr/bin/python3 "$source_root/test/functional/onnx_predict.py" "$1.onnx" "$2" "$3" predictions.json
}
# holes IN OUT LABEL: every seventh field is empty, but for labels.
holes() {
  awk -F, -v OFS=, -v label="$3" '
    NR == 1 { for (i = 1; i <= NF; ++i) if ($i == label) keep = i; print; next }
    { for (i = 1; i <= NF; ++i) if (i != keep && (NR * NF + i) % 7 == 0) $i = ""; print }' "$1" >"$2"
}
# 200 rows whose target is about 1000, and bends.
make_values() {
  awk 'BEGIN { print "a,b,c,y"
    for (i = 0; i < 200; ++i) { a = i % 17 - 8; b = (i * 7) % 23 / 4; c = (i * 13) % 31 - 5
      print a "," b "," c "," 1000 + 3 * a + (b > 2 ? 40 : 0) - c * c / 10 } }' >values.csv
}

@test "a convolutional network, with group normalisation and without" {
  head -n 101 "$samples/digits.csv" >rows.csv
  learn normed 3 <<'YAML'
dataset: digits
model: {kind: cnn, image: [1, 8, 8], filters: [4, 8], groups: 2, hidden: [16], dropout: 0.2, inputScale: 0.0625}
rounds: 2
YAML
  agrees normed rows.csv digit
  learn plain 3 <<'YAML'
dataset: digits
model: {kind: cnn, image: [4, 4, 4], filters: [6], norm: none, kernel: 5, pool: 1, hidden: [], activation: tanh}
training: {learningRate: 0.001}
rounds: 1
YAML
  agrees plain rows.csv digit
  # Sides that pooling does not divide, and of which none is as long as another.
  learn uneven 3 <<'YAML'
dataset: digits
model: {kind: cnn, image: [1, 4, 16], filters: [4], pool: 3, hidden: [8, 8], inputScale: 0.0625, activation: tanh}
rounds: 1
YAML
  agrees uneven rows.csv digit
}

@test "trees for two classes, for more, and for values" {
  head -n 101 "$samples/digits.csv" >rows.csv
  learn many 3 <<'YAML'
dataset: digits
model: {kind: gbt, trees: 4, depth: 4, inputScale: 0.1}
YAML
  agrees many rows.csv digit
  learn two 3 <<'YAML'
dataset: breast-cancer
model: {kind: gbt, trees: 20, depth: 5}
YAML
  agrees two "$samples/breast_cancer.csv" diagnosis
  make_values
  learn value 2 --data values.csv --label y <<'YAML'
dataset: values
task: regression
model: {kind: gbt, trees: 30, depth: 3}
YAML
  agrees value values.csv y
}

@test "what preparation fills and standardises is filled and standardised by the graph" {
  holes "$samples/breast_cancer.csv" holes.csv diagnosis
  learn filled 3 --data holes.csv --label diagnosis --missing "" <<'YAML'
dataset: holes
model: {kind: softmax}
prepare: {standardize: true, missing: median}
rounds: 3
YAML
  agrees filled holes.csv diagnosis
  learn trees 3 --data holes.csv --label diagnosis --missing "" <<'YAML'
dataset: holes
model: {kind: gbt, trees: 10, depth: 4}
prepare: {standardize: true, missing: mean}
YAML
  agrees trees holes.csv diagnosis
}

@test "preparation far from 0 is no less exact" {
  make_values
  awk -F, -v OFS=, 'NR > 1 { $1 += 1000000; $2 = 50000 - $2 / 100; $4 = $4 > 1020 ? "high" : "low" } { print }' values.csv >moved.csv
  holes moved.csv far.csv y
  local model
  # Trees count their rounds themselves.
  for model in $'model: {kind: mlp, hidden: [4]}\nrounds: 2' 'model: {kind: gbt, trees: 10, depth: 3}'; do
    learn far 2 --data far.csv --label y --missing "" <<YAML
dataset: far
$model
prepare: {standardize: true, missing: mean}
YAML
    agrees far far.csv y
    rm far.onnx
  done
}

@test "the nearest centroid, where the data lies near 0 and far from it" {
  head -n 101 "$samples/digits.csv" >rows.csv
  learn near 3 <<'YAML'
dataset: digits
task: clustering
model: {kind: kmeans, centroids: 7, inputScale: 0.0625}
rounds: 3
YAML
  agrees near rows.csv digit
  make_values
  awk -F, -v OFS=, 'NR > 1 { $1 += 30000; $2 -= 50000 } { print }' values.csv >far.csv
  learn far 2 --data far.csv --label y <<'YAML'
dataset: far
task: clustering
model: {kind: kmeans, centroids: 5}
rounds: 3
YAML
  agrees far far.csv y
}

@test "a model that takes categories is refused" {
  make_values
  awk -F, -v OFS=, 'NR > 1 { $2 = ($2 > 3 ? "high" : "low") } { print }' values.csv >mixed.csv
  learn mixed 2 --data mixed.csv --label y --categorical b <<'YAML'
dataset: mixed
task: regression
model: {kind: gbt, trees: 2, depth: 2}
prepare: {oneHot: true}
YAML
  expect 1 ote model export mixed.safetensors --format onnx
  [[ $stderr == *"column b holds categories"* ]]
}
