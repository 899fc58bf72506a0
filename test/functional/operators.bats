#!/usr/bin/env bats
# Operators ask from elsewhere, with a key of their own: within a role and a scope, until it is taken away, and all that
# they change or are refused stands in the audit.
# timeout: 300
load helpers
load federation

root() {
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
}
# join NAME [LABEL]
join() {
  ote cluster token create -q --state "$scratch/hq" |
    ote cluster join - --name "$1" ${2:+--label "$2"} --state "$scratch/$1" -q >/dev/null
}
# key NAME FLAGS...
key() {
  local name=$1
  shift
  ote key create "$name" --state "$scratch/hq" -o "$scratch/$name.credential" -q "$@" >/dev/null
}
names() { ote cluster list "$@" -o name | sort | paste -sd ' '; }
label_of() {
  ote cluster list --state "$scratch/hq" -o json | jq -r --arg n "$1" --arg k "$2" '.items[] | select(.name == $n) | .labels[$k]'
}
# audited WHO VERB OUTCOME: how many such entries the root has.
audited() {
  ote cluster audit --state "$scratch/hq" --who "$1" --verb "$2" -o json |
    jq -r --arg o "$3" '[.items[] | select(.outcome == $o)] | length'
}

@test "a viewer looks from elsewhere, and removes nothing" {
  root
  join clinic-a
  key kim --role viewer
  is 600 stat -c %a kim.credential
  expect 0 ote cluster list --credential kim.credential -o json
  is 2 json '.items | length'
  expect 0 ote cluster status --credential kim.credential
  expect 4 ote cluster remove clinic-a --yes --credential kim.credential
  [[ $stderr == *OTE-E0907* && $stderr == *viewer* ]]
  expect 4 ote cluster token create --credential kim.credential
  is "clinic-a hq" names --state hq
  is 1 audited kim cluster.remove refused
  is 1 audited kim token.create refused
}

@test "an operator with a scope labels inside of it and not outside" {
  root
  join clinic-a region=eu
  join clinic-b region=us
  key kim --role operator --scope region=eu
  export OTE_CREDENTIAL=$scratch/kim.credential
  expect 0 ote cluster label clinic-a tier=gold
  expect 4 ote cluster label clinic-b tier=gold
  is clinic-a names
  unset OTE_CREDENTIAL
  is gold label_of clinic-a tier
  is null label_of clinic-b tier
  is 1 audited kim cluster.label "done"
}

@test "an operator who is revoked is cut off at once" {
  root
  key kim --role admin
  ote context add hq-kim kim.credential -q >/dev/null
  expect 0 ote cluster list --context hq-kim
  expect 0 ote key revoke kim --state hq --yes
  expect 4 ote cluster list --context hq-kim --timeout 5s
  [[ $stderr == *OTE-E0115* && $stderr == *revoked* ]]
  expect 0 ote key revoke kim --state hq --yes
  [[ $stderr == *already* ]]
  expect 0 ote key list --state hq -o json
  is revoked json '.items[] | select(.name == "kim") | .status'
  is 2 audited local operator.remove "done"
}

@test "an operator is known at every agent of the tree, and within a heartbeat no more" {
  root
  join clinic-a
  local endpoint
  # A member that listens, as a relay does.
  ote cluster stop --state clinic-a -q >/dev/null
  jq '.listen = ["tcp://127.0.0.1:0"]' clinic-a/member.json >member.json
  cat member.json >clinic-a/member.json
  ote cluster start --state clinic-a -q >/dev/null
  endpoint=$(ote cluster status --state clinic-a -o json | jq -er '.listen[0]')
  key kim --role viewer \
    --server "$endpoint=$(ote key list --state clinic-a -o json | jq -er '.items[] | select(.name == "transport") | .key')"
  knows() { ote key list --state "$scratch/clinic-a" -o name | grep -q "$(kim_key)"; }
  kim_key() { ote key list --state "$scratch/hq" -o json | jq -er '.items[] | select(.name == "kim") | .key'; }
  wait_until 5 knows
  expect 0 ote cluster status --credential kim.credential -o json
  is clinic-a json .name
  expect 4 ote data remove cohort --yes --credential kim.credential
  # With the relay gone the credential's next endpoint is tried.
  ote cluster stop --state clinic-a -q >/dev/null
  expect 0 ote cluster status --credential kim.credential -o json
  is hq json .name
  ote cluster start --state clinic-a -q >/dev/null
  ote key revoke kim --state hq --yes -q >/dev/null
  refused() { ! ote cluster status --credential "$scratch/kim.credential" --timeout 2s; }
  wait_until 5 refused
  expect 0 ote cluster audit --state clinic-a --who kim -o json
  is data.remove json '.items[0].verb'
}

@test "the control key opens no endpoint but its own socket" {
  root
  key kim --role viewer
  # A credential with the control key in it.
  sed -i "s/^key: .*/key: $(awk '{print $2}' hq/keys/control.key)/" kim.credential
  expect 4 ote cluster list --credential kim.credential --timeout 3s
}

@test "the same key create again is the same operator, and a lost credential is not made up" {
  root
  expect 0 ote key create kim --role operator --state hq
  is 1 grep -c '^name: kim' kim.credential
  local before
  before=$(sha256sum <kim.credential)
  expect 0 ote key create kim --role operator --state hq
  [[ $stderr == *already* ]]
  is "$before" sha256sum <kim.credential
  expect 6 ote key create kim --role admin --state hq
  is "$before" sha256sum <kim.credential
  rm kim.credential
  expect 6 ote key create kim --role operator --state hq
  [ ! -e kim.credential ]
  expect 2 ote key create local --state hq
  expect 0 ote key create zoe --state hq --dry-run
  [ ! -e zoe.credential ]
}

@test "an audit that was tampered with says so" {
  root
  key kim --role viewer
  key zoe --role viewer
  ote key revoke zoe --state hq --yes -q >/dev/null
  expect 0 ote cluster audit --state hq
  [[ $output == *local@hq*operator.create*kim*done* ]]
  ote cluster stop --state hq -q >/dev/null
  python3 - <<'PY'
import sqlite3
db = sqlite3.connect("hq/ote.db")
rows = db.execute("select seq from journal where topic = 'audit' order by seq").fetchall()
db.execute("delete from journal where seq = ?", rows[1])
db.commit()
PY
  ote cluster start --state hq -q >/dev/null
  expect 8 ote cluster audit --state hq
  [[ $stderr == *"does not hold"* ]]
}

@test "no private key of an operator reaches an agent or a log" {
  root
  key kim --role admin
  local secret
  secret=$(sed -n 's/^key: "\?\([A-Za-z0-9_-]*\)"\?$/\1/p' kim.credential)
  [ ${#secret} -eq 43 ]
  run grep -rF -e "$secret" hq
  [ "$status" -eq 1 ]
}
