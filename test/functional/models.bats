#!/usr/bin/env bats
# The registry of models: versions and tags, what is compared, imported, exported and removed.
# timeout: 400
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

model() {
  local verb=$1
  shift
  ote model "$verb" --state "$scratch/hq" "$@"
}
train() { fl run --dataset digits --input-scale 0.0625 -q "$@" >/dev/null; }

@test "runs that name one model make versions of it, and a tag moves between them" {
  printf 'dataset: digits\nmodel: {kind: softmax, inputScale: 0.0625}\nmodelName: digits\n' >run.yaml
  fl run -f run.yaml --rounds 1 -q >/dev/null
  fl run -f run.yaml --rounds 2 -q >/dev/null
  expect 0 model list -o json
  [ "$(json '.items | length')" -eq 1 ]
  [ "$(json '.items[0].version')" -eq 2 ]
  expect 0 model list --all -o name
  [ "$output" = $'digits@1\ndigits@2' ]

  expect 0 model tag digits@1 production
  expect 0 model show digits@production -o json
  [ "$(json .version)" -eq 1 ]
  [ "$(json .round)" -eq 1 ]
  jq -e '.participants == ["clinic-a", "clinic-b", "clinic-c"]' <<<"$output"
  jq -e '.source == "run" and (.run | startswith("run-")) and (.specDigest | startswith("blake2b:"))' <<<"$output"
  jq -e '.tensors | map(.name) == ["layers.0.weight", "layers.0.bias"]' <<<"$output"
  expect 0 model tag digits production
  expect 0 model show digits@production -o json
  [ "$(json .version)" -eq 2 ]
  expect 0 model show digits@1 -o json
  jq -e '.tags == []' <<<"$output"
  expect 2 model tag digits 7
  expect 7 model show digits@9
  expect 7 model show digits@staging
}

@test "a version with a tag is not removed without --force, and a file goes with the last that needs it" {
  train --name first --rounds 1
  local digest
  digest=$(model show first -o json | jq -r .digest)
  model export first --to first.safetensors -q
  expect 0 model import first.safetensors --name copy -o json
  [ "$(json .digest)" = "$digest" ]
  model tag first production -q
  expect 6 model remove first --yes
  expect 0 model remove first --yes --force
  expect 0 model export copy --to copy.safetensors
  cmp first.safetensors copy.safetensors
  expect 0 model remove copy@1 --yes
  expect 7 model show copy
  [ -z "$(find hq/artifacts -type f -name "${digest:10}*")" ]
  # The number is not given again.
  expect 0 model import first.safetensors --name copy -o name
  [ "$output" = copy@2 ]
}

@test "an import is a version, the same file again is none, and what is not a model is refused" {
  train --name digits --rounds 1
  train --name other --rounds 2
  model export other --to other.safetensors -q
  expect 0 model import other.safetensors --name digits --tag candidate -o json
  [ "$(json .version)" -eq 2 ]
  [ "$(json .source)" = import ]
  jq -e '.tags == ["candidate"]' <<<"$output"
  expect 0 model import other.safetensors --name digits -o json
  [ "$(json .version)" -eq 2 ]
  head -c 2000 other.safetensors >cut.safetensors
  expect 8 model import cut.safetensors --name digits
  [[ $stderr == *OTE-E0402* ]]
  expect 0 model diff digits@1 digits@2 -o json
  jq -e '.same == false and (.tensors | length == 2) and (.tensors[0].l2 > 0) and (.tensors[0].cosine < 1)' <<<"$output"
  expect 0 model diff digits other.safetensors
  [[ $output == *"the same file"* ]]
  # Versions and tags are there after a crash.
  kill_agent "$scratch/hq"
  ote cluster start --state "$scratch/hq" -q >/dev/null
  expect 0 model show digits@candidate -o json
  [ "$(json .version)" -eq 2 ]
}

@test "tensors of another program are imported by a spec" {
  /usr/bin/python3 - <<'PY'
import json, struct, numpy as np
tensors = {"layers.0.bias": np.zeros(2, "<f4"), "layers.0.weight": np.array([[1, 0, 0], [0, 1, 0]], "<f4")}
header, data = {}, b""
for name, t in tensors.items():
    header[name] = {"dtype": "F32", "shape": list(t.shape), "data_offsets": [len(data), len(data) + t.nbytes]}
    data += t.tobytes()
text = json.dumps(header).encode()
open("foreign.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
PY
  printf 'model: {kind: softmax}\nfeatures: 3\nclasses: [left, right]\n' >model.yaml
  expect 8 model import foreign.safetensors --name sides
  [[ $stderr == *--spec* ]]
  expect 0 model import foreign.safetensors --name sides --spec model.yaml -o json
  [ "$(json .parameters)" -eq 8 ]
  printf 'a,b,c\n5,1,0\n1,5,0\n' >rows.csv
  expect 0 model predict sides --data rows.csv -q
  [ "$output" = $'left\nright' ]
  sed -i 's/features: 3/features: 4/' model.yaml
  expect 8 model import foreign.safetensors --name sides --spec model.yaml
  [[ $stderr == *layers.0.weight* ]]
}
