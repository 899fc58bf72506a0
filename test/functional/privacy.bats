#!/usr/bin/env bats
# Noise, the ledger of a site, and an attack on a model with and without.
# timeout: 300
# shellcheck disable=SC2154
load helpers
load federation

# run_file TEXT: a run file with the digits and what TEXT says.
run_file() {
  printf 'dataset: digits\nmodel: {kind: softmax, inputScale: 0.0625}\n%s\n' "$1" >"$scratch/run.yaml"
}
# spent SITE [NAME]: what its ledger says, as JSON.
spent() { ote data show "${2:-digits}" --state "$scratch/$1" -o json | jq -c .privacy; }
budget() {
  ote data add digits --path "$scratch/parts/$1.csv" --label "$(digits_label)" --state "$scratch/$1" -q "${@:2}"
}

@test "a site refuses the round that would overspend, and keeps count over names and restarts" {
  local before
  start_federation
  budget clinic-a --privacy-budget 3 >/dev/null
  jq -e '. == {budget: 3, delta: 1e-5, left: 3, noise: "central", rounds: 0, spent: 0, unprotected: 0}' <<<"$(spent clinic-a)"
  expect 0 ote data show digits --state clinic-a
  [[ $output == *"epsilon 0 of 3 spent in 0 rounds, delta 1e-05; 3 left"* ]]

  run_file 'rounds: 2
privacy: {kind: central, noiseMultiplier: 4}
sites: {minimum: 3}'
  expect 0 fl run -f run.yaml --dry-run -o json
  jq -e '.privacy | .plannedEpsilon > 1.3 and .plannedEpsilon < 1.6 and .delta == 1e-5 and .epsilon == 0' <<<"$output"
  [[ $stderr == *"the whole run costs ε 1."* ]]
  expect 0 fl run -f run.yaml -o json
  jq -e '.status == "finished" and (.privacy | .rounds == 2 and .epsilon == .plannedEpsilon)' <<<"$output"
  # Who has a budget tells no measure; the others do.
  jq -e '.metrics.rows > 0 and ([.rounds[0].sites[] | select(.name == "clinic-a") | .metrics.rows] == [0])' <<<"$output"
  expect 0 fl show "$(json .id)"
  [[ $output == *"epsilon 1."*" of 1."*", delta 1e-05, central noise"* ]]
  before=$(spent clinic-a)
  jq -e '.rounds == 2 and .spent > 1.3 and .spent < 1.6 and .spent + .left == 3' <<<"$before"

  kill_agent clinic-a
  ote cluster start --state clinic-a -q >/dev/null
  wait_until 10 all_ready
  [ "$(spent clinic-a)" = "$before" ]

  # The root may ask as often as it likes: from some round on the site is out, and the others go on without it.
  run_file 'rounds: 12
privacy: {kind: central, noiseMultiplier: 4}
sites: {minimum: 2}'
  expect 0 fl run -f run.yaml -o json
  jq -e '.rounds[0].participants == ["clinic-a", "clinic-b", "clinic-c"]' <<<"$output"
  jq -e '.rounds[11].participants == ["clinic-b", "clinic-c"]' <<<"$output"
  jq -e '.rounds[11].failed[0] | .name == "clinic-a" and .phase == "privacy" and .code == "OTE-E0341"
    and (.message | test("would bring it to ε 3\\.[0-9]+ .*of its budget of 3 is spent"))' <<<"$output"
  before=$(spent clinic-a)
  jq -e '.spent <= 3 and .spent > 2.7 and .rounds < 10' <<<"$before"

  # The same rows by another name, and by the same name anew.
  ote data add numbers --path parts/clinic-a.csv --label "$(digits_label)" --state clinic-a -q >/dev/null
  [ "$(spent clinic-a numbers)" = "$before" ]
  ote data remove digits --state clinic-a -q >/dev/null
  cp parts/clinic-a.csv parts/copy.csv
  ote data add digits --path parts/copy.csv --label "$(digits_label)" --state clinic-a -q >/dev/null
  [ "$(spent clinic-a)" = "$before" ]
  [ "$(ote data list --state clinic-a -o json | jq '[.items[].privacy.budget] == [3, 3]')" = true ]
  # The operator, on purpose.
  ote data add digits --path parts/copy.csv --label "$(digits_label)" --state clinic-a --privacy-forget -q >/dev/null
  jq -e '.spent == 0 and .budget == 3' <<<"$(spent clinic-a)"
}

