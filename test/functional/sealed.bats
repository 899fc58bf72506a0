#!/usr/bin/env bats
# What can be seen of a run by those who should not see it: on the line, and in the memory of its root when it is over.
# timeout: 400
load helpers

dataset=haematology
names=(hospital-north hospital-south)

setup() {
  ote_setup
  ote cluster init headquarters --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  python3 "$source_root/test/functional/make_stages.py" "$source_root/templates/samples/digits.csv" stages.csv
  ote data split stages.csv --label diagnosis --parts 2 --seed 1 --names "$(IFS=,; echo "${names[*]}")" --out parts -q \
    >/dev/null
}

join_all() {
  local name
  for name in "${names[@]}"; do
    ote cluster token create -q --state hq | ote cluster join - --name "$name" --state "$name" -q >/dev/null
    ote data add "$dataset" --path "parts/$name.csv" --label diagnosis --state "$name" -q >/dev/null
  done
  wait_until 10 all_ready
}
all_ready() {
  [ "$(ote cluster list --state hq -o json |
    jq '[.items[] | select(.status == "ready" and (.datasets | length) == 1)] | length')" -eq 2 ]
}
fl() {
  local verb=$1
  shift
  ote fl "$verb" --state "$scratch/hq" "$@"
}
status_of() { fl show "$1" -o json | jq -r .status; }
is() { [ "$("${@:2}")" = "$1" ]; }
over() { [[ $(status_of "$1") == @(finished|failed|cancelled) ]]; }
find_bytes() { python3 "$source_root/test/functional/find_bytes.py" "$@"; }
port_of() { ote cluster status --state hq -o json | jq -r '.listen[0]' | sed 's/.*://'; }

