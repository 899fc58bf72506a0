#!/usr/bin/env bats
# Apps of clusters without a network: what they are to run, and what became of it, are files that are copied.
# timeout: 600
# shellcheck disable=SC2154
load helpers

setup() {
  ote_setup
  mkdir usb
  export TOKEN=s3cret
}
teardown() {
  end_apps "$scratch"
  ote_teardown
}

# A root that listens to nobody, and the clusters named, that share nothing with it but what is copied through usb/.
start_by_hand() {
  local name print
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  print=$(ote cluster status --state hq -o json | jq -r .fingerprint)
  for name in "$@"; do
    ote cluster join --offline --name "$name" --label region=eu --state "$name" -o "usb/$name.request" -q >/dev/null
    ote cluster approve "usb/$name.request" -o "usb/$name.grant" --state hq -q >/dev/null
    ote cluster join --grant "usb/$name.grant" --fingerprint "$print" --state "$name" -q >/dev/null
    ote cluster start --state "$name" -q
  done
}
is() { [ "$("${@:2}")" = "$1" ]; }
app() { ote app "$@" --state hq; }
at() { ote app "${@:2}" --state "$1"; }
# The exit status and the code of an error.
refuses() {
  local want=$1 code=$2
  shift 2
  expect "$want" "$@"
  [[ $stderr == *"[OTE-E$code]"* ]] || {
    echo "no OTE-E$code: $stderr"
    return 1
  }
}
# write_app FILE SECONDS [COMMAND] [RESTART]: an app that sleeps so long, with a file beside it that is read from a path.
write_app() {
  [ -e blob ] || head -c 3000000 /dev/urandom >blob
  cat >"$1" <<YAML
name: idle
command: ${3-"[sh, -c, 'test \$(stat -c %s data.bin) = 3000000 && exec sleep $2']"}
files:
  - {path: data.bin, source: blob}
env: {TOKEN: {secret: {env: TOKEN}}}
restart: ${4-always}
isolation: off
stopTimeout: 1s
placement: {selector: region=eu}
rollout: {healthTimeout: 15s}
YAML
}
# How many of \`sleep N\` run for this test.
sleeps() {
  local pid count=0
  for pid in $(pgrep -f "(^|/)sleep $1\$"); do
    [[ $(readlink "/proc/$pid/cwd") != "$scratch"/* ]] || count=$((count + 1))
  done
  echo "$count"
}
# How the app is at CLUSTER, as the root sees it: a field of it.
told() { app show idle -o json | jq -r --arg c "$1" ".clusters[] | select(.cluster == \$c) | $2"; }
carry() { # carry CLUSTER NUMBER: out, taken, and back
  app export idle --cluster "$1" -o "usb/$2.app" --force -q
  at "$1" import "usb/$2.app" -q
  app import "usb/$2.app.receipt" -q
}

@test "an app runs at a cluster without a network, a new revision replaces it, and a removal stops it" {
  start_by_hand clinic-c
  write_app 1.yaml 7101
  expect 9 app deploy -f 1.yaml
  [[ $stderr == *"clinic-c is reached by files"*"ote app export idle --cluster clinic-c"* ]]
  is pending told clinic-c .phase
  expect 0 app export idle --cluster clinic-c -o usb/1.app
  expect 0 app export idle --cluster clinic-c -o usb/1b.app
  cmp usb/1.app usb/1b.app
  # Nothing of it can be read on the way.
  expect 1 grep -qa -e s3cret -e data.bin usb/1.app
  expect 0 ote bundle inspect usb/1.app -o json --state elsewhere
  is app json .kind
  is apps/idle json .stream
  expect 0 ote bundle verify usb/1.app --state clinic-c
  [[ $output == *"ote app import"* ]]

  expect 0 at clinic-c import usb/1.app --dry-run
  is 0 sleeps 7101
  expect 0 at clinic-c import usb/1.app -o json
  is healthy json .status
  is 1 sleeps 7101
  # Twice is once.
  expect 0 at clinic-c import usb/1.app
  [[ $stderr == *"taken before; nothing is changed"* ]]
  is 1 sleeps 7101

  is pending told clinic-c .phase
  expect 0 ote bundle inspect usb/1.app.receipt -o json
  is app-receipt json .kind
  expect 0 app import usb/1.app.receipt
  [[ $stderr == *"the receipt of clinic-c is taken: healthy"* ]]
  expect 0 app import usb/1.app.receipt
  [[ $stderr == *"taken before"* ]]
  is healthy told clinic-c .phase
  expect 0 app status idle
  [[ $output == *"1/1 healthy"* && $output == *"as of the receipt of 20"* ]]
  expect 0 app deploy -f 1.yaml
  [[ $stderr == *already* ]]

  write_app 2.yaml 7102
  expect 9 app deploy -f 2.yaml
  carry clinic-c 2
  wait_until 10 is 0 sleeps 7101
  is 1 sleeps 7102
  is healthy told clinic-c .phase
  is 2 told clinic-c .status.revision
  # An older one does not take the place of a newer.
  refuses 4 0810 at clinic-c import usb/1.app
  is 1 sleeps 7102

  # Everything is killed: what was wanted is still wanted, and what was known is known.
  kill_agent hq
  kill_agent clinic-c
  ote cluster start --state hq -q
  ote cluster start --state clinic-c -q
  is healthy told clinic-c .phase
  wait_until 10 is 1 sleeps 7102

  expect 9 app remove idle --yes
  [[ $stderr == *"clinic-c is reached by files"* ]]
  is leaving told clinic-c .phase
  expect 0 app export idle --cluster clinic-c -o usb/3.app -o json
  is true json .removal
  expect 0 at clinic-c import usb/3.app -o json
  is removed json .status
  wait_until 10 is 0 sleeps 7102
  expect 7 at clinic-c show hq/idle
  expect 0 at clinic-c import usb/3.app
  refuses 4 0810 at clinic-c import usb/2.app
  expect 0 app import usb/3.app.receipt
  expect 7 app show idle
  expect 0 app import usb/3.app.receipt
  expect 7 app export idle --cluster clinic-c -o usb/x
}

@test "an app that does not get healthy says so in its receipt, and a rollout over a line does not wait for files" {
  start_by_hand clinic-c
  ote cluster token create -q --state hq --label region=eu |
    ote cluster join - --name wired --state wired --shim process -q >/dev/null
  write_app 1.yaml 7103
  wait_until 10 planned wired
  expect 9 app deploy -f 1.yaml --timeout 60s
  [[ $stderr == *"clinic-c is reached by files"* ]]
  is healthy told wired .phase
  is 1 sleeps 7103
  expect 0 app list -o json
  is 'done' json .items[0].phase
  write_app 2.yaml 7104 '[sh, -c, "exit 3"]' never
  sed -i 's/^name: idle/name: broken/' 2.yaml
  expect 9 app deploy -f 2.yaml --cluster clinic-c
  expect 0 app export broken --cluster clinic-c -o usb/b.app
  expect 1 at clinic-c import usb/b.app --timeout 20s
  expect 0 app import usb/b.app.receipt
  expect 0 app show broken -o json
  is failed json .clusters[0].phase
  is stopped json .phase
}
planned() { app plan -f 1.yaml -o json | jq -e --arg c "$1" '.items[] | select(.cluster == $c) | .chosen'; }

@test "a bundle for another, of another kind, cut or altered is refused, and an agent has to run" {
  start_by_hand clinic-c clinic-d
  write_app 1.yaml 7105
  expect 9 app deploy -f 1.yaml
  app export idle --cluster clinic-c -o usb/c.app -q
  refuses 4 0807 at clinic-d import usb/c.app
  refuses 4 0807 app import usb/c.app
  refuses 2 0808 ote fl import usb/c.app --state hq
  refuses 2 0808 at clinic-c import usb/clinic-c.grant
  head -c -20 usb/c.app >usb/short
  refuses 8 0803 at clinic-c import usb/short
  cp usb/c.app usb/altered
  printf 'X' | dd of=usb/altered bs=1 seek=$(($(stat -c %s usb/c.app) - 40)) conv=notrunc status=none
  refuses 8 0805 at clinic-c import usb/altered
  expect 7 at clinic-c show hq/idle
  expect 7 app export idle --cluster nobody -o usb/x
  [ ! -e usb/x ]

  ote cluster stop --state clinic-c -q
  expect 5 at clinic-c import usb/c.app
  [[ $stderr == *"ote cluster start"* ]]
  ote cluster start --state clinic-c -q
  # In parts, as for sticks with an old file system.
  app export idle --cluster clinic-c -o usb/p.app --split 1MiB -q
  expect 0 at clinic-c import usb/p.app.002 -o usb/p.receipt
  expect 0 app import usb/p.receipt
  is healthy told clinic-c .phase
  is pending told clinic-d .phase
}

@test "a cluster that was restored from an old copy is noticed by the next file" {
  start_by_hand clinic-c
  write_app 1.yaml 7106
  expect 9 app deploy -f 1.yaml
  ote cluster stop --state clinic-c -q
  cp -r clinic-c image
  ote cluster start --state clinic-c -q
  carry clinic-c 1
  is healthy told clinic-c .phase
  ote cluster stop --state clinic-c -q
  end_apps "$scratch/clinic-c"
  rm -r clinic-c
  mv image clinic-c
  ote cluster start --state clinic-c -q
  app export idle --cluster clinic-c -o usb/again.app -q
  refuses 8 0814 at clinic-c import usb/again.app
  [[ $stderr == *--restored* ]]
  is 0 sleeps 7106
  expect 0 at clinic-c import usb/again.app --restored
  expect 0 app import usb/again.app.receipt
  is 1 sleeps 7106
}