@test "a data set with a budget answers nothing that has no noise, and has its noise from whom it will" {
  start_federation
  budget clinic-a --privacy-budget 8 --privacy-noise local >/dev/null
  run_file 'rounds: 1
sites: {minimum: 3}'
  expect 1 fl run -f run.yaml
  [[ $stderr == *clinic-a*"has a privacy budget, and round 1"*"no noise"* ]]
  run_file 'rounds: 1
privacy: {kind: central}
sites: {minimum: 3}'
  expect 1 fl run -f run.yaml
  [[ $stderr == *"its site wants local noise"* ]]
  run_file 'rounds: 1
privacy: {kind: local}
sites: {minimum: 3}'
  expect 0 fl run -f run.yaml -o json
  jq -e '.metrics.rows == 0 and ([.rounds[].sites[].metrics.rows] | add) == 0' <<<"$output"
  expect 9 ote data stats digits --federated --state hq -o json
  jq -e '[.failed[] | .name] == ["clinic-a"] and .failed[0].code == "OTE-E0342"' <<<"$output"

  # What does not go together, and what would cost too much, is told before anything starts.
  run_file 'strategy: {kind: krum}
privacy: {kind: central}
sites: {minimum: 3}'
  expect 2 fl run -f run.yaml --dry-run
  [[ $stderr == *"the noise goes into a sum, and krum makes none"*"set strategy.kind: fedavg"* ]]
  run_file 'privacy: {kind: central, maxEpsilon: 2}'
  expect 2 fl run -f run.yaml --dry-run
  [[ $stderr == *"10 rounds would cost ε 19."*"set privacy.noiseMultiplier: "* ]]
  expect 2 ote data add digits --path parts/clinic-b.csv --label x --state clinic-b --privacy-budget much
  expect 2 ote data add digits --path parts/clinic-b.csv --label x --state clinic-b --privacy-noise local
}

# rows SEED COUNT: rows of numbers with labels that have nothing to do with them, so that they can only be remembered.
rows() {
  awk -v seed="$1" -v count="$2" 'BEGIN {
    srand(seed)
    for (i = 1; i <= 24; ++i) printf "x%d,", i
    print "label"
    for (n = 0; n < count; ++n) {
      for (i = 1; i <= 24; ++i) printf "%.4f,", 2 * rand() - 1
      print rand() < 0.5 ? "no" : "yes"
    }
  }'
}
# losses MODEL FILE: the model's loss on each row.
losses() {
  ote model predict "$1" --state hq --data "$2" --label label -o json |
    jq -r '.items[].probabilities | [.no, .yes] | @tsv' |
    paste - <(tail -n +2 "$2" | sed 's/.*,//') |
    awk '{ p = $3 == "no" ? $1 : $2; print -log(p < 1e-30 ? 1e-30 : p) }'
}
# attack MODEL: the part of right guesses when a row is held to have been trained on if its loss is below the mean of
# those that were (Yeom et al. 2018, adversary 1). As many rows were as were not.
attack() {
  losses "$1" members.csv >in.txt
  losses "$1" strangers.csv >out.txt
  awk 'NR == FNR { sum += $1; in_loss[++n] = $1; next } { out_loss[++m] = $1 }
    END {
      mean = sum / n
      for (i = 1; i <= n; ++i) right += in_loss[i] <= mean
      for (i = 1; i <= m; ++i) right += out_loss[i] > mean
      printf "%.3f\n", right / (n + m)
    }' in.txt out.txt
}

@test "who was trained on can be guessed from a model without noise, and not from one with it" {
  local i model plain noisy
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  for i in 1 2 3; do
    rows "$i" 60 >"clinic-$i.csv"
    ote cluster token create -q --state hq | ote cluster join - --name "clinic-$i" --state "clinic-$i" -q >/dev/null
    ote data add random --path "clinic-$i.csv" --label label --test-fraction 0 --state "clinic-$i" -q >/dev/null
  done
  { cat clinic-1.csv; tail -q -n +2 clinic-2.csv clinic-3.csv; } >members.csv
  rows 4 180 >strangers.csv
  cat >run.yaml <<'YAML'
dataset: random
model: {kind: mlp, hidden: [64]}
training: {learningRate: 0.1, epochs: 80, batchSize: 10}
rounds: 10
sites: {minimum: 3}
YAML
  model=$(ote fl run -f run.yaml --state hq -o json | jq -r .id)
  plain=$(attack "$model")
  echo 'privacy: {kind: central, noiseMultiplier: 4, clipNorm: 1, maxEpsilon: 4}' >>run.yaml
  model=$(ote fl run -f run.yaml --state hq -o json | jq -r .id)
  noisy=$(attack "$model")
  echo "right guesses: $plain without noise, $noisy with"
  awk -v plain="$plain" -v noisy="$noisy" 'BEGIN { exit !(plain > 0.7 && noisy < 0.62 && noisy > 0.38) }'
}
