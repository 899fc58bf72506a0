#!/usr/bin/env bats
# The log of an agent in an Elasticsearch: nothing twice, nothing lost while there is room, whatever happens on the way.
load helpers

setup() {
  ote_setup
  mkdir server
  port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
}
teardown() {
  stop_server
  ote_teardown
}
start_server() {
  /usr/bin/python3 "$source_root/test/functional/bulk_server.py" server "$port" "$@" >server.log 2>&1 3>&- &
  server_pid=$!
}
stop_server() {
  if [ -n "${server_pid-}" ]; then
    kill -KILL "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
  fi
  server_pid=
}
mode() { echo "$1" >server/mode; }
root() {
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --log-format json --ship-logs "http://127.0.0.1:$port" \
    -q "$@" >/dev/null
}
# Makes a record of the log: the listening of an agent that starts.
again() {
  ote cluster stop --state hq -q
  ote cluster start --state hq -q
}
arrived() { [ -e server/docs.jsonl ] && [ "$(jq -rs --arg m "$1" 'map(select(.message == $m)) | length' server/docs.jsonl)" -ge "$2" ]; }
logs() { ote cluster status --state hq -o json | jq -er ".logs.$1"; }
is() { [ "$("${@:2}")" = "$1" ]; }
# Every record once, by what it says and when, and each id once.
nothing_twice() {
  jq -es '(map(._id) | length == (unique | length)) and
    (map([."@timestamp", .message, .labels]) | length == (unique | length))' server/docs.jsonl
}

@test "records arrive in the index of their day, with the name of the cluster" {
  start_server
  root
  wait_until 20 arrived ready 1
  jq -es 'all(.[]; .ote.cluster == "hq" and .service.name == "ote-agent" and
    (._index | test("^ote-logs-[0-9]{4}[.][0-9]{2}[.][0-9]{2}$")))' server/docs.jsonl
  wait_until 10 is 0 logs waiting
}

@test "a batch whose answer is lost arrives once" {
  mode lost
  start_server
  root
  wait_until 20 arrived ready 1
  wait_until 20 test "$(wc -l <server/requests)" -ge 1
  mode ok
  wait_until 20 is 0 logs waiting
  nothing_twice
}

@test "items that are too many are sent again, and no other" {
  mode some
  start_server
  root
  wait_until 30 arrived ready 1
  again
  wait_until 30 arrived ready 2
  wait_until 20 is 0 logs waiting
  nothing_twice
}

@test "a server that is away gets all of it later, and a kill in between loses nothing" {
  root
  wait_until 10 is "ready" jq -rs 'map(select(.event == "ready")) | .[0].event' hq/agent.log
  kill_agent hq
  ote cluster start --state hq -q
  kill_agent hq
  ote cluster start --state hq -q
  [ "$(logs waiting)" -ge 3 ]
  [ "$(logs dropped)" -eq 0 ]
  start_server
  wait_until 60 arrived ready 3
  wait_until 20 is 0 logs waiting
  nothing_twice
}

@test "a kill between a batch and its answer sends nothing twice" {
  mode lost
  start_server
  root
  wait_until 20 arrived ready 1
  kill_agent hq
  mode ok
  ote cluster start --state hq -q
  wait_until 20 arrived ready 2
  wait_until 20 is 0 logs waiting
  nothing_twice
}

@test "a server that says when to come back is asked then" {
  mode busy
  start_server
  root
  wait_until 20 test -s server/requests
  mode ok
  wait_until 20 arrived ready 1
}

@test "credentials come from a file that only its owner may read, and are in no log" {
  start_server
  (umask 077 && echo c2VjcmV0OmtleQ== >key)
  root --ship-key-file key
  wait_until 20 arrived ready 1
  grep -q 'ApiKey c2VjcmV0OmtleQ==' server/requests
  run ! grep -r c2VjcmV0OmtleQ hq
  chmod 644 key
  again
  wait_until 20 logs 'message | test("key")'
}

@test "the other side proves who it is, and one that cannot gets nothing" {
  command -v openssl >/dev/null || skip "no openssl"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.key -out tls.crt -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>/dev/null
  start_server tls.crt tls.key
  (umask 077 && echo me:word >user)
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --ship-logs "https://localhost:$port" \
    --ship-user-file user -q >/dev/null
  wait_until 20 logs 'message | test("certificate")'
  [ ! -e server/docs.jsonl ]
  ote cluster stop --state hq -q
  ote cluster start --state hq --ship-ca tls.crt -q
  wait_until 20 arrived ready 2
  grep -q "Basic $(printf me:word | base64)" server/requests
}

@test "what cannot be shipped to is refused before anything is made" {
  expect 1 ote cluster init hq --state hq --ship-logs http://logs.example:9200
  [[ $stderr == *"in the clear"*E1202* ]]
  expect 1 ote cluster init hq --state hq --ship-logs https://me:pass@logs.example:9200
  [[ $stderr != *pass@* ]]
  expect 1 ote cluster init hq --state hq --ship-logs https://logs.example --ship-index Upper
  [ ! -e hq/member.json ]
}
