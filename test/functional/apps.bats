#!/usr/bin/env bats
# Apps on real agents: deployed, rolled back by themselves, steered at the edge, and kept with the line cut and over kills.
# timeout: 600
load helpers

root() {
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
}
join() {
  ote cluster token create -q --state "$scratch/hq" --label region=eu |
    ote cluster join - --name "$1" --state "$scratch/$1" --shim process -q >/dev/null
}
is() { [ "$("${@:2}")" = "$1" ]; }
app() { ote app "$@" --state "$scratch/hq"; }
at() { ote app "${@:2}" --state "$scratch/$1"; }

# Nobody listens at the port of a file that says "bad", so that its check fails.
write_app() {
  local version=$1 port=$2 check=$2
  [[ $version != bad* ]] || check=1
  cat >"$scratch/$version.yaml" <<YAML
name: web
command: [python3, -m, http.server, "$port", --bind, 127.0.0.1]
files:
  - {path: index.html, content: "$version"}
healthCheck:
  tcp: {port: $check}
  interval: 200ms
  timeout: 1s
  start: 200ms
isolation: off
stopTimeout: 1s
placement: {selector: region=eu}
rollout: {maxUnavailable: 1, healthTimeout: 8s, onFailure: rollback}
YAML
}
write_sleep() {
  cat >"$scratch/$1.yaml" <<YAML
name: idle
command: [sleep, "$2"]
isolation: off
stopTimeout: 1s
placement: {selector: region=eu}
rollout: {maxUnavailable: 100%, healthTimeout: 8s, onFailure: rollback}
${3-}
YAML
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# How NAME is at CLUSTER, as the root sees it: field of the status.
told() { app show "$1" -o json | jq -er --arg c "$2" ".clusters[] | select(.cluster == \$c) | $3"; }
# The same as the cluster itself sees it.
own() { at "$1" show "hq/$2" -o json | jq -er ".clusters[0] | $3"; }
# How many of `sleep N` run for this test.
sleeps() {
  local pid count=0
  for pid in $(pgrep -f "(^|/)sleep $1\$"); do
    [[ $(readlink "/proc/$pid/cwd") != "$scratch"/* ]] || count=$((count + 1))
  done
  echo "$count"
}
teardown() {
  end_apps "$scratch"
  ote_teardown
}

@test "an app is deployed, seen, deployed again without a change, and removed" {
  root
  join a
  wait_until 10 told_shim a
  local port
  port=$(free_port)
  write_app v1 "$port"
  expect 0 app deploy -f v1.yaml --timeout 60s
  [ "$(python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$port/').read().decode())")" = v1 ]
  expect 0 app deploy -f v1.yaml --timeout 60s
  [[ $stderr == *already* ]]
  expect 0 app list -o json
  is 1 json '.items | length'
  is healthy told web a .phase
  expect 0 app logs web --tail 5
  expect 0 app remove web --yes --timeout 60s
  wait_until 10 gone "$port"
  expect 7 app show web
}
gone() { ! python3 -c "import socket; socket.create_connection(('127.0.0.1', $1), 1)" 2>/dev/null; }
told_shim() { app plan -f "$(any_app)" -o json | jq -e --arg c "$1" '.items[] | select(.cluster == $c) | .chosen'; }
any_app() {
  [ -e "$scratch/any.yaml" ] || write_sleep any 1
  echo "$scratch/any.yaml"
}

@test "a revision that does not get healthy is left by itself, on every cluster" {
  root
  join a
  join b
  wait_until 10 told_shim a
  wait_until 10 told_shim b
  write_sleep one 70001
  expect 0 app deploy -f one.yaml --timeout 60s
  [ "$(sleeps 70001)" -eq 2 ]
  write_sleep two 70002 "healthCheck: {exec: ['false'], interval: 200ms, start: 200ms}"
  expect 1 app deploy -f two.yaml --timeout 120s
  [[ $stderr == *OTE-E1005* ]]
  wait_until 20 is 2 sleeps 70001
  wait_until 10 is 0 sleeps 70002
  expect 0 app show idle -o json
  is rolled-back json '.revisions[] | select(.number == 2) | .outcome'
}

@test "what is wrong in an app file is told with its line, and an empty selector is refused" {
  root
  printf 'name: x\ncomand: [sleep]\n' >bad.yaml
  expect 2 app deploy -f bad.yaml --all
  [[ $stderr == *bad.yaml:2*command* ]]
  printf 'name: x\ncommand: [sleep]\n' >nowhere.yaml
  expect 2 app deploy -f nowhere.yaml
  [[ $stderr == *OTE-E0902* ]]
}

@test "with the line cut for a whole rollout, and the agent killed twice, the edge goes back by itself, and both agree" {
  root
  join a
  wait_until 10 told_shim a
  write_sleep one 70011
  expect 0 app deploy -f one.yaml --timeout 60s
  # The revision arrives, and the root is gone before it can be seen to fail.
  write_sleep two 70012 "healthCheck: {exec: ['false'], interval: 200ms, start: 200ms}"
  app deploy -f two.yaml --detach -q
  wait_until 10 is 1 sleeps 70012
  kill_agent "$scratch/hq"
  kill_agent "$scratch/a"
  ote cluster start --state "$scratch/a" -q >/dev/null
  wait_until 30 is 1 sleeps 70011
  kill_agent "$scratch/a"
  ote cluster start --state "$scratch/a" -q >/dev/null
  wait_until 30 is 2 own a idle .status.rolledBackFrom
  wait_until 20 is healthy own a idle .status.phase
  wait_until 10 is 0 sleeps 70012
  is 1 sleeps 70011
  ote cluster start --state "$scratch/hq" -q >/dev/null
  wait_until 60 both_agree
  is 1 sleeps 70011
}
both_agree() {
  [ "$(app show idle -o json | jq -r '.phase')" = "done" ] &&
    [ "$(told idle a .status.digest)" = "$(own a idle .status.digest)" ] &&
    [ "$(told idle a .status.phase)" = healthy ] && [ "$(own a idle .status.phase)" = healthy ]
}

@test "a local operator sets an app aside, the tier above sees by whom, and its next revision takes over" {
  root
  join a
  wait_until 10 told_shim a
  write_sleep one 70021
  write_sleep two 70022
  write_sleep mine 70023
  expect 0 app deploy -f one.yaml --timeout 60s
  expect 0 at a deploy -f mine.yaml --over hq/idle
  wait_until 10 is 1 sleeps 70023
  wait_until 10 is 0 sleeps 70021
  wait_until 10 told idle a '.status.overriddenBy | select(. != "")'
  kill_agent "$scratch/a"
  ote cluster start --state "$scratch/a" -q >/dev/null
  wait_until 10 is 1 sleeps 70023
  expect 0 app deploy -f two.yaml --timeout 60s
  wait_until 10 is 1 sleeps 70022
  wait_until 10 is 0 sleeps 70023
  at a show hq/idle | grep -q 'override ended'
}

@test "a drained cluster gives its apps up to another" {
  root
  join a
  join b
  wait_until 10 told_shim a
  wait_until 10 told_shim b
  write_sleep one 70031
  sed -i 's/placement: .*/placement: {selector: region=eu, replicas: 1}/' one.yaml
  expect 0 app deploy -f one.yaml --timeout 60s
  local first
  first=$(app show idle -o json | jq -r '.clusters[0].cluster')
  expect 0 ote cluster drain "$first" --state hq
  wait_until 20 moved_from "$first"
  wait_until 10 is 1 sleeps 70031
}
moved_from() { app show idle -o json | jq -e --arg c "$1" '.clusters | length == 1 and .[0].cluster != $c' >/dev/null; }
