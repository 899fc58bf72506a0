#!/usr/bin/env bats
# Keys are changed without enrolling again, whoever is away or killed; and who is removed is out within a heartbeat.
# timeout: 600
load helpers
load federation

root() {
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat "${1:-500ms}" -q >/dev/null
}
join() {
  ote cluster token create -q --state "$scratch/hq" |
    ote cluster join - --name "$1" --state "$scratch/$1" -q >/dev/null
}
state_of() {
  ote cluster list --state "$scratch/hq" -o json | jq -er --arg n "$1" '.items[] | select(.name == $n) | .status'
}
fingerprint() { ote cluster status --state "$scratch/$1" -o json | jq -er .fingerprint; }
key_of() { ote key list --state "$scratch/$1" -o json | jq -er --arg n "$2" '.items[] | select(.name == $n) | .key'; }
connected() { ote cluster status --state "$scratch/$1" -o json | jq -er '.connected == true'; }
no_next_keys() { ! compgen -G "$scratch/$1/keys/*.next.key" >/dev/null; }

@test "key list shows the public halves, and never a secret" {
  root
  join clinic-a
  expect 0 ote key list --state hq -o json
  is 3 json '.items | length'
  is "$(fingerprint hq)" json '.items[0].key'
  expect 0 ote key list --state clinic-a
  [[ $output == *authority*sign*transport* ]]
  [[ $output != *"$(awk '{print $2}' clinic-a/keys/sign.key)"* ]]
}

@test "a member changes its keys and is the same member" {
  root
  join clinic-a
  wait_until 5 is ready state_of clinic-a
  local sign transport
  sign=$(key_of clinic-a sign)
  transport=$(key_of clinic-a transport)
  expect 0 ote key rotate --state clinic-a --dry-run
  is "$sign" key_of clinic-a sign
  expect 0 ote key rotate --state clinic-a --request-id r1 -o json
  is 2 json '.items | length'
  [ "$sign" != "$(key_of clinic-a sign)" ]
  [ "$transport" != "$(key_of clinic-a transport)" ]
  sign=$(key_of clinic-a sign)
  expect 0 ote key rotate --state clinic-a --request-id r1
  [[ $stderr == *already* ]]
  is "$sign" key_of clinic-a sign
  is ready state_of clinic-a
  ote cluster stop --state clinic-a -q
  ote cluster start --state clinic-a -q
  wait_until 5 connected clinic-a
}

@test "an old key file is refused" {
  root
  join clinic-a
  wait_until 5 connected clinic-a
  cp -p clinic-a/keys/sign.key clinic-a/keys/transport.key "$scratch"
  expect 0 ote key rotate --state clinic-a
  ote cluster stop --state clinic-a -q
  cp -p sign.key clinic-a/keys/sign.key
  expect 8 ote cluster start --state clinic-a
  [[ $stderr == *OTE-E0126* ]]
}

@test "a whole folder from before a change of keys is turned away" {
  root
  join clinic-a
  wait_until 5 connected clinic-a
  mkdir old
  cp -rp clinic-a/member.json clinic-a/keys old
  expect 0 ote key rotate --state clinic-a
  ote cluster stop --state clinic-a -q
  ote cluster start --state old -q
  wait_until 10 grep -q "turns this cluster away" old/agent.log
}

@test "the keys of a site change during a run, which ends in the same model" {
  start_federation
  local train=(--dataset digits --rounds 6 --input-scale 0.0625) want run
  want=$(fl run "${train[@]}" -o json 2>/dev/null | jq -r .model.digest)
  run=$(fl run "${train[@]}" --detach -q)
  await_event "$run" task-sent 2
  expect 0 ote key rotate --state clinic-b
  expect 0 ote key rotate --state clinic-b
  expect 0 ote key rotate --state hq
  expect 0 ote key rotate --authority --yes --state hq
  wait_until 90 over "$run"
  is finished status_of "$run"
  is "$want" field_of "$run" .model.digest
}

@test "the authority changes while a cluster is away, which takes it when it is back" {
  root
  join clinic-a
  join clinic-b
  wait_until 5 is ready state_of clinic-b
  local first token
  first=$(fingerprint hq)
  token=$(ote cluster token create -q --state hq)
  kill_agent clinic-b
  expect 2 ote key rotate --authority --state hq
  [[ $stderr == *OTE-E0009* ]]
  expect 4 ote key rotate --authority --yes --state clinic-a
  [[ $stderr == *"at the root"* ]]
  expect 0 ote key rotate --authority --yes --state hq
  [[ $stderr == *"fingerprint of the tree is now"* ]]
  expect 0 ote key rotate --authority --yes --state hq
  [ "$first" != "$(fingerprint hq)" ]
  wait_until 5 is "$(fingerprint hq)" fingerprint clinic-a
  expect 0 ote key list --state hq -o json
  is clinic-b json '.items[0].waitingFor[]'
  ote cluster start --state clinic-b -q
  wait_until 10 is "$(fingerprint hq)" fingerprint clinic-b
  wait_until 5 is ready state_of clinic-b
  # A token from before, and a start from what is on disk now.
  expect 0 ote cluster join "$token" --name clinic-c --state clinic-c
  is "$(fingerprint hq)" fingerprint clinic-c
  kill_agent hq
  ote cluster start --state hq -q
  wait_until 10 is ready state_of clinic-c
}

