#!/usr/bin/env bats
# Large models and updates between real agents: by the bulk line, and without it.
# timeout: 300
# also-under: asan
load helpers
load federation

setup() { ote_setup; }

# A perceptron of 75,786 parameters: 296 KiB a model, and as much an update.
train_large() {
  fl run --dataset digits --model mlp --hidden 1024 --rounds 3 --epochs 1 --input-scale 0.0625 -o json \
    | jq -r .model.digest
}

@test "models and updates of a real run take the bulk line" {
  start_federation
  local name
  expect 0 train_large
  for name in "${sites[@]}"; do
    grep -q 'bulk line up' "$scratch/$name/agent.log"
  done
  [ "$(grep -c 'bulk line up' "$scratch/hq/agent.log")" -eq 3 ]
  # What it carried is told when it is over: here with the links.
  ote cluster stop --state "$scratch/hq" -q
  wait_until 10 grep -q 'bulk line over.*sent=[1-9][0-9]* received=[1-9]' "$scratch/hq/agent.log"
}

@test "a run with the bulk port blocked gives the same model as one with it" {
  start_federation
  local with
  with=$(train_large)
  [[ $with == blake2b:* ]]
  ote cluster stop --state "$scratch/hq" -q
  OTE_BULK_PORT=off ote cluster start --state "$scratch/hq" -q
  wait_until 20 all_ready
  truncate -s 0 "$scratch/hq/agent.log"
  [ "$(train_large)" = "$with" ]
  [ "$(grep -c 'bulk line up' "$scratch/hq/agent.log")" -eq 0 ]

  # And a port that is taken, which is no reason not to start.
  ote cluster stop --state "$scratch/hq" -q
  local port
  port=$(jq -r '.listen[0]' "$scratch/hq/member.json")
  OTE_BULK_PORT=${port##*:} ote cluster start --state "$scratch/hq" -q
  wait_until 20 all_ready
  grep -q 'no bulk lines here' "$scratch/hq/agent.log"
  [ "$(train_large)" = "$with" ]
}
