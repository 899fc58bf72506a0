#!/usr/bin/env bats
# What ote doctor finds when one thing after another is broken.
load helpers

root() { ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q "$@" >/dev/null; }
join() {
  ote cluster token create -q --state hq | ote cluster join - --name clinic-a --state clinic-a -q >/dev/null
}
# The level of a check in $output: the worst of its findings.
level() {
  jq -er --arg c "$1" '[.items[] | select(.check == $c) | .level] | if index("problem") then "problem"
    elif index("warning") then "warning" elif length > 0 then "ok" else empty end' <<<"$output"
}
todo() { jq -er --arg c "$1" '[.items[] | select(.check == $c and .level != "ok")][0].do' <<<"$output"; }
why() { jq -er --arg c "$1" '[.items[] | select(.check == $c and .level != "ok")][0] | .what + ": " + .why' <<<"$output"; }
is() { [ "$("${@:2}")" = "$1" ]; }
connected() { ote cluster status --state "$1" -o json | jq -e .connected; }

@test "nothing is a problem where nothing is wrong" {
  root
  join
  wait_until 10 connected clinic-a
  local folder check
  for folder in hq clinic-a; do
    expect 0 ote doctor --state $folder -o json
    for check in state keys agent certificate clock disk store ports queues; do
      is ok level $check
    done
  done
  is ok level parent
  expect 0 ote doctor --state hq
  [[ $output == *certificate* ]]
}

@test "a folder without a cluster is said to be one" {
  expect 1 ote doctor --state nothing -o json
  is problem level state
  [[ $(todo state) == *"ote cluster init"* ]]
  level isolation
}

@test "an agent that is down" {
  root --no-start
  expect 1 ote doctor --state hq -o json
  is problem level agent
  [[ $(todo agent) == "ote cluster start --state "* ]]
  is ok level keys
  is ok level ports
  eval "$(todo agent)"
  expect 0 ote doctor --state hq -o json
}

@test "a key that others may read, and the command that mends it" {
  root
  chmod 644 hq/keys/sign.key
  expect 1 ote doctor --state hq -o json
  is problem level keys
  [[ $(todo keys) == "chmod 600 "*sign.key ]]
  eval "$(todo keys)"
  expect 0 ote doctor --state hq -o json
}

@test "a key that is another one's, or gone" {
  root --no-start
  ote cluster init other --state other --no-start -q >/dev/null
  cp other/keys/sign.key hq/keys/sign.key
  expect 1 ote doctor --state hq -o json
  is problem level keys
  [[ $(why keys) == *"not the key of the certificate"* ]]
  rm hq/keys/transport.key
  expect 1 ote doctor --state hq -o json
  [[ $(why keys) == *transport.key*"not there"* ]]
}

@test "a port that another program has" {
  root
  local port
  port=$(ote cluster status --state hq -o json | jq -r '.listen[0]' | sed 's/.*://')
  ote cluster stop --state hq -q
  /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port" >server.log 2>&1 3>&- &
  local server=$!
  wait_until 10 curl -sf "http://127.0.0.1:$port/" -o /dev/null
  run --separate-stderr ote doctor --state hq -o json
  kill "$server"
  [ "$status" -eq 1 ]
  is problem level ports
  [[ $(why ports) == *"ddress already in use"* && $(todo ports) == *":$port"* ]]
}

@test "a certificate that has expired" {
  root --certificate-life 2s
  join
  wait_until 10 connected clinic-a
  ote cluster stop --state clinic-a -q
  ote cluster stop --state hq -q
  expired() { run --separate-stderr ote doctor --state clinic-a -o json && is problem level certificate; }
  wait_until 10 expired
  expired
  [[ $(todo certificate) == "ote cluster start"* ]]
}

@test "a parent that is stopped, and one that hangs up" {
  root
  join
  wait_until 10 connected clinic-a
  local port
  port=$(ote cluster status --state hq -o json | jq -r '.listen[0]' | sed 's/.*://')
  ote cluster stop --state hq -q
  parent_lost() { run --separate-stderr ote doctor --state clinic-a -o json && [[ $(why parent) == *"no TCP connection: Connection refused"* ]]; }
  wait_until 10 parent_lost
  /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port" >server.log 2>&1 3>&- &
  local server=$!
  wait_until 10 curl -sf "http://127.0.0.1:$port/" -o /dev/null
  run --separate-stderr ote doctor --state clinic-a -o json --timeout 3s
  kill "$server"
  [ "$status" -eq 1 ]
  [[ $(why parent) == *"but no handshake"* ]]
}

@test "a disk that is full" {
  mkdir small
  mount -t tmpfs -o size=3m tmpfs small 2>/dev/null || skip "no file system may be mounted here"
  ote cluster init hq --state small/hq --listen tcp://127.0.0.1:0 --no-start -q >/dev/null || true
  dd if=/dev/zero of=small/fill bs=64k 2>/dev/null || true
  run --separate-stderr ote doctor --state small/hq -o json
  umount small
  [ "$status" -eq 1 ]
  is problem level disk
  [[ $(todo disk) == *"space"* ]]
}

@test "a database that is damaged" {
  root
  ote cluster stop --state hq -q
  dd if=/dev/urandom of=hq/ote.db bs=1k seek=4 count=8 conv=notrunc 2>/dev/null
  expect 1 ote doctor --state hq -o json
  is problem level store
}
