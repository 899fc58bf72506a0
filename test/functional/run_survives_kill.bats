#!/usr/bin/env bats
# A run carries on to the same model whoever is killed, and when; and whoever is away is waited for or left out.
# timeout: 900
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

train=(--dataset digits --rounds 6 --input-scale 0.0625)
steps=(round-started task-sent update-folded round-finished model-measured measuring)

digest_of() { field_of "$1" .model.digest; }

# With the agents of the folders named killed at each step of a round, and started again, the digest is WANT.
survives() {
  local want=$1 step run victim round restored=0
  shift
  for step in "${steps[@]}"; do
    round=2
    [ "$step" != measuring ] || round=7
    run=$(fl run "${train[@]}" --detach -q)
    await_event "$run" "$step" "$round"
    for victim in "$@"; do kill_agent "$scratch/$victim"; done
    for victim in "$@"; do ote cluster start --state "$scratch/$victim" -q >/dev/null; done
    if ! wait_until 60 over "$run"; then
      echo "killed $* at $step"
      fl show "$run"
      fl logs "$run" | tail -n 30
      return 1
    fi
    is finished status_of "$run"
    if ! is "$want" digest_of "$run"; then
      echo "killed $* at $step: another model"
      fl logs "$run" | tail -n 80
      return 1
    fi
    ! fl logs "$run" | grep -q run-restored || restored=$((restored + 1))
    wait_until 10 all_ready
  done
  # That the kills came while the run went on; the last steps are short, and it may win the race.
  [[ $* != *hq* ]] || [ "$restored" -ge 4 ]
}
undisturbed() { fl run "${train[@]}" -o json 2>/dev/null | jq -r .model.digest; }

@test "kill -9 of the root at every step of a round ends in the same model" {
  survives "$(undisturbed)" hq
}

@test "kill -9 of a site at every step of a round ends in the same model" {
  survives "$(undisturbed)" clinic-b
}

@test "kill -9 of the root and a site at every step of a round ends in the same model" {
  survives "$(undisturbed)" hq clinic-b
}

@test "a site that stands still past the deadline is left out, said so, and back in a later round" {
  local run pid
  run=$(fl run --dataset digits --rounds 100000 --minimum 2 --deadline 2s --detach -q)
  await_event "$run" round-finished 2
  pid=$(agents_of clinic-c)
  kill -STOP "$pid"
  await_event "$run" site-left-out 2
  kill -CONT "$pid"
  local missed
  missed=$(field_of "$run" '[.rounds[] | select(.leftOut == ["clinic-c"])][0].round')
  [ "$missed" != null ]
  wait_until 30 back_after "$run" "$missed"
  fl cancel "$run" --yes -q >/dev/null
}
back_after() {
  fl show "$1" -o json | jq -e --argjson r "$2" '.rounds | any(.round > $r and (.participants | length) == 3)'
}

@test "fewer sites than the minimum pause a run, which names who is missing and goes on by itself" {
  ote cluster stop --state clinic-b -q
  wait_until 10 site_gone clinic-b
  local run
  run=$(fl run --dataset digits --rounds 2 --minimum 3 --detach -q)
  is paused status_of "$run"
  [[ $(field_of "$run" .message) == *clinic-b* ]]
  expect 3 fl watch "$run" --timeout 2s
  ote cluster start --state clinic-b -q
  expect 0 fl watch "$run" --timeout 60s
  is finished status_of "$run"
}
site_gone() {
  [ "$(ote cluster list --state hq -o json | jq -r --arg n "$1" '.items[] | select(.name == $n) | .status')" = unreachable ]
}
