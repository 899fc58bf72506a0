#!/usr/bin/env bats
# Every agent in a network namespace of its own, joined by one bridge, with no route out: nothing needs the internet, and
# nothing tries to reach it.
# timeout: 300
load helpers

setup() {
  [ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
  ip netns add ote-probe-$$ 2>/dev/null || skip "network namespaces cannot be made here"
  ip netns delete ote-probe-$$
  ote_setup
  net=ot$$
  ip netns add "$net-sw"
  ip -n "$net-sw" link add br0 type bridge
  ip -n "$net-sw" link set br0 up
  host hq 1
  host clinic-a 2
  host clinic-b 3
}

teardown() {
  [ -n "${net-}" ] || return 0
  local status=0
  ote_teardown || status=1
  local name
  for name in hq clinic-a clinic-b sw; do
    ip netns delete "$net-$name" 2>/dev/null || true
  done
  return $status
}

# host NAME NUMBER: a namespace with 10.99.0.NUMBER, and nothing beyond the bridge. A packet to anywhere else is counted
# by the unreachable route that takes the place of a default one.
host() {
  ip netns add "$net-$1"
  ip -n "$net-$1" link set lo up
  ip -n "$net-sw" link add "p$2" type veth peer name eth0 netns "$net-$1"
  ip -n "$net-sw" link set "p$2" master br0 up
  ip -n "$net-$1" address add "10.99.0.$2/24" dev eth0
  ip -n "$net-$1" link set eth0 up
}
in_host() {
  local name=$1
  shift
  ip netns exec "$net-$name" "$@"
}
status_of() {
  in_host hq ote cluster list --state hq -o json | jq -er --arg n "$1" '.items[] | select(.name == $n) | .status'
}
is() { [ "$("${@:2}")" = "$1" ]; }

join() {
  in_host hq ote cluster token create -q --state hq |
    in_host "$1" ote cluster join - --name "$1" --state "$1" -q
}

@test "a federation works with no route out, and asks for no name and no address outside" {
  in_host hq ote cluster init hq --state hq --listen tcp://0.0.0.0:7440 --heartbeat 500ms -q
  join clinic-a
  join clinic-b
  wait_until 10 is ready status_of clinic-a
  wait_until 10 is ready status_of clinic-b
  ote data split "$source_root/templates/samples/digits.csv" --label digit --parts 2 --seed 7 --names a,b --out parts
  in_host clinic-a ote data add digits --path parts/a.csv --label digit --state clinic-a
  in_host clinic-b ote data add digits --path parts/b.csv --label digit --state clinic-b
  expect 0 in_host hq ote fl run --dataset digits --model softmax --rounds 3 --minimum 2 --state hq -o json
  is finished json .status
  is 3 json '.rounds | length'
  # What the kernel counted: no datagram (no look-up of a name) left, no connection was tried without a route.
  local name
  for name in hq clinic-a clinic-b; do
    is 0 in_host "$name" awk '/^Udp: [0-9]/ {print $5}' /proc/net/snmp
    is 0 in_host "$name" awk '/^Ip: [0-9]/ {print $13}' /proc/net/snmp
  done
}

@test "a cut link shows the cluster as unreachable, and mends by itself" {
  in_host hq ote cluster init hq --state hq --listen tcp://0.0.0.0:7440 --heartbeat 500ms -q
  join clinic-a
  wait_until 10 is ready status_of clinic-a
  ip -n "$net-sw" link set p2 down
  wait_until 3 is unreachable status_of clinic-a
  ip -n "$net-sw" link set p2 up
  wait_until 20 is ready status_of clinic-a
}
