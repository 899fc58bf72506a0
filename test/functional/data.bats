#!/usr/bin/env bats
# Data sets: registered at a site, seen at the root, never copied.
# also-under: asan
load helpers
load federation

setup() {
  ote_setup
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  ote cluster token create -q --state hq | ote cluster join - --name clinic-a --state clinic-a -q >/dev/null
}

add() { ote data add "$@" --state clinic-a; }

@test "a data set is registered with what is in it, and the root sees name, schema and counts" {
  expect 0 add digits --path "$samples/digits.csv" --label "$(digits_label)" -o json
  jq -e '.trainRows + .testRows == 1797 and .classes == 10 and (.columns | length) == 64' <<<"$output"
  [ "$(json .digest)" = "blake2b:$(b2sum -l 256 "$samples/digits.csv" | cut -d' ' -f1)" ]
  wait_until 5 seen_at_root
  expect 0 ote cluster show clinic-a --state hq -o json
  jq -e '.datasets[0] | .name == "digits" and .features == 64 and .classes == 10' <<<"$output"
  # No path and no value leaves the site.
  [[ $output != *samples* ]]
  [[ $output != *mean* ]]
}
seen_at_root() { ote cluster show clinic-a --state hq -o json | jq -e '.datasets | length == 1'; }

@test "adding twice is safe, other content needs --replace" {
  cp "$samples/digits.csv" digits.csv
  add digits --path digits.csv --label "$(digits_label)" -q
  expect 0 add digits --path digits.csv --label "$(digits_label)"
  local row
  row=$(tail -n 1 digits.csv)
  echo "$row" >>digits.csv
  expect 6 add digits --path digits.csv --label "$(digits_label)"
  [[ $stderr == *--replace* ]]
  expect 0 add digits --path digits.csv --label "$(digits_label)" --replace --yes -o json
  jq -e '.trainRows + .testRows == 1798' <<<"$output"
}

@test "who refused that relays read its updates refuses it still with another file under the name" {
  cp "$samples/digits.csv" digits.csv
  expect 0 add digits --path digits.csv --label "$(digits_label)" --fold refuse -o json
  [ "$(json .fold)" = refuse ]
  tail -n 1 "$samples/digits.csv" >>digits.csv
  expect 0 add digits --path digits.csv --label "$(digits_label)" --replace --yes -o json
  [ "$(json .fold)" = refuse ]
  expect 0 add digits --path digits.csv --label "$(digits_label)" --fold allow --replace --yes -q
  expect 0 ote data show digits --state clinic-a -o json
  [ "$(json .fold)" != refuse ]
}

@test "a bad row is told with file, line and column, and nothing half-registered remains" {
  printf 'a,b,label\n1,2,x\n3,oops,y\n' >bad.csv
  expect 2 add bad --path bad.csv --label label
  [[ $stderr == *bad.csv:3:* ]]
  [[ $stderr == *OTE-E0202* ]]
  expect 0 ote data list --state clinic-a -o json
  [ "$(jq '.items | length' <<<"$output")" -eq 0 ]
}

@test "a label that is not there lists the columns that are; a file that is not there is said so" {
  printf 'a,b,label\n1,2,x\n3,4,y\n' >small.csv
  expect 2 add small --path small.csv --label lable
  [[ $stderr == *OTE-E0204* ]]
  [[ $stderr == *label* ]]
  expect 1 add small --path missing.csv --label label
  [[ $stderr == *OTE-E0201* ]]
}

@test "a removed data set is gone here and at the root" {
  add digits --path "$samples/digits.csv" --label "$(digits_label)" -q
  wait_until 5 seen_at_root
  expect 0 ote data remove digits --yes --state clinic-a
  wait_until 5 not_seen_at_root
  expect 7 ote data show digits --state clinic-a
}
not_seen_at_root() { ote cluster show clinic-a --state hq -o json | jq -e '.datasets | length == 0'; }

@test "a data set outlives a kill of its agent" {
  add digits --path "$samples/digits.csv" --label "$(digits_label)" -q
  kill_agent clinic-a
  ote cluster start --state clinic-a -q
  expect 0 ote data show digits --state clinic-a -o json
  [ "$(json .name)" = digits ]
}

@test "split cuts one file into parts with every row in one of them, the same for the same seed" {
  expect 0 ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 3 --dirichlet 0.3 --seed 7 --out one
  expect 0 ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 3 --dirichlet 0.3 --seed 7 --out two
  diff -r one two
  [ "$(cat one/*.csv | grep -vcxF "$(head -n 1 "$samples/digits.csv")")" -eq 1797 ]
  diff <(tail -qn +2 one/*.csv | sort) <(tail -n +2 "$samples/digits.csv" | sort)
}

@test "split gives each part so many classes when it is asked to, and no other" {
  expect 0 ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 5 --classes-per-site 2 --out pairs
  local part
  for part in pairs/*.csv; do
    [ "$(tail -n +2 "$part" | sed 's/.*,//' | sort -u | wc -l)" -eq 2 ]
  done
  [ "$(tail -qn +2 pairs/*.csv | wc -l)" -eq 1797 ]
  expect 2 ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 4 --classes-per-site 2
  [[ $stderr == *"take 5 parts"* ]]
  expect 2 ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 5 --classes-per-site 2 --dirichlet 0.3
}