# Kills the agents of FOLDERs when the log of the agent of WHERE says WHAT the next time, and starts them again.
killed_at() {
  local where=$1 what=$2 victim from asking
  shift 2
  from=$(($(wc -l <"$where/agent.log") + 1))
  ote key rotate --state clinic-a -q >/dev/null 2>&1 3>&- &
  asking=$!
  timeout 20 grep -q -m 1 "$what" < <(exec tail -f -n "+$from" "$where/agent.log" 2>/dev/null 3>&-) || true
  for victim in "$@"; do kill_agent "$victim"; done
  for victim in "$@"; do ote cluster start --state "$victim" -q; done
  wait "$asking" || true
}

@test "an agent that is killed while its keys change comes back with keys that are admitted" {
  root
  join clinic-a
  local victims step
  for victims in clinic-a hq "clinic-a hq"; do
    for step in "clinic-a:own keys change" "hq:cluster changes its keys" "clinic-a:own keys changed" \
      "hq:cluster has changed its keys"; do
      wait_until 10 connected clinic-a
      # shellcheck disable=SC2086  # one word each
      killed_at "${step%%:*}" "${step#*:}" $victims
      wait_until 10 connected clinic-a
      wait_until 40 no_next_keys clinic-a
    done
  done
  wait_until 10 is ready state_of clinic-a
  expect 0 ote key rotate --state clinic-a
}

@test "a removed member loses its open link within one heartbeat, and the others hold the list" {
  root 1s
  join clinic-a
  join clinic-b
  wait_until 5 is ready state_of clinic-a
  wait_until 5 is ready state_of clinic-b
  expect 0 ote cluster remove clinic-a --state hq --yes
  wait_until 5 grep -q "turned this cluster out" clinic-a/agent.log
  local removed out
  removed=$(date -d "$(grep 'cluster removed' hq/agent.log | awk '{print $1}')" +%s%3N)
  out=$(date -d "$(grep 'turned this cluster out' clinic-a/agent.log | awk '{print $1}')" +%s%3N)
  echo "out after $((out - removed)) ms"
  [ $((out - removed)) -lt 1000 ]
  held() { [ "$(jq -r .revocations.body clinic-b/member.json)" = "$(jq -r .revocations.body hq/member.json)" ]; }
  wait_until 2 held
}

pins() { # pins SITE PARENT: by the key that the parent has now
  local held
  held=$(jq -r '.parent.transportKey' "$scratch/$1/member.json" | tr '+/' '-_' | tr -d '=')
  [ "$held" = "$(key_of "$2" transport)" ]
}

@test "the root changes its transport key: members that are there follow, one that was away joins again with a token" {
  root
  join clinic-a
  join clinic-b
  wait_until 5 is ready state_of clinic-a
  wait_until 5 is ready state_of clinic-b
  local before token
  before=$(key_of hq transport)
  token=$(ote cluster token create -q --state hq)
  kill_agent clinic-b
  wait_until 10 is unreachable state_of clinic-b
  expect 4 ote key rotate --transport --yes --state clinic-a
  [[ $stderr == *"ote key rotate"* ]]
  expect 2 ote key rotate --transport --state hq
  expect 0 ote key rotate --transport --dry-run --state hq
  is "$before" key_of hq transport
  expect 0 ote key rotate --transport --yes --request-id r1 --state hq
  [[ $stderr == *"not heard to know it: clinic-b"* ]]
  [[ $stderr == *"tokens and credentials"* ]]
  [ "$before" != "$(key_of hq transport)" ]
  no_next_keys hq
  expect 0 ote key rotate --transport --yes --request-id r1 --state hq
  [[ $stderr == *already* ]]
  wait_until 10 pins clinic-a hq
  wait_until 10 is ready state_of clinic-a
  kill_agent hq
  ote cluster start --state hq -q
  wait_until 15 is ready state_of clinic-a
  # What was made before.
  expect 4 ote cluster join "$token" --name clinic-c --state clinic-c
  ote cluster start --state clinic-b -q
  wait_until 20 grep -q "does not hold the parent's key" clinic-b/agent.log
  local serial
  serial=$(jq -r .certificate.body clinic-b/member.json)
  ote cluster token create -q --state hq >token
  expect 0 ote cluster join - --state clinic-b <token
  [[ $stderr == *"joined again"* ]]
  wait_until 10 is ready state_of clinic-b
  pins clinic-b hq
  [ "$serial" = "$(jq -r .certificate.body clinic-b/member.json)" ]
}

@test "the root's transport key changes during a run, which ends in the same model, and what was recorded holds" {
  start_federation
  local train=(--dataset digits --rounds 6 --input-scale 0.0625) want run
  want=$(fl run "${train[@]}" --name before -o json 2>/dev/null | jq -r .model.digest)
  run=$(fl run "${train[@]}" --detach -q)
  await_event "$run" task-sent 2
  expect 0 ote key rotate --transport --yes --state hq
  expect 0 ote key rotate --transport --yes --state hq
  wait_until 90 over "$run"
  is finished status_of "$run"
  is "$want" field_of "$run" .model.digest
  expect 0 fl verify before
  expect 0 fl verify "$run"
}

@test "a relay changes its keys, and its children stay with it, also when it is started again" {
  root
  ote cluster token create -q --state hq | ote cluster join - --name eu --listen tcp://127.0.0.1:0 --state eu -q
  ote cluster token create -q --state eu | ote cluster join - --name plant --state plant -q
  wait_until 10 connected plant
  expect 0 ote key rotate --state eu
  wait_until 10 pins plant eu
  wait_until 10 connected plant
  kill_agent eu
  ote cluster start --state eu -q
  wait_until 10 grep -q "listening" eu/agent.log
  wait_until 20 connected plant
  wait_until 10 is ready state_of eu
  wait_until 10 is ready state_of plant
}
