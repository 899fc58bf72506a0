#!/usr/bin/env bats
# What a run file can choose, with real agents: strategies, models, preparation, models of the sites' own, when it is
# enough, where it starts from, and taking it up again.
# timeout: 600
# shellcheck disable=SC2119,SC2120,SC2154  # result takes flags of ote fl run
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

# run_file TEXT: a run file with the digits and what TEXT says.
run_file() {
  printf 'dataset: digits\n%s\n' "$1" >"$scratch/run.yaml"
}
mlp='model: {kind: mlp, hidden: [32], inputScale: 0.0625}'
result() { fl run -f "$scratch/run.yaml" -o json "$@" 2>"$scratch/err"; }

@test "every strategy trains a model over real agents, and twice the same one" {
  local strategy first
  for strategy in $(ote fl strategies -q); do
    run_file "$mlp
rounds: 2
strategy: {kind: $strategy}
sites: {minimum: 3}"
    result >"$scratch/one.json" || { cat "$scratch/err"; return 1; }
    first=$(jq -r .model.digest "$scratch/one.json")
    is finished jq -r .status "$scratch/one.json"
    is "$first" jq -r .model.digest <(result)
  done
}

@test "scaffold goes on to the same model when the root and a site are killed" {
  local run want
  run_file "$mlp
rounds: 6
strategy: {kind: scaffold}
sites: {minimum: 3}"
  want=$(result | jq -r .model.digest)
  run=$(fl run -f "$scratch/run.yaml" --detach -q)
  await_event "$run" update-folded 3
  kill_agent "$scratch/hq"
  kill_agent "$scratch/clinic-b"
  ote cluster start --state "$scratch/hq" -q >/dev/null
  ote cluster start --state "$scratch/clinic-b" -q >/dev/null
  wait_until 60 over "$run"
  is "$want" field_of "$run" .model.digest
  # What the sites kept for the runs went with them.
  wait_until 10 nothing_kept clinic-a
}
nothing_kept() {
  ote cluster stop --state "$scratch/$1" -q >/dev/null
  local left
  left=$(sqlite3 "$scratch/$1/ote.db" "select count(*) from resource where kind = 'site-memory'")
  ote cluster start --state "$scratch/$1" -q >/dev/null
  [ "$left" -eq 0 ]
}

@test "a site that is late counts in a later round, and the others do not wait for it" {
  local run pid
  run_file "$mlp
rounds: 400
training: {epochs: 20}
strategy: {kind: fedbuff, buffer: 2, maxStaleness: 1000}
sites: {minimum: 2}"
  run=$(fl run -f "$scratch/run.yaml" --detach -q)
  await_event "$run" round-finished 3
  pid=$(agents_of clinic-c)
  kill -STOP "$pid"
  await_event "$run" round-finished 12
  kill -CONT "$pid"
  wait_until 30 counted_late "$run"
  fl cancel "$run" --yes -q >/dev/null
}
counted_late() {
  field_of "$1" '[.rounds[].sites[]? | select(.name == "clinic-c" and .staleness >= 2)] | length' | grep -qv '^0$'
}

@test "trees, a convolution and centroids are trained by the same command" {
  run_file 'model: {kind: gbt, trees: 3, depth: 3, bins: 16}'
  result >"$scratch/out.json"
  is 12 jq -r '.rounds | length' "$scratch/out.json"
  jq -e '.metrics.accuracy > 0.6' "$scratch/out.json"
  run_file 'model: {kind: cnn, image: [1, 8, 8], filters: [8], inputScale: 0.0625}
rounds: 3'
  result >"$scratch/out.json"
  jq -e '.metrics.accuracy > 0.6' "$scratch/out.json"
  run_file 'task: clustering
model: {kind: kmeans, centroids: 10}
rounds: 3'
  result >"$scratch/out.json"
  jq -e '.metrics.loss > 0 and .metrics.accuracy == null' "$scratch/out.json"
}

@test "columns are standardised over all sites, and the model brings that along to whoever uses it" {
  run_file 'model: {kind: softmax}
rounds: 3
prepare: {standardize: true, classWeights: balanced}'
  result >"$scratch/out.json"
  is 64 jq -r '.preparation.columns | length' "$scratch/out.json"
  is 10 jq -r '.preparation.classWeights | length' "$scratch/out.json"
  jq -e '.metrics.accuracy > 0.85' "$scratch/out.json"
  ote model evaluate "$(jq -r .id "$scratch/out.json")" --state "$scratch/hq" --data "$samples/digits.csv" \
    --label "$(digits_label)" -o json | jq -e '.metrics.accuracy > 0.85'
}

