#!/usr/bin/env bats
# Masked runs of a root, two relays and five sites, as real agents: the relays add up what they cannot read, and the model
# is the one of the run whose relays carry, whoever is killed on the way.
# timeout: 600
load helpers
load federation

sites=(clinic-a clinic-b clinic-c clinic-d clinic-e)
parent_of() { [[ $1 == clinic-[ab] ]] && echo north || echo south; }

setup() {
  ote_setup
  local name
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 5 --seed 1 \
    --names "$(IFS=,; echo "${sites[*]}")" --out "$scratch/parts" -q >/dev/null
  for name in north south; do
    ote cluster token create -q --state "$scratch/hq" |
      ote cluster join - --name "$name" --state "$scratch/$name" --listen tcp://127.0.0.1:0 -q >/dev/null
  done
  for name in "${sites[@]}"; do
    ote cluster token create -q --state "$scratch/$(parent_of "$name")" |
      ote cluster join - --name "$name" --state "$scratch/$name" -q >/dev/null
    ote data add digits --path "$scratch/parts/$name.csv" --label "$(digits_label)" --state "$scratch/$name" -q >/dev/null
  done
  wait_until 15 all_there
}
all_there() {
  [ "$(ote cluster list --state "$scratch/hq" -o json |
    jq '[.items[] | select(.status == "ready" and (.datasets | length) == 1)] | length')" -eq 5 ]
}

# write_run RELAYS FILE: a run that needs all five, so that none who is killed is left out of its model.
write_run() {
  cat >"$2" <<YAML
dataset: digits
model: {kind: mlp, hidden: [32], inputScale: 0.0625}
rounds: 3
training: {learningRate: 0.05}
secureAggregation: {kind: pairwise, bound: 8}
relays: $1
sites: {minimum: 5}
YAML
}
# The run's id; its model's digest is that of the first run.
train() { fl run -f "$1" -o json 2>"$scratch/err" | jq -r .id; }
# In how many of the run's events of KIND the text says TEXT.
events_of() {
  fl logs "$1" -o jsonl | jq -s --arg kind "$2" --arg text "$3" '[.[] | select(.kind == $kind and (.message | contains($text)))] | length'
}

@test "relays add up masked updates that they cannot read, and the model is the one of the run whose relays carry" {
  write_run carry "$scratch/carry.yaml"
  write_run fold "$scratch/fold.yaml"
  carried=$(train "$scratch/carry.yaml")
  expect 0 fl run -f "$scratch/fold.yaml" --dry-run
  [[ $output$stderr == *"relays: fold, masked updates of which they read none"* ]]
  folded=$(train "$scratch/fold.yaml")
  is finished status_of "$folded"
  is "$(field_of "$carried" .model.digest)" field_of "$folded" .model.digest
  is 5 field_of "$folded" '.rounds[2].participants | length'
  # Each relay has added all that is behind it, in each round; the root fetched no update itself.
  is 6 events_of "$folded" update-folded "by north"
  is 9 events_of "$folded" update-folded "by south"
  is 0 events_of "$carried" update-folded "by "
  is 0 events_of "$folded" sum-failed ""
  expect 0 fl show "$folded"
  [[ $output == *"they add up masked updates, and read none of them"* ]]
  # The record holds, and it names no sum but that of all.
  expect 0 fl verify "$folded"
  expect 0 fl verify "$carried"
}

# await_step RUN STEP ROUND: until a step of a round has begun.
await_step() {
  timeout 60 grep -q -m 1 -E "\"kind\":\"step-started\",\"message\":\"$2 .*\"round\":$3[,}]" \
    < <(fl logs "$1" -f -o jsonl 2>/dev/null 3>&-)
}

@test "a masked folded run survives the loss of a relay, a site and the root, and ends with the same model" {
  write_run carry "$scratch/carry.yaml"
  want=$(field_of "$(train "$scratch/carry.yaml")" .model.digest)
  write_run fold "$scratch/fold.yaml"
  for lost in north:train clinic-c:mask-consent hq:train; do
    victim=${lost%:*}
    run=$(fl run -f "$scratch/fold.yaml" --detach -q)
    await_step "$run" "${lost#*:}" 2
    kill_agent "$scratch/$victim"
    ote cluster start --state "$scratch/$victim" -q >/dev/null
    await_end "$run"
    is finished status_of "$run"
    is "$want" field_of "$run" .model.digest
    is 5 field_of "$run" '.rounds[1].participants | length'
    expect 0 fl verify "$run"
    wait_until 20 all_there
  done
}

@test "sites add their parts of the noise to what relays add up, and what one refuses to have folded goes past them" {
  write_run fold "$scratch/fold.yaml"
  sed -i 's/^rounds: 3/rounds: 1/' "$scratch/fold.yaml"
  echo 'privacy: {kind: distributed, noiseMultiplier: 0.01, clipNorm: 10}' >>"$scratch/fold.yaml"
  ote data add digits --path "$scratch/parts/clinic-c.csv" --label "$(digits_label)" --state "$scratch/clinic-c" \
    --fold refuse --replace --yes -q >/dev/null
  wait_until 10 refusal_known
  run=$(train "$scratch/fold.yaml")
  is finished status_of "$run"
  is 2 events_of "$run" update-folded "by north"
  is 2 events_of "$run" update-folded "by south"
  is 5 field_of "$run" '.rounds[0].participants | length'
  expect 0 fl verify "$run"
}
refusal_known() { ote data list --state "$scratch/hq" -o json | grep -q '"refuse"'; }
