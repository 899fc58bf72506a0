#!/usr/bin/env bats
# Statistics of data sets, of one site and of all members together; values that are missing, and columns of categories.
load helpers
load federation

setup() {
  ote_setup
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
}

# join NAME [FLAGS OF data add]: a member with the data set people in NAME.csv.
join() {
  local name=$1
  shift
  ote cluster token create -q --state hq | ote cluster join - --name "$name" --state "$name" -q >/dev/null
  ote data add people --path "$name.csv" --label ill --state "$name" -q "$@" >/dev/null
}

people() {
  printf 'age,sex,ill\n'
  seq "$1" "$2" | awk -v kinds="$3" '{
    split(kinds, kind, " ")
    print (NR == 1 ? "NA" : $1) "," (NR == 2 ? "" : kind[NR % length(kind) + 1]) "," (NR % 3 == 0 ? "yes" : "no")
  }'
}

missing=(--categorical sex --missing NA)

@test "statistics of all members are those of all rows together" {
  people 20 59 "f m" >clinic-a.csv
  people 60 119 "f m x" >clinic-b.csv
  join clinic-a "${missing[@]}"
  join clinic-b "${missing[@]}"
  expect 0 ote data stats people --state clinic-a -o json
  jq -e '.statistics.rows == 40 and .clusters == {}' <<<"$output"
  expect 0 ote data stats people --federated --state hq -o json
  jq -e '.clusters == {"clinic-a": 40, "clinic-b": 60} and .failed == []' <<<"$output"
  # 21 to 59 and 61 to 119: what awk adds up over both files.
  local mean
  mean=$(cat clinic-?.csv | awk -F, '$1 + 0 > 0 { sum += $1; n++ } END { printf "%.10f", sum / n }')
  jq -e --argjson mean "$mean" '.statistics.columns[0]
    | .count == 98 and .missing == 2 and .min == 21 and .max == 119 and (.mean - $mean | fabs) < 1e-9' <<<"$output"
  jq -e '.statistics.columns[1] | .categorical and (.categories | keys) == ["f", "m", "x"] and .missing == 2' <<<"$output"
  jq -e '.statistics.classes | .yes == 33 and .no == 67' <<<"$output"
  expect 0 ote data stats people --federated --clusters clinic-b --state hq -o json
  jq -e '.statistics.rows == 60' <<<"$output"
  expect 0 ote data stats people --federated --state hq
  [[ $output == *"clinic-a (40 rows), clinic-b (60 rows)"* ]]
}

@test "a member that is away or has too few rows is named, and the status is 9" {
  people 20 59 "f m" >clinic-a.csv
  people 20 25 "f m" >clinic-b.csv
  people 20 59 "f m" >clinic-c.csv
  join clinic-a "${missing[@]}"
  join clinic-b "${missing[@]}"
  join clinic-c "${missing[@]}"
  kill_agent clinic-c
  expect 9 ote data stats people --federated --timeout 2s --state hq -o json
  jq -e '.clusters == {"clinic-a": 40} and [.failed[].name] == ["clinic-b", "clinic-c"]' <<<"$output"
  jq -e '.failed[0].code == "OTE-E0210" and (.failed[0].message | contains("6 rows"))' <<<"$output"
  [[ $stderr == *clinic-c* ]]
  ote data add people --path clinic-b.csv --label ill --state clinic-b "${missing[@]}" --min-rows 5 --replace -q
  expect 9 ote data stats people --federated --timeout 2s --state hq -o json
  jq -e '.statistics.rows == 46' <<<"$output"
}

@test "a missing value is refused without --missing, and the hint names it" {
  people 20 59 "f m" >people.csv
  ote cluster token create -q --state hq | ote cluster join - --name clinic-a --state clinic-a -q >/dev/null
  expect 2 ote data add people --path people.csv --label ill --categorical sex --state clinic-a
  [[ $stderr == *people.csv:2:1* ]]
  expect 2 ote data add people --path people.csv --label ill --categorical sex --missing '' --state clinic-a
  [[ $stderr == *people.csv:2:1* ]]
  expect 2 ote data add people --path people.csv --label ill --missing NA --state clinic-a
  [[ $stderr == *people.csv:2:2*"not a number"* ]]
  expect 0 ote data add people --path people.csv --label ill --categorical sex --missing NA --state clinic-a -o json
  jq -e '.columns[0].missing == 1 and .columns[1].categories == 2' <<<"$output"
  expect 0 ote data show people --state clinic-a
  [[ $output == *sex* ]]
  # The root learns that there are such, and not which.
  expect 0 ote cluster show clinic-a --state hq -o json
  jq -e '.datasets[0] | .missing and .categorical == 1' <<<"$output"
  [[ $output != *'"f"'* ]]
}

@test "only a root asks others, and an unknown data set is told" {
  people 20 59 "f m" >clinic-a.csv
  join clinic-a "${missing[@]}"
  expect 4 ote data stats people --federated --state clinic-a
  expect 7 ote data stats persons --state clinic-a
  expect 1 ote data stats persons --federated --state hq
  [[ $stderr == *OTE-E0303* ]]
  expect 7 ote data stats people --federated --clusters clinic-z --state hq
  expect 2 ote data stats people --clusters clinic-a --state hq
}
