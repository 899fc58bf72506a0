#!/usr/bin/env bats
# Runs under secure aggregation with real agents: the same model as without, whoever is killed at whatever step.
# timeout: 900
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

# write_run KIND FILE: a run of three rounds, masked or not.
write_run() {
  cat >"$2" <<EOF
dataset: digits
model: {kind: mlp, hidden: [32], inputScale: 0.0625}
rounds: 3
training: {learningRate: 0.05}
secureAggregation: {kind: $1, bound: 8}
sites: {minimum: 3}
EOF
}

# The model's digest, from a run file.
train() { fl run -f "$1" -o json 2>"$scratch/err" | jq -r .model.digest; }

# await_answer RUN STEP ROUND: until a site has answered a step of a round.
await_answer() {
  timeout 60 grep -q -m 1 -E "\"kind\":\"step-answered\",\"message\":\"$2\".*\"round\":$3[,}]" \
    < <(fl logs "$1" -f -o jsonl 2>/dev/null 3>&-)
}

@test "a masked run makes the model of the plain one within the stated error, and the same one each time" {
  write_run pairwise "$scratch/masked.yaml"
  write_run none "$scratch/plain.yaml"
  plain=$(train "$scratch/plain.yaml")
  masked=$(train "$scratch/masked.yaml")
  [ -n "$masked" ] && [ "$masked" != "$plain" ]
  is "$masked" train "$scratch/masked.yaml"
  # The root keeps no update and no secret of the masked rounds.
  run=$(fl run -f "$scratch/masked.yaml" -o json 2>"$scratch/err" | jq -r .id)
  is 3 field_of "$run" '.rounds | length'
  is 3 field_of "$run" '.rounds[2].participants | length'
  # It is told no measure of one site, and the one of all.
  is null field_of "$run" '.rounds[1].sites[0].metrics.loss'
  [ "$(field_of "$run" .rounds[1].metrics.rows)" -gt 100 ]
  ote model list --state "$scratch/hq" -o json >"$scratch/models.json"
  mapfile -t models < <(jq -r '.items[] | .digest' "$scratch/models.json" | sort -u)
  [ "${#models[@]}" -eq 2 ]
  ote model diff "${models[0]}" "${models[1]}" --state "$scratch/hq" -o json >"$scratch/diff.json"
  # Three sites, a bound of 8, three rounds, with room for the training that follows a rounding.
  [ "$(jq '[.. | .maxAbs? // empty] | length > 0 and max < 1e-5' "$scratch/diff.json")" = true ]
}

@test "a site that is killed at any step of a masked round and started again is in the sum, and the model is the same" {
  write_run pairwise "$scratch/masked.yaml"
  want=$(train "$scratch/masked.yaml")
  for step in mask-keys mask-shares mask-consent mask-unmask; do
    run=$(fl run -f "$scratch/masked.yaml" --detach -q)
    await_answer "$run" "$step" 2
    kill_agent "$scratch/clinic-b"
    ote cluster start --state "$scratch/clinic-b" -q >/dev/null
    await_end "$run"
    is finished status_of "$run"
    is "$want" field_of "$run" .model.digest
    wait_until 10 all_ready
  done
}

@test "a root that is killed at any step of a masked round ends with the same model" {
  write_run pairwise "$scratch/masked.yaml"
  want=$(train "$scratch/masked.yaml")
  for step in mask-keys mask-shares mask-consent mask-unmask; do
    run=$(fl run -f "$scratch/masked.yaml" --detach -q)
    await_answer "$run" "$step" 2
    kill_agent "$scratch/hq"
    ote cluster start --state "$scratch/hq" -q >/dev/null
    await_end "$run"
    is finished status_of "$run"
    is "$want" field_of "$run" .model.digest
    wait_until 10 all_ready
  done
}

@test "a masked run with too few sites waits and says so, and what a sum cannot give is refused" {
  kill_agent "$scratch/clinic-c"
  write_run pairwise "$scratch/masked.yaml"
  run=$(fl run -f "$scratch/masked.yaml" --detach -q)
  wait_until 30 is paused status_of "$run"
  field_of "$run" .message | grep -q clinic-c
  ote cluster start --state "$scratch/clinic-c" -q >/dev/null
  wait_until 90 over "$run"
  is finished status_of "$run"
  printf 'strategy: {kind: median}\n' >>"$scratch/masked.yaml"
  expect 2 fl run --state "$scratch/hq" -f "$scratch/masked.yaml"
}

# l2 A B: how far the first layers' weights of two models are apart; 2,048 values.
l2() { ote model diff "$1" "$2" --state "$scratch/hq" -o json | jq '.tensors[] | select(.name == "layers.0.weight") | .l2'; }
between() { jq -en --argjson least "$1" --argjson it "$2" --argjson most "$3" '$least <= $it and $it <= $most' >/dev/null; }

@test "the sites' parts of a distributed noise make the whole of it in the sum, another one each time" {
  write_run pairwise "$scratch/plain.yaml"
  sed -i 's/^rounds: 3/rounds: 1/' "$scratch/plain.yaml"
  { cat "$scratch/plain.yaml" && echo 'privacy: {kind: distributed, noiseMultiplier: 0.01, clipNorm: 10}'; } >"$scratch/noisy.yaml"
  plain=$(train "$scratch/plain.yaml")
  one=$(train "$scratch/noisy.yaml")
  other=$(train "$scratch/noisy.yaml")
  # Two of three sites must agree to a sum, so each adds 0.1/sqrt(2); three are in it, and it is divided by three:
  # 0.0408 a value.
  between 1.70 "$(l2 "$plain" "$one")" 2.00
  # The difference of two noises.
  between 2.45 "$(l2 "$one" "$other")" 2.80
  ote fl list --state "$scratch/hq" -o json >"$scratch/runs.json"
  run=$(jq -r '.items[-1].id' "$scratch/runs.json")
  expect 0 ote fl verify "$run" --state "$scratch/hq" -o json
}
