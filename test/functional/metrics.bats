#!/usr/bin/env bats
# What an agent tells of itself: metrics to a real Prometheus, and a log of JSON lines.
load helpers

free_port() {
  /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
metrics_of() { ote cluster status --state "$1" -o json | jq -er .metrics; }
scrape() { curl -sf --max-time 5 "http://$(metrics_of "$1")/metrics"; }
# The value of a query, at the Prometheus on $prometheus_port.
ask() {
  curl -sfG --max-time 5 --data-urlencode "query=$1" "http://127.0.0.1:$prometheus_port/api/v1/query" |
    jq -er '.data.result[0].value[1]'
}
is() { [ "$("${@:2}")" = "$1" ]; }

start_prometheus() {
  prometheus_port=$(free_port)
  cat >prometheus.yml <<YAML
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: ote
    static_configs:
      - targets: ["$(metrics_of hq)", "$(metrics_of clinic-a)"]
YAML
  prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --web.listen-address="127.0.0.1:$prometheus_port" \
    >prometheus.log 2>&1 3>&- &
  prometheus_pid=$!
}

teardown() {
  if [ -n "${prometheus_pid-}" ]; then
    kill "$prometheus_pid" 2>/dev/null || true
    wait "$prometheus_pid" 2>/dev/null || true
  fi
  ote_teardown
}

tree() {
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms --metrics 127.0.0.1:0 -q >/dev/null
  ote cluster token create -q --state hq |
    ote cluster join - --name clinic-a --state clinic-a --metrics 127.0.0.1:0 --log-format json -q >/dev/null
}

@test "a Prometheus scrapes root and member, and finds what happens there" {
  command -v prometheus >/dev/null || skip "no prometheus"
  tree
  start_prometheus
  wait_until 60 is 2 ask 'sum(up{job="ote"})'
  wait_until 10 is 2 ask 'sum(ote_build_info)'
  wait_until 10 is 1 ask 'sum(ote_clusters{status="ready"})'
  wait_until 10 is 1 ask 'sum(ote_uplink_connected)'
  ote data add digits --path "$source_root/templates/samples/digits.csv" --label digit --state clinic-a -q
  ote fl run --dataset digits --model softmax --rounds 2 --state hq -q
  wait_until 10 is 2 ask 'sum(ote_updates_accepted_total)'
  wait_until 10 is 2 ask 'sum(ote_round_seconds_count)'
  wait_until 10 ask 'ote_rpc_requests_total{verb="fl.start",outcome="ok"} > 0'
  ask 'min(ote_certificate_expiry_timestamp_seconds - time()) > 0'
  ask 'min(process_resident_memory_bytes) > 1e6'
  ask 'min(process_start_time_seconds) > 1e9'
  kill_agent clinic-a
  wait_until 10 is 1 ask 'sum(up{job="ote"})'
  wait_until 20 is 1 ask 'sum(ote_clusters{status="unreachable"})'
}

@test "the metrics are as Prometheus' own tool wants them" {
  command -v promtool >/dev/null || skip "no promtool"
  tree
  local folder
  for folder in hq clinic-a; do
    scrape "$folder" >page
    # What the library tells of itself is the library's business.
    grep -v -E '^(# (HELP|TYPE) )?exposer_' page >own
    run promtool check metrics <own
    echo "$output"
    [ "$status" -eq 0 ]
    grep -q '^ote_queue_depth{queue="posted"} ' page
    grep -q '^ote_store_bytes [1-9]' page
  done
}

@test "no metrics are served unless they are asked for, and off ends them" {
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 -q
  is "" metrics_of hq
  run ote cluster start --state hq --metrics 127.0.0.1:0
  [[ $output == *"next start"* ]]
  ote cluster stop --state hq -q
  ote cluster start --state hq -q
  scrape hq | grep -q ote_build_info
  ote cluster stop --state hq -q
  ote cluster start --state hq --metrics off -q
  is "" metrics_of hq
}

@test "an address that cannot be is refused with the reason" {
  expect 2 ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --metrics somewhere
  [[ $stderr == *E1201* ]]
  [ ! -e hq/member.json ]
  local port
  port=$(free_port)
  /usr/bin/python3 -m http.server --bind 127.0.0.1 "$port" >server.log 2>&1 3>&- &
  local server=$!
  wait_until 10 curl -sf "http://127.0.0.1:$port/" -o /dev/null
  run --separate-stderr ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --metrics "127.0.0.1:$port"
  kill "$server"
  [ "$status" -eq 2 ]
  [[ $stderr == *E1201* && $stderr == *"ddress already in use"* ]]
}

@test "the log is JSON lines when that is asked for, each of which names the cluster" {
  tree
  wait_until 10 grep -q 'connected to the parent' clinic-a/agent.log
  run jq -es 'length > 0 and all(.[]; (.time | test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z$")) and .agent == "clinic-a" and
    (.level | IN("debug", "info", "warn", "error")) and (.event | length > 0))' clinic-a/agent.log
  echo "$output"
  [ "$status" -eq 0 ]
  # And is text otherwise.
  grep -qE '^[0-9T:.Z-]+ info  ready' hq/agent.log
}
