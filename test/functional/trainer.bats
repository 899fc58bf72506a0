#!/usr/bin/env bats
# Sites that train with a command of their own: PyTorch and NumPy beside the built-in one, and commands that fail.
# timeout: 400
load helpers
load federation

setup() {
  ote_setup
  start_federation
}

templates=$source_root/templates/trainers
has_module() { /usr/bin/python3 -c "import $1" 2>/dev/null; }
needs_module() { has_module "$1" || skip "python3-$1 is not installed"; }
needs_sandbox() { bwrap --unshare-all --ro-bind / / true 2>/dev/null || skip "bubblewrap cannot make a sandbox here"; }

# register SITE ARGUMENTS... : ote trainer add at the site.
register() {
  ote trainer add "${@:2}" --state "$scratch/$1" -q
}
# script NAME: a trainer from standard input, in a folder of its own.
script() {
  mkdir -p "$scratch/trainers"
  cat >"$scratch/trainers/$1"
  echo "$scratch/trainers/$1"
}
# A run of two rounds over the sites that ends well without clinic-a.
run_without_a() {
  fl run --dataset digits --model softmax --trainer "${1:-any}" --rounds 2 --minimum 2 -o json >run.json 2>run.err
  jq -e '.status == "finished" and (.rounds | all(.participants == ["clinic-b", "clinic-c"]))' run.json
}
run_id() { jq -r .id run.json; }
# The first failure of clinic-a in the history of the run.
failure() { fl logs "$(run_id)" -o jsonl | jq -c 'select(.kind == "site-failed" and .cluster == "clinic-a")' | head -n 1; }

@test "one site trains a perceptron with PyTorch, the others with the built-in training, and the model learns" {
  needs_module torch
  register clinic-a torch --command "/usr/bin/python3 $templates/torch/train.py"
  fl run --dataset digits --model mlp --input-scale 0.0625 --trainer any --rounds 5 --epochs 2 -o json >run.json
  jq -e '.status == "finished" and .metrics.accuracy > 0.85' run.json
  jq -e '.rounds | all(.participants == ["clinic-a", "clinic-b", "clinic-c"])' run.json
  expect 0 fl logs "$(run_id)" --cluster clinic-a
  [[ $output == *"round 5  trainer torch"*"pass 2 of 2: loss "* ]]
  # The others have printed nothing.
  expect 7 fl logs "$(run_id)" --cluster clinic-b
  [[ $stderr == *OTE-E0328* ]]
  # At the site itself.
  expect 0 ote fl logs "$(run_id)" --state "$scratch/clinic-a"
  [[ $output == *"trainer torch"* ]]
  [ -z "$(ls -A "$scratch/clinic-a/trainers/work")" ]
}

@test "all sites train with NumPy, and come as far as with the built-in training" {
  needs_module numpy
  local name ours
  for name in "${sites[@]}"; do
    register "$name" numpy --command "/usr/bin/python3 $templates/numpy/train.py" --dataset digits
  done
  fl run --dataset digits --model softmax --input-scale 0.0625 --trainer exec --rounds 5 -o json >run.json
  ours=$(fl run --dataset digits --model softmax --input-scale 0.0625 --rounds 5 -o json 2>/dev/null | jq .metrics.accuracy)
  jq -e --argjson ours "$ours" '.status == "finished" and .metrics.accuracy > $ours - 0.03' run.json
}

# With one batch of all rows the order does not matter: the two ways must take the same steps.
same_steps() {
  local flags=(--dataset digits --input-scale 0.0625 --batch-size 1048576 --rounds 1 --epochs 4 --l2 0.01 "$@")
  fl run "${flags[@]}" -o json >builtin.json 2>/dev/null
  fl run "${flags[@]}" --trainer exec -o json >own.json 2>/dev/null
  jq -c '[.status, .metrics.loss, .rounds[0].sites[].trainLoss]' builtin.json own.json
  jq -es '.[0].status == "finished" and .[1].status == "finished" and
    ((.[0].metrics.loss - .[1].metrics.loss) | fabs < 1e-4) and
    ([.[0].rounds[0].sites, .[1].rounds[0].sites | map(.trainLoss)] | transpose | all(.[0] - .[1] | fabs < 1e-4))' \
    builtin.json own.json
}

@test "PyTorch takes the same steps as the built-in training" {
  needs_module torch
  local name
  for name in "${sites[@]}"; do
    register "$name" torch --command "/usr/bin/python3 $templates/torch/train.py"
  done
  same_steps --model mlp --hidden 16,8 --momentum 0.5
  same_steps --model mlp --activation tanh --optimizer adam --learning-rate 0.01
  same_steps --model softmax
}

