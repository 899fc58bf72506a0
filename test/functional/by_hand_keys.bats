#!/usr/bin/env bats
# Keys that change where there is no network: the site's own, by a request and a grant, and the authority's.
# timeout: 600
# shellcheck disable=SC2154
load helpers
load federation

setup() {
  ote_setup
  mkdir usb
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 -q >/dev/null
  ote cluster join --offline --name clinic-a --state clinic-a -o usb/a.request -q >/dev/null
  ote data add digits --path "$samples/digits.csv" --label "$(digits_label)" --state clinic-a -q >/dev/null
  ote cluster join --offline --state clinic-a -o usb/a2.request -q >/dev/null
  ote cluster approve usb/a2.request -o usb/a.grant --state hq -q >/dev/null
  ote cluster join --grant usb/a.grant --fingerprint "$(fingerprint)" --state clinic-a -q >/dev/null
}

fingerprint() { ote cluster status --state hq -o json | jq -r .fingerprint; }
is() { [ "$("${@:2}")" = "$1" ]; }
# As its agent tells it, which is started for that.
sign_key() {
  ote cluster start --state clinic-a -q
  ote key list --state clinic-a -o json | jq -r '.items[] | select(.name == "sign" and .status == "in use") | .key'
  ote cluster stop --state clinic-a -q
}
export_round() { wait_until 20 export_now "$@"; }
export_now() { # RUN ROUND FILE
  [ "$(ote fl export "$1" --cluster clinic-a --state hq --dry-run -o json | jq .round)" -eq "$2" ] &&
    ote fl export "$1" --cluster clinic-a --state hq -o "$3" --force -q
}
trip() { # RUN ROUND
  export_round "$1" "$2" "usb/$2.task"
  ote fl train "usb/$2.task" -o "usb/$2.update" --state clinic-a -q
  ote fl import "usb/$2.update" --state hq -q
}
waiting_for() { ote key list --state hq -o json | jq -r '.items[] | select(.name == "authority") | .waitingFor | join(",")'; }

@test "a site changes its keys by files in the midst of a run, and the old ones are void" {
  local run before
  before=$(sign_key)
  run=$(fl run --dataset digits --rounds 2 --detach -q)
  trip "$run" 1
  # While its agent runs, the agent holds the folder.
  ote cluster start --state clinic-a -q
  expect 6 ote key rotate -o usb/keys.request --state clinic-a
  [[ $stderr == *"ote cluster stop"* ]]
  ote cluster stop --state clinic-a -q
  expect 2 ote key rotate --state clinic-a
  expect 2 ote key rotate -o usb/x --state hq
  expect 4 ote key rotate --authority -o usb/x --state clinic-a
  expect 0 ote key rotate -o usb/keys.request --state clinic-a
  expect 0 ote key rotate -o usb/again.request --state clinic-a
  cmp usb/keys.request usb/again.request
  # It goes on with the keys that it has until the grant is here, also as an agent.
  is "$before" sign_key
  expect 0 ote cluster approve usb/keys.request -o usb/keys.grant --state hq
  [[ $stderr == *"its next keys are certified"* ]]
  expect 0 ote cluster join --grant usb/keys.grant --state clinic-a
  [ ! -e clinic-a/keys/sign.next.key ]
  [ "$(sign_key)" != "$before" ]
  trip "$run" 2
  trip "$run" 3
  wait_until 20 over "$run"
  is finished status_of "$run"
  [ "$(ote bundle inspect usb/3.task -o json --state elsewhere | jq .revocations)" -ge 1 ]
  # A request of before does not bring the old keys back.
  expect 6 ote cluster approve usb/a.request -o usb/x --state hq
  [ ! -e usb/x ]
}

@test "a site follows two changes of the authority through one task" {
  local run before
  before=$(fingerprint)
  run=$(fl run --dataset digits --rounds 2 --detach -q)
  expect 0 ote key rotate --authority --yes --state hq
  [[ $stderr == *clinic-a* ]]
  expect 0 ote key rotate --authority --yes --state hq
  [ "$(fingerprint)" != "$before" ]
  is clinic-a waiting_for
  trip "$run" 1
  is "" waiting_for
  is "$(authority_of hq)" authority_of clinic-a
  trip "$run" 2
  trip "$run" 3
  wait_until 20 over "$run"
  is finished status_of "$run"
}
authority_of() { jq -r .authorityKey "$1/member.json"; }
