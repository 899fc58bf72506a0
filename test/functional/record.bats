#!/usr/bin/env bats
# The record of a run, with real agents: what holds, and what is found.
# timeout: 600
# shellcheck disable=SC2154
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

keeping='dataset: digits
model: {kind: mlp, hidden: [16], inputScale: 0.0625}
rounds: 3
record: {updates: keep}
sites: {minimum: 3}'

# run_kept TEXT: a finished run whose file is TEXT; prints its id.
run_kept() { fl run -f - -o json <<<"$1" 2>"$scratch/err" | jq -er .id || cat "$scratch/err"; }
fingerprint() { ote cluster status --state "$scratch/hq" -o json | jq -r .fingerprint; }
results() { jq -r '[.entries[] | .kind + " " + .result] | join(", ")'; }
recomputed='begin recomputed, round recomputed, round recomputed, round recomputed, end holds'

@test "the record of a finished run holds, and its rounds are made again where the updates are kept" {
  local run
  run=$(run_kept "$keeping")
  expect 0 fl verify "$run" -o json
  is "$recomputed" results <<<"$output"
  is true json .holds
  is finished json .status
  is "$(field_of "$run" .model.digest)" json .entries[-1].model
  is '["clinic-a","clinic-b","clinic-c"]' jq -c .entries[1].clusters <<<"$output"
  expect 0 fl verify "$run"
  [[ $output == *"5 hold, 4 made again"* ]]

  run=$(run_kept "$(grep -v ^record <<<"$keeping")")
  expect 0 fl verify "$run" -o json
  is "begin not recomputable, round not recomputable, round not recomputable, round not recomputable, end holds" \
    results <<<"$output"
}

@test "what a run keeps for its record outlives the end of the run and of the root" {
  local run
  run=$(run_kept "$keeping")
  ote cluster stop --state "$scratch/hq" -q
  ote cluster start --state "$scratch/hq" -q
  expect 0 fl verify "$run" -o json
  is "$recomputed" results <<<"$output"
}