@test "NumPy takes the same steps as the built-in training" {
  needs_module numpy
  local name
  for name in "${sites[@]}"; do
    register "$name" numpy --command "/usr/bin/python3 $templates/numpy/train.py"
  done
  same_steps --model softmax --momentum 0.5
}

@test "too little memory is told as that" {
  register clinic-a greedy --command "/usr/bin/python3 -c 'bytearray(10**9)'" --memory 128MiB
  run_without_a
  failure
  jq -e '.code == "OTE-E0323" and (.message | contains("MemoryError")) and (.hint | contains("--memory"))' <<<"$(failure)"
}

@test "a site without a trainer of its own fails a run that asks for one, and the others go on" {
  local name
  for name in clinic-b clinic-c; do
    register "$name" numpy --command "/usr/bin/python3 $templates/numpy/train.py"
  done
  needs_module numpy
  run_without_a exec
  jq -e '.phase == "train" and .code == "OTE-E0321" and (.hint | contains("ote trainer add"))' <<<"$(failure)"
  grep -q 'ote: warning: clinic-a: train: no trainer is registered here for the data set digits' run.err
}

@test "a trainer that ends with a status is told with cluster, phase, cause and hint" {
  register clinic-a bad --command "sh -c 'echo no GPU today >&2; exit 3'"
  run_without_a
  failure
  jq -e '.phase == "train" and .code == "OTE-E0323"' <<<"$(failure)"
  jq -e '.message == "trainer bad: it ended with status 3: no GPU today"' <<<"$(failure)"
  jq -e --arg run "$(run_id)" '.hint == "ote fl logs " + $run + " --cluster clinic-a"' <<<"$(failure)"
  expect 0 fl logs "$(run_id)"
  [[ $output == *"clinic-a: train: trainer bad: it ended with status 3: no GPU today [OTE-E0323]"*"hint: ote fl logs"* ]]
  expect 0 fl logs "$(run_id)" --cluster clinic-a
  [[ $output == *"no GPU today"* ]]
}

@test "a trainer that takes too long is ended, with its children" {
  local path
  path=$(script slow.sh <<'SH'
echo "waits as $$"
sleep 4242 &
sleep 4242
SH
  )
  register clinic-a slow --command "sh $path" --time-limit 1s
  run_without_a
  jq -e '.code == "OTE-E0324" and (.message | startswith("trainer slow: not done within 1s")) and
    (.hint | contains("--time-limit"))' <<<"$(failure)"
  wait_until 5 bash -c '! pgrep -f "^sleep 4242$"'
}

@test "what is not an update is told, and stays out of the model" {
  local path kind
  path=$(script garbage.sh <<'SH'
case $1 in
  nothing) ;;
  text) echo hello >"$OTE_OUTPUT/update.safetensors" ;;
  link) ln -s /etc/passwd "$OTE_OUTPUT/update.safetensors" ;;
  pipe) mkfifo "$OTE_OUTPUT/update.safetensors" ;;
  metrics) cp "$OTE_MODEL" "$OTE_OUTPUT/update.safetensors"; echo '{"loss": "low"}' >"$OTE_OUTPUT/metrics.json" ;;
esac
SH
  )
  for kind in nothing text link pipe metrics; do
    register clinic-a garbage --command "sh $path $kind" --replace
    run_without_a
    echo "$kind: $(failure)"
    jq -e '.phase == "train" and .code == "OTE-E0325"' <<<"$(failure)"
  done
  jq -e '.message | contains("metrics.json: loss: it is")' <<<"$(failure)"
}

@test "in the sandbox there is no network, nothing to write but the own folder, and no state of the agent" {
  needs_sandbox
  local path port
  # Bash's /dev/tcp: the root of this tree listens there.
  port=$(ote cluster status --state "$scratch/hq" -o json | jq -r '.listen[0] | sub(".*:"; "")')
  path=$(script escape.sh <<'SH'
tries() { if "$@" 2>&1; then echo "could: $1"; else echo "could not: $1"; fi; }
connect() { : <>"/dev/tcp/127.0.0.1/$1"; }
spoil() { echo 1,2,3 >>"$OTE_DATA"; }
steal() { cat "$1/keys/sign.key"; }
litter() { touch "$1/left"; }
peer() { kill -0 "$1"; }
rows() { head -c 10 "$OTE_DATA" >/dev/null; }
tries connect "$1"; tries spoil; tries steal "$2"; tries litter "$2"; tries litter /usr; tries peer "$3"; tries rows
exit 9
SH
  )
  register clinic-a escape --sandbox require \
    --command "bash $path $port $scratch/clinic-a $(cat "$scratch/clinic-a/agent.pid")"
  expect 0 ote trainer list --state "$scratch/clinic-a" -o json
  [ "$(json '.items[0].runsIn')" = bubblewrap ]
  local before
  before=$(sha256sum <"$scratch/parts/clinic-a.csv")
  run_without_a
  fl logs "$(run_id)" --cluster clinic-a >printed
  cat printed
  [ "$(grep -c 'could not: ' printed)" -ge 6 ]
  [ "$(grep 'could: ' printed | sort -u)" = "could: rows" ]
  [ "$(sha256sum <"$scratch/parts/clinic-a.csv")" = "$before" ]
  jq -e '.hint | contains("sandbox")' <<<"$(failure)"
}

