#!/usr/bin/env bats
# The whole of it on one machine, as a stranger would run it first.
# timeout: 400
load helpers

@test "quickstart trains one model that beats every site alone and comes near to all rows pooled" {
  expect 0 ote quickstart -o json
  # One document on standard output, the steps as commands on standard error.
  [ "$(jq -r '.sites | length' <<<"$output")" -eq 3 ]
  [[ $stderr == *'$ ote cluster init hq'* ]]
  [[ $stderr == *'$ ote fl run -f run.yaml'* ]]
  jq -e '.federated.accuracy > ([.sites[].accuracy] | max)' <<<"$output"
  jq -e '.pooled.accuracy - .federated.accuracy <= 0.02' <<<"$output"
  jq -e '.seconds < 60' <<<"$output"
  jq -e '.model.digest | test("^blake2b:[0-9a-f]{64}$")' <<<"$output"
  # The report needs nothing but itself, and is all that is left.
  local report
  report=$(json .report)
  [ "$(ls -A ote-quickstart)" = report.html ]
  grep -q '<svg' "$report"
  run grep -Eo '(src|href)=|https?://|@import|<script' "$report"
  [ "$status" -eq 1 ]
  [ -z "$(agents_of "$scratch")" ]
}

@test "a second run works, and the same seed gives the same model" {
  expect 0 ote quickstart --rounds 2 -o json
  local first
  first=$(json .model.digest)
  expect 0 ote quickstart --rounds 2 -o json
  [ "$(json .model.digest)" = "$first" ]
}

@test "--keep leaves agents that answer, and another run takes another folder" {
  expect 0 ote quickstart --rounds 1 --keep --dir tour -o json
  expect 0 env OTE_HOME="$scratch/tour/home" ote cluster list --state tour/hq -o json
  [ "$(jq -r '[.items[] | select(.status == "ready")] | length' <<<"$output")" -eq 4 ]
  expect 0 ote quickstart --rounds 1 --dir tour -o json
  [[ $(json .report) == */tour-2/report.html ]]
  [ -d tour/hq ]
}

@test "Ctrl-C leaves nothing behind" {
  ote quickstart --rounds 500 >out 2>err 3>&- &
  local pid=$!
  wait_until 30 grep -q 'ote fl run' err
  kill -INT "$pid"
  local status=0
  wait "$pid" || status=$?
  [ "$status" -eq 130 ]
  [ -z "$(agents_of "$scratch")" ]
  [ ! -e ote-quickstart ]
}
