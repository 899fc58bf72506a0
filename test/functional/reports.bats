#!/usr/bin/env bats
# Results that people look at, of a real federation: the page, the table, the numbers, and failures as they happen.
# timeout: 400
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

@test "a site that lost its file is told with its cause at once, once, while the run goes on" {
  rm parts/clinic-b.csv
  ote fl run --dataset digits --name first --rounds 2000 --state hq >out 2>err 3>&- &
  local pid=$! event
  # One heartbeat is half a second here; the rest is the start of the programs.
  wait_until 5 grep -q '^ote: warning: clinic-b: .*clinic-b.csv: No such file or directory' err
  [ "$(status_of first)" = running ]
  await_event first round-finished 3
  [ "$(grep -c '^ote: warning: clinic-b: ' err)" -eq 1 ]
  # The warning says what the root knows of the failure: phase, code and hint.
  event=$(fl logs first -o jsonl | grep -m 1 '"kind":"site-failed"')
  local part
  for part in phase code hint; do
    part=$(jq -r ".$part // \"\"" <<<"$event")
    grep -qF -- "$part" err
  done
  # Ctrl-C ends the wait and not the run.
  kill -INT "$pid"
  local status=0
  wait "$pid" || status=$?
  [ "$status" -eq 130 ]
  fl cancel first --yes -q
}

@test "a report is one page with charts that needs nothing else, of a run in which a site failed too" {
  rm parts/clinic-b.csv
  fl run --dataset digits --name first --rounds 3 -q
  expect 0 fl report first --to report.html -o json
  [ "$(json .file)" = "$scratch/report.html" ]
  grep -q '<svg' report.html
  grep -q 'clinic-b' report.html
  run grep -Eo '(src|href)=|https?://|@import|<script' report.html
  [ "$status" -eq 1 ]
  # Where no file is named, the run names it.
  expect 0 fl report first -q
  [ "$(head -c 15 "$(field_of first .id).html")" = '<!doctype html>' ]
  expect 7 fl report none
}

@test "two runs are put side by side, and drawn" {
  fl run --dataset digits --name slow --rounds 2 --learning-rate 0.001 -q
  fl run --dataset digits --name fast --rounds 3 --learning-rate 0.05 -q
  expect 0 fl compare slow fast --svg runs.svg
  [[ $output == *training.learningRate* ]]
  [[ $output == *'final accuracy'* ]]
  grep -q '<svg xmlns' runs.svg
  grep -q '>fast<' runs.svg
  expect 0 fl compare slow fast -o json
  jq -e '.runs[1].settings["training.learningRate"] == 0.05' <<<"$output"
  jq -e '[.runs[] | .best.accuracy | .round >= 1 and .value > 0] | all' <<<"$output"
  expect 2 fl compare slow
}

@test "the history comes as comma-separated values and as lines of JSON, by round and by site" {
  fl run --dataset digits --name first --rounds 3 -q
  expect 0 fl metrics first --csv
  [ "${#lines[@]}" -eq 4 ]
  [[ ${lines[0]} == run,round,participants,* ]]
  expect 0 fl metrics first --csv --per-site
  [ "${#lines[@]}" -eq 10 ]
  expect 0 fl metrics first -o jsonl
  [ "$(tail -n 1 <<<"$output" | jq -r .terminal)" = true ]
  [ "$(jq -r 'select(.round) | .accuracy' <<<"$output" | wc -l)" -eq 3 ]
  expect 2 fl metrics first --csv -o json
}
