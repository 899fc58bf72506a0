#!/usr/bin/env bats
# Federated runs over real agents: from start to model, what is shown on the way, what is refused.
# timeout: 400
# also-under: asan
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

@test "a run finishes with a model that has learnt, and says all of it in one document" {
  expect 0 fl run --dataset digits --name first --rounds 5 --epochs 2 --input-scale 0.0625 -o json
  [ "$(jq -r '.status' <<<"$output")" = finished ]
  [ "$(jq -r '.rounds | length' <<<"$output")" -eq 5 ]
  jq -e '.rounds | all(.participants == ["clinic-a", "clinic-b", "clinic-c"])' <<<"$output"
  jq -e '.rounds | all(.seconds >= 0 and .bytesUp == 3 * 650 * 4 and .bytesDown > .bytesUp)' <<<"$output"
  jq -e '.metrics.accuracy > 0.85' <<<"$output"
  jq -e '.rounds[4].metrics.accuracy >= .rounds[0].metrics.accuracy' <<<"$output"
  jq -e '.model.digest | test("^blake2b:[0-9a-f]{64}$")' <<<"$output"
  local digest
  digest=$(json .model.digest)
  expect 0 ote model list --state hq -o json
  [ "$(json '.items[0].digest')" = "$digest" ]
  # The file is what its digest says.
  ote model export first --to first.safetensors --state hq -q
  [ "blake2b:$(b2sum -l 256 first.safetensors | cut -d' ' -f1)" = "$digest" ]
}

@test "the same settings end in the same model, another seed in another" {
  local first second third
  first=$(fl run --dataset digits --rounds 2 -o json 2>/dev/null | jq -r .model.digest)
  second=$(fl run --dataset digits --rounds 2 -o json 2>/dev/null | jq -r .model.digest)
  third=$(fl run --dataset digits --rounds 2 --seed 2 -o json 2>/dev/null | jq -r .model.digest)
  [ "$first" = "$second" ]
  [ "$first" != "$third" ]
}

@test "a run file and flags are the same thing, and an unknown field is told with its line" {
  cat >run.yaml <<'YAML'
dataset: digits
model:
  kind: softmax
rounds: 2
YAML
  local by_file by_flags
  by_file=$(fl run -f run.yaml -o json 2>/dev/null | jq -r .model.digest)
  by_flags=$(fl run --dataset digits --model softmax --rounds 2 -o json 2>/dev/null | jq -r .model.digest)
  [ "$by_file" = "$by_flags" ]
  echo 'ronds: 3' >>run.yaml
  expect 2 fl run -f run.yaml
  [[ $stderr == *run.yaml:5* ]]
  [[ $stderr == *rounds* ]]
}

@test "--detach returns at once, watch comes back to it, logs tell its steps" {
  local run
  run=$(fl run --dataset digits --name later --rounds 3 --detach -q)
  expect 0 fl watch "$run" -o json
  [ "$(json .status)" = finished ]
  expect 0 fl logs later -o jsonl
  local kind
  for kind in round-started task-sent update-folded round-finished model-measured run-finished; do
    grep -q "\"kind\":\"$kind\"" <<<"$output"
  done
  [ "$(tail -n 1 <<<"$output" | jq -r .terminal)" = true ]
  expect 0 fl list -o json
  [ "$(json '.items[0].id')" = "$run" ]
}

@test "the same request id starts one run; other content is a conflict" {
  local first
  first=$(fl run --dataset digits --rounds 1 --detach -q --request-id abc)
  [ "$(fl run --dataset digits --rounds 1 --detach -q --request-id abc)" = "$first" ]
  expect 6 fl run --dataset digits --rounds 2 --detach --request-id abc
  [[ $stderr == *OTE-E0006* ]]
}

@test "a name that is taken is a conflict, a run that is not there is not found" {
  fl run --dataset digits --rounds 1 --name one -q >/dev/null
  expect 6 fl run --dataset digits --rounds 1 --name one
  expect 7 fl show other -o json
  [ "$(json .error.code)" = OTE-E0301 ]
}

@test "a dry run says who would take part and starts nothing" {
  expect 0 fl run --dataset digits --dry-run
  [[ $stderr == *"clinic-a, clinic-b, clinic-c"* ]]
  expect 0 fl list -o json
  [ "$(jq '.items | length' <<<"$output")" -eq 0 ]
  expect 1 fl run --dataset other --dry-run
  [[ $stderr == *OTE-E0303* ]]
}

@test "a run that diverges fails, with status 1, and says at whom and why" {
  expect 1 fl run --dataset digits --rounds 3 --learning-rate 1000 --l2 1 -o json
  [ "$(json .status)" = failed ]
  [[ $(json .error.message) == *clinic-* ]]
  [ "$(json .error.exitCode)" = 1 ]
}

@test "a cancelled run ends, and its sites train no more" {
  local run
  run=$(fl run --dataset digits --rounds 5000 --detach -q)
  await_event "$run" round-finished 2
  expect 0 fl cancel "$run" --yes
  [ "$(status_of "$run")" = cancelled ]
  expect 0 fl cancel "$run" --yes
  expect 1 fl watch "$run"
  [[ $stderr == *OTE-E0311* ]]
}

@test "a site whose file changed is left out with a hint, the others go on" {
  local row
  row=$(tail -n 1 parts/clinic-b.csv)
  echo "$row" >>parts/clinic-b.csv
  expect 0 fl run --dataset digits --rounds 1 -o json
  jq -e '.rounds[0].participants == ["clinic-a", "clinic-c"]' <<<"$output"
  expect 0 fl logs "$(json .id)"
  [[ $output == *"clinic-b: "*"changed since it was registered"* ]]
  ote data add digits --path parts/clinic-b.csv --label "$(digits_label)" --replace --yes --state clinic-b -q >/dev/null
  expect 0 fl run --dataset digits --rounds 1 -o json
  jq -e '.rounds[0].participants | length == 3' <<<"$output"
}

@test "an agent is small again when it is idle after a run" {
  [[ $OTE_BIN != *asan* ]] || skip "a sanitizer needs memory of its own"
  fl run --dataset digits --rounds 3 -q >/dev/null
  local pid
  for pid in $(agents_of "$scratch"); do
    wait_until 15 small "$pid"
  done
}
# At most 8 MiB of private memory and 24 MiB in all.
small() {
  awk '/^RssAnon:/ { anon = $2 } /^VmRSS:/ { all = $2 } END { print anon, all; exit !(anon <= 8192 && all <= 24576) }' \
    "/proc/$1/status"
}