@test "each site has a model of its own, which stays there" {
  run_file "$mlp
rounds: 3
personalization: {kind: ditto}"
  result >"$scratch/out.json"
  jq -e '.rounds[2].personal.rows > 0' "$scratch/out.json"
  local run
  run=$(jq -r .id "$scratch/out.json")
  ote model show "$run" --state "$scratch/clinic-a" -o json >"$scratch/own.json"
  # It is another one at each site, and none of them is at the root.
  [ "$(jq -r .digest "$scratch/own.json")" != "$(ote model show "$run" --state "$scratch/clinic-b" -o json | jq -r .digest)" ]
  ote model list --all --state "$scratch/hq" -o json | jq -e --arg digest "$(jq -r .digest "$scratch/own.json")" \
    'all(.items[]; .digest != $digest)'
}

@test "a run stops at its target, and says why" {
  run_file "$mlp
rounds: 60
stop: {metric: accuracy, target: 0.8}"
  result >"$scratch/out.json"
  jq -e '.metrics.accuracy >= 0.8 and (.rounds | length) < 60 and (.stopped | test("reached the target 0.8"))' "$scratch/out.json"
}

@test "a cancelled run is taken up again and ends in the model that it would have had" {
  local want run
  run_file "$mlp
rounds: 8
strategy: {kind: fedadam}"
  want=$(result | jq -r .model.digest)
  run=$(fl run -f "$scratch/run.yaml" --detach -q)
  await_event "$run" round-finished 3
  fl cancel "$run" --yes -q >/dev/null
  is cancelled status_of "$run"
  # Also by an agent that was killed meanwhile.
  kill_agent "$scratch/hq"
  ote cluster start --state "$scratch/hq" -q >/dev/null
  wait_until 10 all_ready
  expect 0 fl run --resume "$run" -o json
  is "$want" json .model.digest
  is 1 json .resumed
  expect 0 fl run --resume "$run"
  [[ $stderr == *"it has finished already"* ]]
}

@test "a run starts from a model of the registry" {
  run_file "$mlp
name: first
rounds: 3"
  result >"$scratch/first.json"
  run_file "$mlp
rounds: 1
from: first"
  result >"$scratch/second.json"
  is "$(jq -r .model.digest "$scratch/first.json")" jq -r .fromDigest "$scratch/second.json"
  jq -e '.metrics.accuracy > 0.7' "$scratch/second.json"
  # The same request twice is one run.
  expect 0 fl run -f "$scratch/run.yaml" --request-id again -o json
  local run
  run=$(json .id)
  expect 0 fl run -f "$scratch/run.yaml" --request-id again -o json
  is "$run" json .id
  run_file 'model: {kind: softmax}
from: first'
  expect 2 fl run -f "$scratch/run.yaml"
  [[ $stderr == *"model first"* || $stderr == *"from: model"* ]]
}

@test "a dry run tells what comparing updates will take, and choices that do not go together are refused with their line" {
  run_file "$mlp
strategy: {kind: median}
sites: {minimum: 3}"
  expect 0 fl run -f "$scratch/run.yaml" --dry-run
  [[ $stderr == *"median needs every update at once: a round keeps 3 updates of"* ]]
  run_file "$mlp
training: {optimizer: adam}
strategy:
  kind: scaffold"
  expect 2 fl run -f "$scratch/run.yaml"
  [[ $stderr == *"run.yaml:3: training.optimizer: scaffold needs to know"* ]]
  [[ $stderr == *"hint: set training.optimizer: sgd"* ]]
  run_file 'model:
  kind: softmax
  hidden: [8]'
  expect 2 fl run -f "$scratch/run.yaml"
  [[ $stderr == *"run.yaml:4: model.hidden: softmax does not read it; its settings are inputScale"* ]]
  run_file 'model: {kind: softmax}
strategy:
  kind: fedprox
  proximl: 0.1'
  expect 2 fl run -f "$scratch/run.yaml"
  [[ $stderr == *"run.yaml:5: strategy.proximl: no such field; did you mean proximal?"* ]]
  expect 2 fl run -f "$scratch/run.yaml" --set strategy.proximl=
  run_file 'model: {kind: gbt}
rounds: 20'
  expect 2 fl run -f "$scratch/run.yaml"
  [[ $stderr == *"run.yaml:3: rounds: a gbt takes as many as its trees"* ]]
  run_file 'model: {kind: softmax}'
  expect 2 fl run -f "$scratch/run.yaml" --set rounds=0
  [[ $stderr == *"rounds: from 1"* ]]
  expect 0 fl run -f "$scratch/run.yaml" --set strategy.kind=fedprox --set strategy.proximal=0.5 --set rounds=1 -o json
  is 0.5 json .spec.strategy.proximal
}