@test "a program that says too much has a log of bounded size, and cannot steer the terminal" {
  register clinic-a loud --command "sh -c 'yes | head -c 8000000; printf \"\\033]0;owned\\007 at the end\\n\"; exit 1'"
  run_without_a
  [ "$(du -sb "$scratch/clinic-a/trainers/logs" | cut -f1)" -le $((1200 * 1024)) ]
  expect 0 fl logs "$(run_id)" --cluster clinic-a --bytes 200
  [[ $output == *"?]0;owned? at the end"* ]]
  [[ $output != *$'\e'* ]]
}

@test "trainers are registered once, shown, replaced and removed" {
  local state=$scratch/clinic-a
  expect 0 ote trainer add one --command "sh -c true" --memory 1GiB --state "$state"
  expect 0 ote trainer add one --command "sh -c true" --memory 1GiB --state "$state"
  expect 6 ote trainer add one --command "sh -c false" --state "$state"
  expect 6 ote trainer add two --command "sh -c true" --state "$state"
  [[ $stderr == *"one is for all data sets already"* ]]
  expect 0 ote trainer add two --command "sh -c true" --dataset digits,scans --state "$state"
  expect 6 ote trainer add three --command "sh -c true" --dataset scans --state "$state"
  expect 2 ote trainer add four --command "sh -c 'open" --dataset x --state "$state"
  [[ $stderr == *OTE-E0322* ]]
  expect 2 ote trainer add four --command "no-such-program" --dataset x --state "$state"
  expect 2 ote trainer add four --command "sh {tsk}" --dataset x --state "$state"
  [[ $stderr == *"{task}"* ]]
  # They are there after a crash.
  kill_agent "$state"
  ote cluster start --state "$state" -q
  expect 0 ote trainer list --state "$state" -o json
  [ "$(jq -r '[.items[].name] | join(" ")' <<<"$output")" = "one two" ]
  expect 0 ote trainer show two --state "$state"
  [[ $output == *"digits, scans"* ]]
  expect 7 ote trainer show tow --state "$state"
  [[ $stderr == *"did you mean two?"* ]]
  expect 0 ote trainer remove two --state "$state"
  expect 7 ote trainer remove two --state "$state"
}

@test "an agent that is stopped or killed takes its trainer with it, and does the task again" {
  needs_sandbox
  local path run begun
  path=$(script wait.sh <<'SH'
sleep 4343 &
touch "$OTE_OUTPUT/begun"
sleep 4343
SH
  )
  register clinic-a wait --command "sh $path"
  run=$(fl run --dataset digits --model softmax --trainer any --rounds 1 --minimum 3 --deadline 60s --detach -q)
  begun=$scratch/clinic-a/trainers/work/$run-1/output/begun
  wait_until 20 test -e "$begun"
  kill_agent "$scratch/clinic-a"
  wait_until 5 bash -c '! pgrep -f "^sleep 4343$"'
  rm "$begun"
  ote cluster start --state "$scratch/clinic-a" -q
  wait_until 20 test -e "$begun"
  ote cluster stop --state "$scratch/clinic-a" -q
  wait_until 5 bash -c '! pgrep -f "^sleep 4343$"'
  fl cancel "$run" --yes -q
}

@test "a trainer whose run was cancelled is ended" {
  local path run
  path=$(script wait.sh <<'SH'
touch "$OTE_OUTPUT/begun"
sleep 4545
SH
  )
  register clinic-a wait --command "sh $path" --sandbox off
  run=$(fl run --dataset digits --model softmax --trainer any --rounds 1 --minimum 3 --detach -q)
  wait_until 20 test -e "$scratch/clinic-a/trainers/work/$run-1/output/begun"
  fl cancel "$run" --yes -q
  wait_until 5 bash -c '! pgrep -f "^sleep 4545$"'
}
