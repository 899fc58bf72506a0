#!/usr/bin/env bats
# Runs over sites without a network: requests, grants, tasks, updates and receipts are files that are copied.
# timeout: 900
load helpers
load federation

setup() {
  ote_setup
  mkdir usb
}

# A root that listens to nobody, and the sites named, that share nothing with it but what is copied through usb/.
start_by_hand() {
  local name print
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 -q >/dev/null
  print=$(ote cluster status --state hq -o json | jq -r .fingerprint)
  split_digits
  for name in "$@"; do
    ote cluster join --offline --name "$name" --state "$name" -o "usb/$name.first" -q >/dev/null
    ote data add digits --path "parts/$name.csv" --label "$(digits_label)" --state "$name" -q >/dev/null
    # A request that is written after the data set tells of it.
    ote cluster join --offline --state "$name" -o "usb/$name.request" -q >/dev/null
    ote cluster approve "usb/$name.request" -o "usb/$name.grant" --state hq -q >/dev/null
    ote cluster join --grant "usb/$name.grant" --fingerprint "$print" --state "$name" -q >/dev/null
  done
}
split_digits() {
  [ -d parts ] || ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 3 --seed 1 \
    --names "$(IFS=,; echo "${sites[*]}")" --out parts -q >/dev/null
}

# Exports the task of ROUND for SITE to FILE, as soon as the run asks for it.
export_round() { wait_until 20 export_now "$@"; }
export_now() {
  local run=$1 round=$2 site=$3 file=$4
  [ "$(ote fl export "$run" --cluster "$site" --state hq --dry-run -o json | jq .round)" -eq "$round" ] &&
    ote fl export "$run" --cluster "$site" --state hq -o "$file" --force -q
}
# One trip: out, trained, and back.
trip() {
  local run=$1 round=$2 site=$3
  export_round "$run" "$round" "$site" "usb/$site.$round.task"
  ote fl train "usb/$site.$round.task" -o "usb/$site.$round.update" --state "$site" -q
  ote fl import "usb/$site.$round.update" --state hq -q
}
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
# What a state folder holds, but for its lock and its caches.
contents() { (cd "$1" && sqlite3 ote.db .dump | sha256sum && sha256sum member.json && find artifacts -type f | sort); }

@test "a whole run by files ends with the same model as the same run over the wire" {
  start_federation
  local wire hand run round name
  wire=$(fl run --dataset digits --rounds 3 -o json 2>/dev/null | jq -r .model.digest)
  end_agents "$scratch"
  rm -rf hq clinic-*
  start_by_hand "${sites[@]}"
  # No agent runs at any site.
  [ -z "$(agents_of clinic-a)$(agents_of clinic-b)$(agents_of clinic-c)" ]
  [ "$(ote cluster list --state hq -o json | jq '[.items[] | select(.status == "by-hand")] | length')" -eq 3 ]
  expect 0 fl run --dataset digits --rounds 3 --dry-run
  [[ $stderr == *"at most 4 trips"* ]]
  run=$(fl run --dataset digits --rounds 3 --detach -q)
  for round in 1 2 3 4; do
    for name in "${sites[@]}"; do trip "$run" "$round" "$name"; done
  done
  wait_until 20 over "$run"
  [ "$(status_of "$run")" = finished ]
  hand=$(field_of "$run" .model.digest)
  [ "$hand" = "$wire" ]
  [ "$(field_of "$run" '.rounds | length')" -eq 3 ]
  [ "$(field_of "$run" '.metrics.rows > 0')" = true ]
}

