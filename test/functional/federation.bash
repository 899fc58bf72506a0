# A root and three sites with a third of the digits each, as real agents. Loaded after helpers.
# shellcheck shell=bash disable=SC2154

samples=$source_root/templates/samples
sites=(clinic-a clinic-b clinic-c)

# A short heartbeat, so that what is gone is seen to be gone soon.
start_federation() {
  local name
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  ote data split "$samples/digits.csv" --label "$(digits_label)" --parts 3 --seed 1 --names "$(IFS=,; echo "${sites[*]}")" \
    --out "$scratch/parts" -q >/dev/null
  for name in "${sites[@]}"; do
    ote cluster token create -q --state "$scratch/hq" |
      ote cluster join - --name "$name" --state "$scratch/$name" -q >/dev/null
    ote data add digits --path "$scratch/parts/$name.csv" --label "$(digits_label)" --state "$scratch/$name" -q >/dev/null
  done
  wait_until 10 all_ready
}
# The last column of the sample is the label.
digits_label() { head -n 1 "$samples/digits.csv" | sed 's/.*,//' | tr -d '"\r'; }

all_ready() {
  [ "$(ote cluster list --state "$scratch/hq" -o json |
    jq '[.items[] | select(.status == "ready" and (.datasets | length) == 1)] | length')" -eq 3 ]
}

# At the root.
fl() {
  local verb=$1
  shift
  ote fl "$verb" --state "$scratch/hq" "$@"
}
field_of() { fl show "$1" -o json | jq -r "$2"; }
status_of() { field_of "$1" .status; }
is() { [ "$("${@:2}")" = "$1" ]; }
over() { [[ $(status_of "$1") == @(finished|failed|cancelled) ]]; }
# Waits until RUN is over, and shows what became of it when that takes too long.
await_end() {
  wait_until 90 over "$1" || {
    fl show "$1"
    fl logs "$1" | tail -n 40
    return 1
  }
}

# Waits until an event of KIND in round ROUND or later shows in the history of RUN, as it happens.
await_event() {
  local run=$1 kind=$2 round=$3
  timeout 60 grep -q -m 1 -E "\"kind\":\"$kind\".*\"round\":($(seq -s '|' "$round" $((round + 60))))[,}]" \
    < <(fl logs "$run" -f -o jsonl 2>/dev/null 3>&-)
}
