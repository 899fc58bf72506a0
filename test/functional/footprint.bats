#!/usr/bin/env bats
# What ote weighs: the programs, an idle agent, and the time that the shortest command takes.
load helpers

mib() { echo $(($1 * 1024)); }
kib_of() { awk -v key="$2:" '$1 == key {print $2}' "/proc/$1/status"; }

@test "the programs are at most 8 MiB each, stripped" {
  local name size
  for name in ote ote-agent; do
    strip -o "$name.stripped" "$OTE_BIN/$name"
    size=$(stat -c %s "$name.stripped")
    echo "$name: $size bytes"
    [ "$size" -le $((8 * 1024 * 1024)) ]
  done
}

@test "an idle agent holds at most 8 MiB of private memory and 24 MiB in all" {
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 -q
  ote cluster token create -q --state hq | ote cluster join - --name clinic-a --state clinic-a -q
  ote data add digits --path "$source_root/templates/samples/digits.csv" --label digit --state clinic-a -q
  ote fl run --dataset digits --model mlp --rounds 2 --state hq -q
  local folder pid
  for folder in hq clinic-a; do
    pid=$(agents_of "$folder")
    echo "$folder: RssAnon $(kib_of "$pid" RssAnon) KiB, VmRSS $(kib_of "$pid" VmRSS) KiB"
    wait_until 10 test "$(kib_of "$pid" RssAnon)" -le "$(mib 8)"
    [ "$(kib_of "$pid" VmRSS)" -le "$(mib 24)" ]
  done
}

@test "ote version takes at most 10 ms, the fastest of a hundred" {
  local best=1000000 begun took
  for _ in {1..100}; do
    # Bash's own clock: starting `date` would be measured too.
    begun=${EPOCHREALTIME/[.,]/}
    ote version >/dev/null
    took=$((${EPOCHREALTIME/[.,]/} - begun))
    [ "$took" -ge "$best" ] || best=$took
  done
  echo "ote version: $best us, with what bash needs to start it"
  [ "$best" -le 10000 ]
}
