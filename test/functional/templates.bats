#!/usr/bin/env bats
# What is made from templates of apps does what it says: the service answers as ote itself does, the site joins.
load helpers

needs_templates() { ote app templates -q >/dev/null 2>&1 || skip "this ote has no app templates"; }
is() { [ "$("${@:2}")" = "$1" ]; }
# Files of the app file $1, as a shim would lay them out in the folder $2.
lay_out() {
  mkdir "$2"
  /usr/bin/python3 - "$1" "$2" <<'PY'
import re, shutil, sys
text = open(sys.argv[1]).read()
script = re.search(r"  - path: serve.py\n    content: \|\n((?:      .*\n|\n)+)", text).group(1)
open(sys.argv[2] + "/serve.py", "w").write("".join(line[6:] or "\n" for line in script.splitlines(True)))
source = re.search(r'source: "(.*)"', text).group(1)
shutil.copy(source, sys.argv[2] + "/model.safetensors")
PY
}

teardown() {
  [ -z "${server-}" ] || kill "$server" 2>/dev/null || true
  ote_teardown
}

@test "the inference service answers what ote model predict says" {
  needs_templates
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q
  ote cluster token create -q --state hq | ote cluster join - --name clinic-a --state clinic-a -q
  ote data add digits --path "$source_root/templates/samples/digits.csv" --label digit --state clinic-a -q
  ote fl run --dataset digits --model mlp --rounds 2 --name digits --state hq -q
  ote model export digits --format safetensors --state hq -q
  local port
  port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  ote app init --template inference --set name=digits --set model=digits.safetensors --set "port=$port" -o app.yaml
  lay_out app.yaml work
  (cd work && exec /usr/bin/python3 serve.py --model model.safetensors --port "$port" --host 127.0.0.1) \
    >server.log 2>&1 3>&- &
  server=$!
  wait_until 20 curl -sf "http://127.0.0.1:$port/healthz" -o /dev/null
  head -n 41 "$source_root/templates/samples/digits.csv" >rows.csv
  ote model predict digits --data rows.csv --label digit --state hq -o json >want.json
  /usr/bin/python3 - "$port" <<'PY'
import csv, json, sys, urllib.error, urllib.request
def post(body, path="/predict"):
    request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}{path}", body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
rows = list(csv.DictReader(open("rows.csv")))
features = [[float(v) for k, v in row.items() if k != "digit"] for row in rows]
status, got = post(json.dumps({"rows": features}).encode())
assert status == 200, got
want = json.load(open("want.json"))["items"]
assert len(want) == len(got["predictions"]) == 40
for w, g in zip(want, got["predictions"]):
    assert w["prediction"] == g["label"] and abs(w["probability"] - g["probability"]) < 1e-5, (w, g)
for body in (b"", b"{}", b"[]", b'{"rows": [[1, 2]]}', b'{"rows": 3}', b'{"rows": [["x"]]}', b'{"rows": [[' + b"1e400," * 63 + b"1]]}"):
    assert post(body)[0] == 400, body
assert post(b"{}", "/other")[0] == 404
PY
}

@test "a federated site joins with its token, registers its data, and starts again without either" {
  needs_templates
  ote cluster init hq --state hq --listen tcp://127.0.0.1:0 --heartbeat 500ms -q
  mkdir -p join data
  cp "$source_root/templates/samples/digits.csv" "data/digits 1.csv"
  ote cluster token create -q --state hq >join/token
  ote app init --template federated-site --set name=clinic-a --set-file token=join/token --set image=ote:1 \
    --set data_claim=data --set dataset=digits --set "data_file=digits 1.csv" --set label_column=digit -o site.yaml
  [ "$(stat -c %a site.yaml)" = 600 ]
  mkdir site
  /usr/bin/python3 - <<'PY'
import re
text = open("site.yaml").read()
for name in ("start.sh", "register.sh"):
    script = re.search(rf"  {re.escape(name)}: \|\n((?:    .*\n|\n)+)", text).group(1)
    open("site/" + name, "w").write("".join(line[4:] or "\n" for line in script.splitlines(True)))
PY
  start() {
    OTE_STATE=$scratch/state JOIN_FOLDER=$scratch/join SITE_FOLDER=$scratch/site DATA_FOLDER=$scratch/data \
      SITE=clinic-a DATASET=digits DATA_FILE="digits 1.csv" LABEL_COLUMN=digit sh site/start.sh >site.log 2>&1 3>&- &
  }
  registered() { ote data show digits --state state -q; }
  start
  wait_until 60 registered
  listed() { ote cluster list --state hq -o json | jq -er '.items[] | select(.name == "clinic-a") | .status'; }
  wait_until 20 is ready listed
  # A pod that is started again: the token is used up, and the data set is there.
  kill_agent state
  rm join/token
  start
  wait_until 60 registered
  wait_until 20 is ready listed
}
