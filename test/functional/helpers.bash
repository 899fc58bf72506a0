# What every functional test starts with: one scratch folder a test, and real programs in it.
# shellcheck shell=bash
#
#   load helpers
#   @test "a cluster that joined is listed" {
#     ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0
#     wait_until 10 is_listed clinic-a
#   }
#
# $scratch is a new folder under /tmp (short: the path of a unix socket has at most 107 characters), and where the test
# runs. OTE_HOME is in it, so that no state outside is read or written. Programs come from $OTE_BIN, build/dev/bin when
# it is not set. After the test, agents whose agent.pid lies under $scratch are ended, and the folder goes; when the test
# failed, the ends of their logs are printed first. A test that needs more defines setup() or teardown() itself and calls
# ote_setup and ote_teardown in them. A process that a test puts into the background itself needs `3>&-`, or bats waits for it.

bats_require_minimum_version 1.5.0
source_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

setup() { ote_setup; }
teardown() { ote_teardown; }

ote_setup() {
  local name
  for name in "${!OTE_@}"; do
    [ "$name" = OTE_BIN ] || unset "$name"
  done
  OTE_BIN=${OTE_BIN:-$source_root/build/dev/bin}
  PATH=$OTE_BIN:$PATH
  scratch=$(mktemp -d /tmp/ote.XXXXXX)
  export OTE_BIN PATH OTE_HOME="$scratch/home" NO_COLOR=1 LC_ALL=C.UTF-8
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
  cd "$scratch" || return 1
}

ote_teardown() {
  local status=0
  cd /
  end_agents "$scratch"
  if grep -rlE --include='*.log' 'ERROR: (Address|Leak|Thread)Sanitizer|: runtime error: ' "$scratch"; then
    echo "a sanitizer reported an error"
    status=1
  fi
  if [ -z "${BATS_TEST_COMPLETED-}" ] || [ $status -ne 0 ]; then
    show_logs
  fi
  rm -rf "$scratch"
  return $status
}

# The process ids of the agents that run in FOLDER or in state folders below it, one a line.
agents_of() {
  local file pid
  find "$1" -name agent.pid -type f 2>/dev/null | while IFS= read -r file; do
    pid=$(head -c 20 "$file" | tr -cd '0-9')
    # A process id may have been given to another program since.
    if [ -n "$pid" ] && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == ote-agent* ]]; then
      echo "$pid"
    fi
  done
}

# Ends the agents in and below FOLDER: asked first, killed after five seconds.
end_agents() {
  local pid pids
  mapfile -t pids < <(agents_of "$1")
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
  done
  for pid in "${pids[@]}"; do
    wait_until 5 process_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  done
}

# The same, and what their apps run, which outlives them.
end_apps() {
  local pid
  end_agents "$1"
  for pid in $(pgrep -f "ote-agent supervise $1/"); do kill -KILL "$pid"; done
  for pid in $(pgrep -f '(^|/)(sleep|python3) '); do
    [[ $(readlink "/proc/$pid/cwd") != "$1"/* ]] || kill -KILL "$pid"
  done
}

# Kills the agent of the state folder FOLDER as a power cut would, and waits until it is gone.
kill_agent() {
  local pid
  pid=$(agents_of "$1")
  if [ -z "$pid" ]; then
    echo "no agent runs in $1"
    return 1
  fi
  kill -KILL "$pid"
  wait_until 5 process_gone "$pid"
}

process_gone() {
  local stat
  # A zombie whose parent has not looked yet is gone, too.
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  [[ ${stat##*) } == Z* ]]
}

# wait_until SECONDS COMMAND... : runs the command until it succeeds, ten times a second; after SECONDS fails, and says
# what the command said last.
wait_until() {
  local seconds=$1 deadline output
  shift
  deadline=$(($(date +%s%N) / 1000000 + seconds * 1000))
  until output=$("$@" 2>&1); do
    if [ $(($(date +%s%N) / 1000000)) -ge $deadline ]; then
      echo "after ${seconds} s still not: $*"
      [ -z "$output" ] || echo "$output"
      return 1
    fi
    sleep 0.1
  done
}

show_logs() {
  local file
  find "$scratch" -name '*.log' -type f | while IFS= read -r file; do
    echo "--- the end of ${file#"$scratch"/}"
    tail -n 40 "$file"
  done
}

# expect STATUS COMMAND... : the command exits with STATUS; $output, $stderr and $lines are its output, as `run` gives it.
expect() {
  local want=$1
  shift
  run --separate-stderr "$@"
  # shellcheck disable=SC2154  # run sets them
  if [ "$status" -ne "$want" ]; then
    echo "$*: exit status $status, not $want"
    echo "$output"
    echo "$stderr"
    return 1
  fi
}

# The value at jq path PATH of the JSON document in $output.
json() {
  jq -er "$1" <<<"$output"
}