# Every artifact that the root holds when the run is over, which is all of them where the run is told to keep them.
keep_artifacts() {
  mkdir -p kept
  wait_until 60 over "$1"
  find hq/artifacts -type f -path '*/??/*' ! -path '*/partial/*' -exec cp -n -t kept {} +
}
# Sealed ones are what travels, and no secret.
drop_sealed() {
  local file
  for file in kept/*; do
    [ "$(head -c 8 "$file" | tr -d '\0')" != OTESEAL1 ] || rm "$file"
  done
}

@test "in all that a run sends over the line there is no model, update, label or name" {
  python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)' 2>/dev/null ||
    skip "packets cannot be captured here"
  coproc capture { exec python3 "$source_root/test/functional/capture_loopback.py" traffic 3>&-; }
  local line capture_pid=$capture_PID
  read -r -t 10 line <&"${capture[0]}"
  [ "$line" = ready ]
  join_all
  local run
  run=$(fl run --dataset "$dataset" --name cohort --rounds 4 --epochs 2 --input-scale 0.0625 \
    --set record.updates=keep --detach -q)
  keep_artifacts "$run"
  is finished status_of "$run"
  # What goes over the line in the clear is found: that the rest is not, says something.
  echo "a marker in the clear" >"/dev/tcp/127.0.0.1/$(port_of)"
  kill "$capture_pid"
  read -r -t 10 line <&"${capture[0]}"
  echo "$line"
  [[ $line == *" 0 lost" ]]
  [ "$(find_bytes words traffic "a marker in the clear")" = "a marker in the clear" ]

  drop_sealed
  # Models of all rounds and an update at the least; each is as large as in the clear on the line.
  [ "$(find kept -type f | wc -l)" -ge 5 ]
  [ "$(stat -c %s traffic)" -gt 40000 ]
  run find_bytes slices traffic kept/*
  echo "$output"
  [[ $output == *" 0 found" ]]
  [ "${output%% *}" -gt 100 ]
  local words
  words=$(find_bytes words traffic "$dataset" headquarters "${names[@]}" diagnosis stage_of_disease_7 stage_of cohort \
    __metadata__ softmax fl.task "$run")
  [ -z "$words" ] || {
    echo "found: $words"
    false
  }
}

@test "when a run is over its key is in no file and not in the memory of its root" {
  join_all
  local run pid
  run=$(fl run --dataset "$dataset" --rounds 8 --input-scale 0.0625 --detach -q)
  cp "hq/keys/runs/$run.key" run.key
  [ "$(stat -c %a "hq/keys/runs/$run.key")" = 600 ]
  # Made by one agent, and read from the file by the next.
  kill_agent hq
  ote cluster start --state hq -q >/dev/null
  pid=$(agents_of hq)
  find_bytes memory "$pid" run.key >/dev/null 2>&1 || skip "the memory of a process cannot be read here"
  if ! over "$run"; then
    # While it goes on it is there: what looks for it can find it.
    run find_bytes memory "$pid" run.key
    over "$run" || [ "${output%% *}" -ge 1 ]
  fi
  wait_until 60 over "$run"
  is finished status_of "$run"
  [ ! -e "hq/keys/runs/$run.key" ]
  [ "$(find_bytes memory "$pid" run.key)" = "0 0" ]
  # Nor the one that was made and never read from a file.
  run=$(fl run --dataset "$dataset" --rounds 4 --input-scale 0.0625 --detach -q)
  cp "hq/keys/runs/$run.key" second.key
  wait_until 60 over "$run"
  is finished status_of "$run"
  [ "$(find_bytes memory "$pid" second.key)" = "0 0" ]
  ! grep -rqF "$(cut -d' ' -f2 run.key)" hq --include='*'
}

@test "no key of a run stands in a log or in the database" {
  join_all
  local run text
  run=$(fl run --dataset "$dataset" --rounds 3 --input-scale 0.0625 --detach -q)
  text=$(cut -d' ' -f2 "hq/keys/runs/$run.key")
  wait_until 60 over "$run"
  [ -n "$text" ]
  ! grep -rqF "$text" hq "${names[@]}"
}

# Starts the agents of these state folders anew, each in a folder of its own, where a crash may leave a core.
start_where_cores_are() {
  local state
  for state in "$@"; do
    kill_agent "$state"
    mkdir -p "cores/$state"
    (
      ulimit -c unlimited
      cd "cores/$state" || exit
      exec ote-agent --state "$scratch/$state" >log 2>&1 3>&-
    ) &
  done
  for state in "$@"; do
    wait_until 10 grep -q ' ready ' "cores/$state/log"
  done
}
crash() {
  local pid
  pid=$(agents_of "$1")
  kill -ABRT "$pid"
  wait_until 10 process_gone "$pid"
}

@test "an agent that crashes leaves no core" {
  [ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip "cores do not go to the folder of a process here"
  mkdir -p cores/shell
  bash -c 'ulimit -c unlimited; cd cores/shell; kill -ABRT $$' || true
  compgen -G 'cores/shell/core*' || skip "no process leaves a core here"
  start_where_cores_are hq
  crash hq
  [ -z "$(compgen -G 'cores/hq/core*')" ]
}

@test "what runs as the user of an agent cannot look into its memory, unless it was allowed" {
  local own=()
  mkdir lone
  cp "$OTE_BIN"/ote "$OTE_BIN"/ote-agent lone
  # The superuser may look anywhere.
  if [ "$(id -u)" -eq 0 ]; then
    own=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    chmod 711 "$scratch"
    chown 65534:65534 lone
  fi
  own+=(env HOME="$scratch/lone" OTE_HOME="$scratch/lone/home")
  "${own[@]}" lone/ote cluster init lone --state lone/state --listen tcp://127.0.0.1:0 -q
  looks() { "${own[@]}" head -c 1 "/proc/$(agents_of lone)/environ" >/dev/null; }
  run ! looks
  "${own[@]}" lone/ote cluster stop --state lone/state -q
  "${own[@]}" OTE_CORE_DUMPS=yes lone/ote cluster start --state lone/state -q
  looks
}

@test "in the core of an agent that may leave one there is no key but what ZeroMQ keeps of one" {
  [ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip "cores do not go to the folder of a process here"
  join_all
  export OTE_CORE_DUMPS=yes
  local run at=hospital-north
  start_where_cores_are hq "$at"
  wait_until 10 all_ready
  run=$(fl run --dataset "$dataset" --rounds 2000 --input-scale 0.0625 --detach -q)
  cp "hq/keys/runs/$run.key" run.key
  wait_until 20 eval '[ "$(fl show '"$run"' -o json | jq ".rounds | length")" -ge 3 ]'
  crash "$at"
  crash hq
  unset OTE_CORE_DUMPS
  local root site
  root=$(compgen -G 'cores/hq/core*') || skip "no process leaves a core here"
  site=$(compgen -G "cores/$at/core*")
  # What is no secret is there: that the rest is not, says something.
  [ "$(find_bytes words "$root" "$dataset" "$run")" = "$dataset $run" ]
  [ "$(find_bytes words "$site" "$dataset" "$run")" = "$dataset $run" ]
  # ZeroMQ has a copy of the transport key of its own, which ote-agent(8) says.
  run find_bytes keys "$root" hq/keys/{authority,sign,control}.key run.key
  [ -z "$output" ]
  run find_bytes keys "$site" "$at"/keys/{sign,control}.key
  [ -z "$output" ]
}
