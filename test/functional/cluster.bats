#!/usr/bin/env bats
# A root and its clusters: enrolment with tokens, what is refused and how, kills and restarts.
# also-under: asan
load helpers

root() {
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
}
token() {
  ote cluster token create -q --state "$scratch/hq" "$@"
}
join() {
  local name=$1
  shift
  token "$@" | ote cluster join - --name "$name" --state "$scratch/$name" -q >/dev/null
}
status_of() {
  ote cluster list --state "$scratch/hq" -o json | jq -er --arg n "$1" '.items[] | select(.name == $n) | .status'
}
is() { [ "$("${@:2}")" = "$1" ]; }

@test "init starts a root, picks a free port and keeps it" {
  expect 0 ote cluster init hq --state hq --listen tcp://127.0.0.1:0 -o json
  expect 0 ote cluster status --state hq -o json
  local listen
  listen=$(json '.listen[0]')
  [[ $listen =~ ^tcp://127.0.0.1:[1-9][0-9]+$ ]]
  expect 0 ote cluster stop --state hq
  expect 0 ote cluster start --state hq
  expect 0 ote cluster status --state hq -o json
  is "$listen" json '.listen[0]'
}

@test "init twice is safe, and says what holds already" {
  root
  expect 0 ote cluster init hq --state hq --listen tcp://127.0.0.1:0
  [[ $stderr == *already* ]]
  expect 6 ote cluster init other --state hq --listen tcp://127.0.0.1:0
}

@test "a cluster joins with a token and is shown as ready" {
  root
  join clinic-a --label region=eu
  wait_until 5 is ready status_of clinic-a
  expect 0 ote cluster show clinic-a --state hq -o json
  is eu json '.labels.region'
  is hq json '.parent'
  expect 0 ote cluster tree --state hq
  [[ $output == *clinic-a* ]]
  expect 0 ote cluster list --state hq -q
  [[ $output == *clinic-a* ]]
}

fresh() { ote cluster show "$1" --state hq -o json | jq -e '.freshAt > 0'; }

@test "what a cluster tells of itself is shown with its age, and commands are listed" {
  root
  join clinic-a --label region=eu
  wait_until 5 fresh clinic-a
  expect 0 ote cluster show clinic-a --state hq
  [[ $output == *"state:"*"as of"* ]]
  expect 7 ote cluster show clinic-x --state hq
  [[ $stderr == *clinic-a* ]]
  expect 0 ote cluster commands --state hq -o json
  is 0 json '.items | length'
  expect 0 ote cluster commands --state clinic-a --cluster clinic-a
  expect 7 ote cluster commands cmd-0000000000 --state hq
  [[ $stderr == *OTE-E0906* ]]
}

@test "joining twice says so and exits 0; with another root it is a conflict" {
  root
  join clinic-a
  expect 0 ote cluster join "$(token)" --name clinic-a --state clinic-a
  [[ $stderr == *already* ]]
  ote cluster init hq2 --state hq2 --listen tcp://127.0.0.1:0 -q
  expect 6 ote cluster join "$(ote cluster token create -q --state hq2)" --name clinic-a --state clinic-a
  [[ $stderr == *OTE-E0109* ]]
  [[ $stderr == *--replace* ]]
}

@test "each way for a token to be wrong has its own error" {
  root
  local used expired revoked good
  used=$(token)
  ote cluster join "$used" --name a --state a --no-start -q
  expect 4 ote cluster join "$used" --name b --state b --no-start
  [[ $stderr == *OTE-E0103* ]]

  expired=$(token --ttl 1s)
  sleep 1.1
  expect 4 ote cluster join "$expired" --name b --state b --no-start
  [[ $stderr == *OTE-E0102* ]]

  revoked=$(token)
  ote cluster token revoke "$(cut -d. -f2 <<<"$revoked")" --state hq -q
  expect 4 ote cluster join "$revoked" --name b --state b --no-start
  [[ $stderr == *OTE-E0104* ]]

  good=$(token)
  expect 2 ote cluster join "${good%?}$([[ ${good: -1} == A ]] && echo B || echo A)" --name b --state b --no-start
  [[ $stderr == *OTE-E0101* ]]
  expect 2 ote cluster join not-a-token --name b --state b --no-start
  [[ $stderr == *OTE-E0101* ]]

  expect 6 ote cluster join "$good" --name a --state b --no-start
  [[ $stderr == *OTE-E0107* ]]
  [ ! -e b/member.json ]
  expect 0 ote cluster join "$good" --name b --state b --no-start
}

@test "a token for a root that was made anew is refused before anything is sent" {
  root
  local old listen
  old=$(token)
  listen=$(ote cluster status --state hq -o json | jq -r '.listen[0]')
  ote cluster stop --state hq -q
  rm -rf hq
  ote cluster init hq --state hq --listen "$listen" -q
  expect 4 ote cluster join "$old" --name a --state a --no-start --timeout 10s
  [[ $stderr == *OTE-E0106* ]]
  [ ! -e a/member.json ]
}

@test "a token for a root that is not there is unreachable, with a hint" {
  root
  local t
  t=$(token)
  ote cluster stop --state hq -q
  expect 5 ote cluster join "$t" --name a --state a --no-start --timeout 2s -o json
  is 5 json '.error.exitCode'
  is OTE-E0501 json '.error.code'
}

@test "a port that is in use is said so" {
  root
  local listen
  listen=$(ote cluster status --state hq -o json | jq -r '.listen[0]')
  expect 6 ote cluster init other --state other --listen "$listen"
  [[ $stderr == *OTE-E0502* ]]
}

@test "key files that others can read are refused" {
  root
  ote cluster stop --state hq -q
  chmod 0644 hq/keys/sign.key
  expect 4 ote cluster start --state hq
  [[ $stderr == *OTE-E0113* ]]
  chmod 0600 hq/keys/sign.key
  expect 0 ote cluster start --state hq
}

@test "all that is secret has mode 0600" {
  root
  join clinic-a
  local file
  for file in hq/keys/* clinic-a/keys/* hq/ote.db hq/member.json; do
    is 600 stat -c %a "$file"
  done
  is 700 stat -c %a hq
}

@test "an agent that was killed comes back as the same member, and is shown as unreachable meanwhile" {
  root
  join clinic-a
  wait_until 5 is ready status_of clinic-a
  kill_agent clinic-a
  wait_until 3 is unreachable status_of clinic-a
  ote cluster start --state clinic-a -q
  wait_until 5 is ready status_of clinic-a
}

@test "a root that was killed keeps members and tokens" {
  root
  join clinic-a
  local t
  t=$(token)
  kill_agent hq
  ote cluster start --state hq -q
  wait_until 10 is ready status_of clinic-a
  expect 0 ote cluster join "$t" --name clinic-b --state clinic-b
}

@test "a removed member is out, and may come back with a new token" {
  root
  join clinic-a
  wait_until 5 is ready status_of clinic-a
  expect 0 ote cluster remove clinic-a --state hq --yes
  expect 7 ote cluster show clinic-a --state hq
  wait_until 5 grep -q removed clinic-a/agent.log
  expect 0 ote cluster join "$(token)" --name clinic-a --state clinic-a --replace --yes
  wait_until 5 is ready status_of clinic-a
}

@test "labels are set and unset" {
  root
  join clinic-a
  expect 0 ote cluster label clinic-a tier=edge --state hq
  expect 0 ote cluster label clinic-a tier- region=eu --state hq -o json
  is '{"region":"eu"}' jq -c .labels <<<"$output"
}

@test "a stranger with a plain ZeroMQ socket gets nothing" {
  command -v python3 >/dev/null || skip "no python3"
  root
  local port
  port=$(ote cluster status --state hq -o json | jq -r '.listen[0]')
  port=${port##*:}
  # A ZMTP 3.0 greeting with the NULL mechanism, then a message: the root must close or stay silent, and live on.
  run python3 - "$port" <<'PY'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
s.settimeout(3)
s.sendall(b"\xff" + b"\0" * 8 + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" * 32)
s.sendall(b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER")
data = b""
try:
    while len(data) < 65536:
        piece = s.recv(4096)
        if not piece:
            break
        data += piece
except (socket.timeout, ConnectionError):
    pass
assert len(data) <= 64, len(data)
PY
  [ "$status" -eq 0 ]
  expect 0 ote cluster status --state hq
}

@test "no token and no key stands in a log" {
  root
  local t
  t=$(token)
  ote cluster join "$t" --name clinic-a --state clinic-a -q
  run grep -rF -e "$(cut -d. -f3 <<<"$t")" --include='*.log' .
  [ "$status" -eq 1 ]
  run grep -rFf <(tail -qn1 hq/keys/*.key | awk '{print $2}') --include='*.log' .
  [ "$status" -eq 1 ]
}