@test "rounds of statistics, of control variates and of medians are made again" {
  local run text
  for text in 'model: {kind: kmeans, centroids: 4}
rounds: 2
task: clustering' 'model: {kind: gbt, trees: 2, depth: 2}' 'strategy: {kind: scaffold}
rounds: 2
model: {kind: softmax}' 'strategy: {kind: median}
rounds: 2
model: {kind: softmax}
prepare: {standardize: true}'; do
    run=$(run_kept "dataset: digits
record: {updates: keep}
sites: {minimum: 3}
$text")
    expect 0 fl verify "$run" -o json
    [ "$(jq '.entries | all(.kind == "end" or .result == "recomputed" or (.kind == "begin" and .model == ""))' <<<"$output")" = true ] || {
      echo "$text: $output"
      return 1
    }
  done
}

@test "a run that was killed in the middle and went on has one record that holds" {
  local run step
  run=$(fl run -f - --detach -q <<<"${keeping/rounds: 3/rounds: 8}")
  for step in 2 4 6; do
    await_event "$run" update-folded "$step"
    kill_agent "$scratch/hq"
    ote cluster start --state "$scratch/hq" -q >/dev/null
  done
  wait_until 60 over "$run"
  expect 0 fl verify "$run" -o json
  is 9 json .recomputed
  is 10 jq '.entries | length' <<<"$output"
  is finished json .status
}

@test "the record of a run under way holds, and so does that of one that was cancelled" {
  local run
  run=$(fl run -f - --detach -q <<<"${keeping/rounds: 3/rounds: 100000}")
  await_event "$run" round-finished 3
  expect 0 fl verify "$run" -o json
  is running json .status
  is recomputed json .entries[3].result
  fl cancel "$run" --yes -q >/dev/null
  expect 0 fl verify "$run" -o json
  is cancelled json .status
}

# flip FILE BYTE: another value there.
flip() {
  local value
  value=$(od -An -tu1 -j "$2" -N 1 "$1")
  printf '%b' "\\x$(printf %x $((value ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "a byte that was flipped in the store is found, and the entry named" {
  local run
  run=$(run_kept "$keeping")
  sqlite3 "$scratch/hq/ote.db" "select writefile('$scratch/entry', doc) from resource
    where kind = 'record-entry' and id = '$run/0000000002'" >/dev/null
  flip "$scratch/entry" 200
  sqlite3 "$scratch/hq/ote.db" "update resource set doc = readfile('$scratch/entry')
    where kind = 'record-entry' and id = '$run/0000000002'"
  expect 8 fl verify "$run" -o json
  is OTE-E0352 json .error.code
  [[ $(json .error.message) == *"entry 2"* ]]
  is 2 jq '.entries | length' <<<"$output"
  is "$run" json .run
}

@test "a kept update that was replaced or lost is found, and the round named" {
  local run digest file
  run=$(run_kept "$keeping")
  digest=$(field_of "$run" '.rounds[1].sites[0].digest')
  digest=${digest#blake2b:}
  file=$scratch/hq/artifacts/${digest:0:2}/${digest:2}
  cp "$file" "$scratch/kept"
  flip "$file" 40
  expect 8 fl verify "$run" -o json
  [[ $(json .error.message) == *"entry 2 (round 2)"* ]]
  # One that is open for reading is served from there for some seconds: not by a root that starts.
  ote cluster stop --state "$scratch/hq" -q
  rm "$file"
  ote cluster start --state "$scratch/hq" -q
  expect 8 fl verify "$run" -o json
  [[ $(json .error.message) == *"entry 2 (round 2)"*"not here"* ]]
  cp "$scratch/kept" "$file"
  expect 0 fl verify "$run"
}

@test "a record that was saved is checked with no root and no state folder" {
  local run file=$scratch/run.record pin
  run=$(run_kept "$keeping")
  pin=$(fingerprint)
  expect 0 fl verify "$run" --save "$file" -q
  ote cluster stop --state "$scratch/hq" -q
  export OTE_STATE=$scratch/nowhere
  expect 0 ote fl verify --record "$file" --fingerprint "$pin" -o json
  is "begin holds, round holds, round holds, round holds, end holds" results <<<"$output"
  # A member believes the authority that it joined.
  expect 0 ote fl verify --record "$file" --state "$scratch/clinic-a"
  expect 2 ote fl verify --record "$file"
  expect 2 ote fl verify --record "$file" --fingerprint nonsense
  expect 2 ote fl verify
  expect 8 ote fl verify --record "$file" --fingerprint "A${pin:1}"
  cp "$file" "$scratch/bent"
  flip "$scratch/bent" 900
  expect 8 ote fl verify --record "$scratch/bent" --fingerprint "$pin"
  [[ $stderr == *"entry 0"* ]]
  head -c 5000 "$file" >"$scratch/cut"
  expect 8 ote fl verify --record "$scratch/cut" --fingerprint "$pin"
}

@test "the updates of a run are removed alone and its chain still holds; then the run goes, and its model stays" {
  local run digest before
  run=$(run_kept "$keeping")
  digest=$(field_of "$run" .model.digest)
  before=$(du -sb hq/artifacts | cut -f1)
  expect 7 fl remove nothing-of-this --yes
  expect 2 fl remove "$run" --updates
  [[ $stderr == *--yes* ]]
  expect 0 fl remove "$run" --updates --dry-run -o json
  [ "$(json .bytes)" -gt 0 ]
  [ "$(du -sb hq/artifacts | cut -f1)" -eq "$before" ]
  expect 0 fl remove "$run" --updates --yes -o json
  [ "$(du -sb hq/artifacts | cut -f1)" -le $((before - $(json .bytes))) ]
  expect 0 fl remove "$run" --updates --yes
  [[ $stderr == *"keeps no updates"* ]]
  expect 0 fl verify "$run" -o json
  is "begin not recomputable, round not recomputable, round not recomputable, round not recomputable, end holds" \
    results <<<"$output"
  is true json .holds
  [[ $stderr == *"was removed on"*"the chain and its signatures are checked"* ]]

  local going
  going=$(fl run --dataset digits --rounds 500 --detach -q)
  expect 6 fl remove "$going" --yes
  [[ $stderr == *"ote fl cancel $going"* ]]
  fl cancel "$going" --yes -q
  expect 0 fl remove "$going" --yes
  expect 0 fl remove "$run" --dry-run
  expect 0 fl remove "$run" --yes
  expect 7 fl remove "$run" --yes
  expect 7 fl show "$run"
  expect 7 fl verify "$run"
  expect 0 fl list -o json
  is 0 json '.items | length'
  expect 0 ote model show "$run" --state hq -o json
  is "$digest" json .digest
  [ "$(ote cluster audit --state hq --verb fl.remove -o json | jq '.items | length')" -ge 2 ]
}
