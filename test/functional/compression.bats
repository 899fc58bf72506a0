#!/usr/bin/env bats
# Updates that are made smaller, with real agents: their bytes made again with numpy, what they weigh, and that crashes
# and files carried by hand change nothing.
# timeout: 600
# shellcheck disable=SC2154
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

here=$source_root/test/functional
softmax='dataset: digits
model: {kind: softmax, inputScale: 0.0625}
sites: {minimum: 3}'

# run_file TEXT: a run file with the digits and what TEXT says.
run_file() { printf '%s\n%s\n' "$softmax" "$1" >"$scratch/run.yaml"; }
result() { fl run -f "$scratch/run.yaml" -o json "$@" 2>"$scratch/err" || cat "$scratch/err"; }

@test "numpy makes of the same trained models the same compressed updates, byte for byte, and the same residuals" {
  /usr/bin/python3 -c "import numpy" 2>/dev/null || skip "python3-numpy is not installed"
  local name compression
  cp "$here/compressed_updates.py" "$scratch/train.py"
  for name in "${sites[@]}"; do
    ote trainer add draws --command "/usr/bin/python3 $scratch/train.py" --state "$scratch/$name" -q
  done
  for compression in '{kind: quantize}' '{kind: quantize, bits: 4}' '{kind: top-k, fraction: 0.05}' '{kind: top-k}'; do
    run_file "rounds: 4
trainer: exec
record: {updates: keep}
compression: $compression"
    result >run.json
    is finished jq -r .status run.json
    fl verify "$(jq -r .id run.json)" -o json >entries.json
    is "12 updates are the same" /usr/bin/python3 "$here/compressed_updates.py" run.json entries.json "$scratch/hq/artifacts"
    # The aggregates are made again from them.
    is true jq .holds entries.json
    is 'begin recomputed, round recomputed, round recomputed, round recomputed, round recomputed, end holds' \
      jq -r '[.entries[] | .kind + " " + .result] | join(", ")' entries.json
  done
}

@test "the size of an update is told before a run, and is what travels in it" {
  local plain small
  run_file 'rounds: 2'
  expect 0 fl run -f run.yaml --dry-run
  [[ $stderr == *"; an update is 2.5 KiB"* ]]
  [[ $stderr != *compression* ]]
  plain=$(result | jq '.rounds[0].sites[0].bytesUp')
  [ "$plain" -eq $((650 * 4)) ]
  expect 0 fl run -f run.yaml --dry-run --set compression.kind=quantize
  [[ $stderr == *"; an update is 702 B, and 2.5 KiB without compression"* ]]
  small=$(result --set compression.kind=quantize | jq '.rounds[0].sites[0].bytesUp')
  [ "$small" -eq 702 ]
  # 40, seven values, 6 low bits of each place, and 7 + 649/64 + 1 bits.
  small=$(result --set compression.kind=top-k | jq '.rounds[1].sites[0].bytesUp')
  [ "$small" -eq $((40 + 7 * 4 + 3 + 6)) ]
}

@test "what does not go with compression is refused with the reason and a way out" {
  run_file 'compression: {kind: top-k}
strategy: {kind: median}'
  expect 2 fl run -f run.yaml
  [[ $stderr == *"compression.kind: median compares the same values of all updates"* ]]
  [[ $stderr == *"hint: set compression.kind: quantize"* ]]
  expect 0 fl run -f run.yaml --set compression.kind=quantize -q
  run_file 'compression: {kind: quantize, bits: 6}'
  expect 2 fl run -f run.yaml
  [[ $stderr == *"compression.bits: 4 or 8, not 6"* ]]
}

@test "a run with top-k goes on to the same model when the root and a site are killed" {
  local run want
  run_file 'rounds: 8
compression: {kind: top-k, fraction: 0.05}'
  want=$(result | jq -r .model.digest)
  run=$(fl run -f run.yaml --detach -q)
  await_event "$run" update-folded 3
  kill_agent "$scratch/hq"
  kill_agent "$scratch/clinic-b"
  ote cluster start --state "$scratch/hq" -q >/dev/null
  ote cluster start --state "$scratch/clinic-b" -q >/dev/null
  await_event "$run" update-folded 5
  kill_agent "$scratch/clinic-b"
  ote cluster start --state "$scratch/clinic-b" -q >/dev/null
  wait_until 60 over "$run"
  is "$want" field_of "$run" .model.digest
}

@test "a site whose files are carried by hand compresses as one on the wire" {
  local wire run round
  run_file 'rounds: 3
compression: {kind: top-k, fraction: 0.05}'
  wire=$(result | jq -r .model.digest)
  mkdir usb
  end_agents clinic-c
  ote cluster join --offline --state clinic-c -o usb/c.request -q
  ote cluster approve usb/c.request -o usb/c.grant --state hq -q
  ote cluster join --grant usb/c.grant --state clinic-c -q
  run=$(fl run -f run.yaml --detach -q)
  for round in 1 2 3 4; do
    wait_until 20 ote fl export "$run" --cluster clinic-c -o "usb/$round.task" --state hq -q
    ote fl train "usb/$round.task" -o "usb/$round.update" --state clinic-c -q
    # Carried twice: the same answer, and the residual is what it was.
    ote fl train "usb/$round.task" -o "usb/$round.again" --state clinic-c -q
    ote fl import "usb/$round.update" --state hq -q
  done
  wait_until 30 over "$run"
  is "$wire" field_of "$run" .model.digest
}