@test "bundles are what their manual page says: another implementation opens them" {
  start_by_hand clinic-a
  local run file
  run=$(fl run --dataset digits --rounds 2 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  ote fl train usb/1.task -o usb/1.update --state clinic-a -q
  ote fl import usb/1.update --state hq -q
  opened() { /usr/bin/python3 "$BATS_TEST_DIRNAME/open_bundle.py" "$@"; }
  opened usb/clinic-a.request >request.json
  opened usb/clinic-a.grant clinic-a/keys/transport.key >grant.json
  opened usb/1.task clinic-a/keys/transport.key >task.json
  opened usb/1.update hq/keys/transport.key >update.json
  opened usb/1.update.receipt clinic-a/keys/transport.key >receipt.json
  for file in request grant task update receipt; do
    [ "$(jq -r .kind "$file.json")" = "$file" ]
    [ "$(jq '.body | length > 0' "$file.json")" = true ]
  done
  [ "$(jq -r .digest update.json)" = "$(ote bundle inspect usb/1.update -o json | jq -r .digest)" ]
  # The model of the round, and what became of it.
  [ "$(jq '.items | length' task.json)" -eq 1 ]
  [ "$(jq '.items | length' update.json)" -eq 1 ]
  # Not with another key.
  expect 1 opened usb/1.task hq/keys/transport.key
}

@test "some sites on the wire and one by hand, with a deadline of its own" {
  start_federation
  local wire run
  wire=$(fl run --dataset digits --rounds 2 -o json 2>/dev/null | jq -r .model.digest)
  # The third loses its line: it asks by a file, with the keys that it has.
  end_agents clinic-c
  ote cluster join --offline --state clinic-c -o usb/c.request -q
  ote cluster approve usb/c.request -o usb/c.grant --state hq -q
  ote cluster join --grant usb/c.grant --state clinic-c -q
  wait_until 10 is by-hand status_in_list clinic-c
  run=$(fl run --dataset digits --rounds 2 --deadline 1s --detach -q)
  await_event "$run" update-folded 1
  # Its task is there, and the round waits for it past the deadline of the others.
  export_round "$run" 1 clinic-c usb/1.task
  wait_until 10 answered "$run" 2
  ote fl train usb/1.task -o usb/1.update --state clinic-c -q
  ote fl import usb/1.update --state hq -q
  trip "$run" 2 clinic-c
  trip "$run" 3 clinic-c
  wait_until 20 over "$run"
  [ "$(field_of "$run" .model.digest)" = "$wire" ]
}
status_in_list() { ote cluster list --state hq -o json | jq -r ".items[] | select(.name == \"$1\") | .status"; }
answered() { [[ $(field_of "$1" .message) == *"$2 of 3 clusters have answered"* ]]; }

@test "statistics for a run that prepares its data travel by hand, too" {
  start_by_hand clinic-a
  local run
  run=$(fl run --dataset digits --rounds 1 --set prepare.standardize=true --detach -q)
  trip "$run" 0 clinic-a
  trip "$run" 1 clinic-a
  trip "$run" 2 clinic-a
  wait_until 20 over "$run"
  [ "$(status_of "$run")" = finished ]
}

@test "the same file twice changes nothing and says so" {
  start_by_hand clinic-a
  local run before
  run=$(fl run --dataset digits --rounds 3 --detach -q)
  expect 0 ote cluster approve usb/clinic-a.request -o usb/again.grant --state hq
  cmp usb/clinic-a.grant usb/again.grant
  expect 0 ote cluster join --grant usb/clinic-a.grant --state clinic-a
  [[ $stderr == *already* ]]
  expect 0 ote cluster join --offline --state clinic-a -o usb/again.request
  cmp usb/clinic-a.request usb/again.request

  export_round "$run" 1 clinic-a usb/1.task
  expect 0 fl export "$run" --cluster clinic-a -o usb/1b.task
  cmp usb/1.task usb/1b.task
  ote fl train usb/1.task -o usb/1.update --state clinic-a -q
  expect 0 ote fl train usb/1.task -o usb/1b.update --state clinic-a
  [[ $stderr == *"done before"* ]]
  cmp usb/1.update usb/1b.update
  expect 0 ote fl import usb/1.update --state hq
  export_round "$run" 2 clinic-a usb/2.task
  before=$(fl show "$run" -o json | jq .rounds)
  expect 0 ote fl import usb/1.update --state hq -o usb/1c.receipt
  [[ $stderr == *"taken before"* ]]
  cmp usb/1.update.receipt usb/1c.receipt
  [ "$(fl show "$run" -o json | jq .rounds)" = "$before" ]
  expect 0 ote fl import usb/1.update.receipt --state clinic-a
  expect 0 ote fl import usb/1.update.receipt --state clinic-a
}

@test "what was altered, cut, lengthened, or is for another is refused, and nothing is written" {
  start_by_hand clinic-a clinic-b
  local run root site
  run=$(fl run --dataset digits --rounds 3 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  ote fl train usb/1.task -o usb/1.update --state clinic-a -q
  root=$(fl show "$run" -o json)
  site=$(contents clinic-a)

  cp usb/1.task usb/altered.task
  printf 'X' | dd of=usb/altered.task bs=1 seek=$(($(stat -c %s usb/1.task) - 40)) conv=notrunc status=none
  refuses 8 0805 ote fl train usb/altered.task -o usb/x --state clinic-a
  head -c -20 usb/1.task >usb/short.task
  refuses 8 0803 ote fl train usb/short.task -o usb/x --state clinic-a
  { cat usb/1.task; echo; } >usb/long.task
  refuses 8 0806 ote fl train usb/long.task -o usb/x --state clinic-a
  refuses 4 0807 ote fl train usb/1.task -o usb/x --state clinic-b
  refuses 2 0808 ote fl train usb/1.update -o usb/x --state clinic-a
  refuses 2 0801 ote fl train parts/clinic-a.csv -o usb/x --state clinic-a

  cp usb/1.update usb/altered.update
  printf 'X' | dd of=usb/altered.update bs=1 seek=$(($(stat -c %s usb/1.update) - 40)) conv=notrunc status=none
  refuses 8 0805 ote fl import usb/altered.update --state hq
  head -c 2000 usb/1.update >usb/short.update
  refuses 8 0803 ote fl import usb/short.update --state hq
  { cat usb/1.update; echo; } >usb/long.update
  refuses 8 0806 ote fl import usb/long.update --state hq
  refuses 2 0808 ote fl import usb/1.task --state hq
  ote cluster init other --state other --listen tcp://127.0.0.1:0 -q >/dev/null
  refuses 4 0807 ote fl import usb/1.update --state other

  [ ! -e usb/x ]
  [ "$(fl show "$run" -o json)" = "$root" ]
  [ "$(contents clinic-a)" = "$site" ]
  expect 0 ote fl import usb/1.update --state hq
}

@test "what is stale, rolled back or in the place of another is refused; a restored folder is noticed" {
  start_by_hand clinic-a
  local run
  run=$(fl run --dataset digits --rounds 5 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  cp -r clinic-a image
  ote fl train usb/1.task -o usb/1.update --state clinic-a -q
  ote fl import usb/1.update --state hq -q
  trip "$run" 2 clinic-a
  # An old task at the site, an old update at the root.
  refuses 4 0810 ote fl train usb/1.task -o usb/x --state clinic-a
  export_round "$run" 3 clinic-a usb/3.task
  ote fl train usb/3.task -o usb/3.update --state clinic-a -q
  # The site is put back to where it was, and answers the first task anew: with other bytes, and an old number.
  mv clinic-a present
  mv image clinic-a
  ote fl train usb/1.task -o usb/1b.update --state clinic-a -q
  refuses 6 0811 ote fl import usb/1b.update --state hq
  # The next task tells it.
  refuses 8 0814 ote fl train usb/3.task -o usb/x --state clinic-a
  [[ $stderr == *--restored* ]]
  expect 0 ote fl train usb/3.task -o usb/3c.update --state clinic-a --restored
  expect 0 ote fl import usb/3c.update --state hq
  # What it had made before it was put back comes too late.
  refuses 6 0811 ote fl import usb/3.update --state hq
}

@test "an update for a round that is over is refused, and the run goes on without it" {
  start_by_hand clinic-a clinic-b
  local run
  run=$(fl run --dataset digits --rounds 3 --deadline 3s --set sites.handDeadline=3s --detach -q)
  export_round "$run" 1 clinic-a usb/a.task
  export_round "$run" 1 clinic-b usb/b.task
  ote fl train usb/a.task -o usb/a.update --state clinic-a -q
  ote fl train usb/b.task -o usb/b.update --state clinic-b -q
  ote fl import usb/a.update --state hq -q
  wait_until 20 round_is "$run" 1
  refuses 4 0305 ote fl import usb/b.update --state hq
  [ "$(field_of "$run" '.rounds[0].leftOut[0]')" = clinic-b ]
}
round_is() { [ "$(field_of "$1" '.rounds | length')" -ge "$2" ]; }

@test "enrolment: the fingerprint counts, another key under the name is refused, an old request is stale" {
  start_by_hand clinic-a
  ote cluster join --offline --name clinic-b --state clinic-b -o usb/b.request -q
  refuses 4 0817 ote cluster approve usb/b.request -o usb/b.grant --state hq --fingerprint "$(printf 'A%.0s' {1..43})"
  ote cluster approve usb/b.request -o usb/b.grant --state hq -q
  expect 2 ote cluster join --grant usb/b.grant --state clinic-b
  [[ $stderr == *--fingerprint* ]]
  refuses 4 0817 ote cluster join --grant usb/b.grant --state clinic-b --fingerprint "$(printf 'A%.0s' {1..43})"
  [ ! -e clinic-b/member.json ]
  refuses 4 0807 ote cluster join --grant usb/b.grant --state clinic-a
  # The private keys never left the site.
  expect 1 grep -rqF "$(sed 's/.* //' clinic-b/keys/sign.key)" usb hq

  ote cluster join --offline --name clinic-b --state impostor -o usb/impostor.request -q
  refuses 6 0107 ote cluster approve usb/impostor.request -o usb/x --state hq
  expect 0 ote data add digits --path parts/clinic-b.csv --label "$(digits_label)" --state clinic-b
  ote cluster join --offline --state clinic-b -o usb/b2.request -q
  ote cluster approve usb/b2.request -o usb/b2.grant --state hq -q
  [ "$(ote cluster show clinic-b --state hq -o json | jq -r '.datasets[0].name')" = digits ]
  local before
  before=$(ote cluster show clinic-b --state hq -o json)
  [ "$(jq '.lastSeen > 0' <<<"$before")" = true ]
  refuses 4 0810 ote cluster approve usb/b.request -o usb/x --state hq
  [ ! -e usb/x ]
  [ "$(ote cluster show clinic-b --state hq -o json)" = "$before" ]
}

@test "a site that was removed is told by the next file, and what it sends is refused" {
  start_by_hand clinic-a clinic-b
  local run
  run=$(fl run --dataset digits --rounds 3 --detach -q)
  export_round "$run" 1 clinic-a usb/a.task
  ote fl train usb/a.task -o usb/a.update --state clinic-a -q
  ote cluster remove clinic-a --yes --state hq -q
  refuses 4 0112 ote fl import usb/a.update --state hq
  refuses 7 0005 ote fl export "$run" --cluster clinic-a -o usb/x --state hq
  # The list of revocations travels to the others.
  export_round "$run" 1 clinic-b usb/b.task
  [ "$(ote bundle inspect usb/b.task -o json | jq .revocations)" -ge 1 ]
  ote fl train usb/b.task -o usb/b.update --state clinic-b -q
  jq -e .revocations clinic-b/member.json
}

@test "training works from a medium that cannot be written to, with a wrong clock, and no agent" {
  start_by_hand clinic-a
  local run
  run=$(fl run --dataset digits --rounds 1 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  chmod -w usb/1.task usb
  if mount --bind usb usb 2>/dev/null; then
    mount -o remount,ro,bind usb
  fi
  expect 0 ote fl train usb/1.task -o 1.update --state clinic-a
  umount usb 2>/dev/null || true
  chmod +w usb
  [[ $stderr == *"leaves:"* ]]
  expect 0 ote fl import 1.update --state hq
  # While an agent runs there, it is the one that holds the folder.
  ote cluster start --state clinic-a -q
  refuses 6 0506 ote fl train usb/1.task -o x.update --state clinic-a
  [[ $stderr == *"ote cluster stop"* ]]
}

@test "a bundle in parts is read from any of them, and what is missing is named" {
  start_by_hand clinic-a
  local run
  run=$(fl run --dataset digits --model mlp --hidden 2000 --rounds 1 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  expect 0 fl export "$run" --cluster clinic-a -o usb/p.task --split 100KiB
  [ "$(find usb -name 'p.task.*' -size -101k | wc -l)" -gt 3 ]
  expect 0 ote bundle verify usb/p.task.002 --state clinic-a
  expect 0 ote bundle verify usb/p.task --state clinic-a
  mv usb/p.task.003 usb/OTHER.BIN
  expect 0 ote bundle verify usb/p.task.001 --state clinic-a
  mv usb/OTHER.BIN away
  expect 0 ote bundle inspect usb/p.task.001 -o json
  [ "$(json '.state.missingParts | join(",")')" = 3 ]
  refuses 8 0804 ote fl train usb/p.task.001 -o usb/x --state clinic-a
  mv away usb/p.task.003
  expect 0 ote fl train usb/p.task.001 -o usb/1.update --state clinic-a
  expect 0 ote fl import usb/1.update --state hq
}

@test "inspect tells what a bundle is without a key; a copy that broke off goes on where it is good" {
  start_by_hand clinic-a
  local run good
  run=$(fl run --dataset digits --model mlp --hidden 20000 --rounds 1 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  mkdir elsewhere
  expect 0 ote bundle inspect usb/1.task -o json --state elsewhere
  [ "$(json .kind)" = task ]
  [ "$(json .issuer)" = hq ]
  [ "$(json .receiver)" = clinic-a ]
  [ "$(json .run)" = "$run" ]
  head -c 3000000 usb/1.task >usb/part
  expect 8 ote bundle verify usb/part --state elsewhere
  expect 0 ote bundle inspect usb/part -o json --state elsewhere
  good=$(json .state.goodUntil)
  [ "$good" -gt 1000000 ]
  truncate -s "$good" usb/part
  tail -c +$((good + 1)) usb/1.task >>usb/part
  cmp usb/part usb/1.task
  expect 0 ote bundle verify usb/part --state clinic-a
  [[ $output == *"signed by:"*hq* ]]
}

@test "a full disk is seen before the work begins, and nothing is left half written" {
  start_by_hand clinic-a
  local run
  run=$(fl run --dataset digits --model mlp --hidden 5000 --rounds 1 --detach -q)
  export_round "$run" 1 clinic-a usb/1.task
  mkdir small
  mount -t tmpfs -o size=256k tmpfs small 2>/dev/null || skip "no small file system can be mounted here"
  refuses 1 0604 ote fl export "$run" --cluster clinic-a -o small/1.task --state hq
  refuses 1 0604 ote fl train usb/1.task -o small/1.update --state clinic-a
  [ -z "$(ls -A small)" ]
  umount small
  expect 0 ote fl train usb/1.task -o usb/1.update --state clinic-a
}

@test "the root may be killed at any time: what was imported is still there" {
  start_by_hand clinic-a clinic-b
  local run
  run=$(fl run --dataset digits --rounds 2 --detach -q)
  trip "$run" 1 clinic-a
  kill_agent hq
  ote cluster start --state hq -q
  trip "$run" 1 clinic-b
  wait_until 20 round_is "$run" 1
  [ "$(field_of "$run" '.rounds[0].participants | join(",")')" = clinic-a,clinic-b ]
}

@test "a model travels as a bundle, to the member that it is sealed to and to no other" {
  start_by_hand clinic-a clinic-b
  local run digest
  run=$(fl run --dataset digits --rounds 1 --name first --detach -q)
  trip "$run" 1 clinic-a
  trip "$run" 1 clinic-b
  trip "$run" 2 clinic-a
  trip "$run" 2 clinic-b
  wait_until 20 over "$run"
  digest=$(field_of "$run" .model.digest)
  expect 0 ote model export first --format bundle --for clinic-a -o usb/first.bundle --state hq
  refuses 4 0807 ote model import usb/first.bundle --state clinic-b
  expect 0 ote model import usb/first.bundle --state clinic-a -o json
  [ "$(json .digest)" = "$digest" ]
  expect 0 ote model import usb/first.bundle --state clinic-a -o json
  [ "$(json .version)" = 1 ]
  ote cluster start --state clinic-a -q
  ote model export first --to first.safetensors --state clinic-a -q
  [ "blake2b:$(b2sum -l 256 first.safetensors | cut -d' ' -f1)" = "$digest" ]
  # What its agent registers comes after it.
  ote model import first.safetensors --name first --state clinic-a -q
  [ "$(ote model show first@2 --state clinic-a -o json | jq -r .digest)" = "$digest" ]
  [ "$(ote model show first@1 --state clinic-a -o json | jq -r .source)" = run ]
}
