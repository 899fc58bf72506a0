#!/usr/bin/env bats
# Apps on a real Kubernetes cluster, from deploy to remove. Skipped unless OTE_TEST_KUBECONFIG names the kubeconfig of one
# on which the test may make namespaces (its current context); OTE_TEST_IMAGE is an image that runs there for ever, when
# registry.k8s.io/pause:3.9 is not to be had. It works in a namespace of its own, and leaves nothing behind.
# timeout: 900
kubeconfig=${OTE_TEST_KUBECONFIG-}
image=${OTE_TEST_IMAGE:-registry.k8s.io/pause:3.9}
load helpers

setup() {
  [ -n "$kubeconfig" ] || skip "OTE_TEST_KUBECONFIG names no cluster"
  command -v kubectl >/dev/null || skip "kubectl is not installed"
  ote_setup
  space=ote-test-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
  kubectl --kubeconfig "$kubeconfig" config view --raw --minify --flatten >"$scratch/kubeconfig"
  chmod 600 "$scratch/kubeconfig"
  export KUBECONFIG=$scratch/kubeconfig
  kubectl create namespace "$space" >/dev/null
  kubectl config set-context --current --namespace "$space" >/dev/null
  echo "$(kubectl get --raw /version | jq -r .gitVersion), namespace $space"
}

teardown() {
  [ -n "${space-}" ] || return 0
  end_agents "$scratch"
  kubectl delete clusterrole "$space" --ignore-not-found >/dev/null
  kubectl delete namespace "$space" "$space-more" --ignore-not-found --timeout 120s >/dev/null
  ote_teardown
}

tree() {
  ote cluster init hq --state "$scratch/hq" --listen tcp://127.0.0.1:0 --heartbeat 500ms -q >/dev/null
  ote cluster token create -q --state "$scratch/hq" |
    ote cluster join - --name edge --state "$scratch/edge" --shim "kubernetes:$KUBECONFIG" -q >/dev/null
  wait_until 30 sees_nodes
}
sees_nodes() { ote cluster show edge --state "$scratch/hq" | grep -qE '^[^ ]+ +ready '; }
app() { ote app "$@" --state "$scratch/hq"; }
deploy() { app deploy -f "$1" --name shop --cluster edge --timeout 180s; }
told() { app show shop -o json | jq -er ".clusters[0].status | $1"; }
field() { kubectl get "$1" -o json | jq -ec "$2"; }
is() { [ "$("${@:2}")" = "$1" ]; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }

# write FILE REPLICAS COLOUR STRATEGY
write() {
  cat >"$1" <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: $3}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter-$3}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: $2
  strategy: {type: $4}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "$image"}]}
YAML
}

@test "an app is deployed, changed, healed, rolled back and removed" {
  tree
  write one.yaml 2 red RollingUpdate
  cat >>one.yaml <<YAML
---
apiVersion: v1
kind: ConfigMap
metadata: {name: for-a-while}
YAML
  expect 0 deploy one.yaml
  [ "$(told .phase)" = healthy ]
  [ "$(told .healthy)" = 2 ]
  [ "$(field configmap/settings .data.colour)" = '"red"' ]
  local first
  first=$(field deployment/web .metadata.uid)

  # The same again is nothing; what another one would change is told, and nothing of a Secret.
  expect 0 app diff -f one.yaml --name shop --cluster edge
  [ -z "$output" ]
  write two.yaml 3 blue Recreate
  expect 0 app diff -f two.yaml --name shop --cluster edge
  grep -q '^ *+ *replicas: 3' <<<"$output"

  expect 0 deploy two.yaml
  [ "$(told .healthy)" = 3 ]
  [ "$(field configmap/settings .data.colour)" = '"blue"' ]
  [ "$(field deployment/web .spec.strategy)" = '{"type":"Recreate"}' ]
  [ "$(field deployment/web .metadata.uid)" = "$first" ]
  gone configmap for-a-while

  # What somebody removes is made again.
  kubectl delete configmap/settings deployment/web >/dev/null
  wait_until 60 is '"blue"' field configmap/settings .data.colour
  wait_until 60 is healthy told .phase
  [ "$(field deployment/web .metadata.uid)" != "$first" ]

  expect 0 app rollback shop --timeout 180s
  [ "$(told .healthy)" = 2 ]
  [ "$(field configmap/settings .data.colour)" = '"red"' ]
  [ "$(field deployment/web .spec.strategy.type)" = '"RollingUpdate"' ]
  kubectl get configmap for-a-while >/dev/null

  # The agent may be killed: it takes up what it left.
  kill_agent "$scratch/edge"
  kubectl delete service/web >/dev/null
  ote cluster start --state "$scratch/edge" -q >/dev/null
  wait_until 30 kubectl get service/web
  wait_until 60 is healthy told .phase

  expect 0 app remove shop --yes --timeout 180s
  gone deployment web
  gone configmap settings
  [ -z "$(kubectl get configmap,secret,service,deployment -l applyset.kubernetes.io/part-of -o name)" ]
  gone configmap -l applyset.kubernetes.io/id || [ -z "$(kubectl get configmap -l applyset.kubernetes.io/id -o name)" ]
}

@test "what another manager set is a conflict, and what the server does not know is refused at once" {
  tree
  write one.yaml 1 red RollingUpdate
  expect 0 deploy one.yaml
  kubectl apply --server-side --force-conflicts --field-manager tuner -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 2}
YAML
  write two.yaml 3 red RollingUpdate
  expect 1 deploy two.yaml
  grep -q 'tuner.*spec.replicas\|spec.replicas.*tuner' <<<"$(told .message)"
  [ "$(told .code)" = OTE-E1108 ]
  [ "$(field deployment/web .spec.replicas)" = 2 ]

  write two.yaml 2 blue RollingUpdate
  sed -i 's/targetPort/targetHarbour/' two.yaml
  expect 1 deploy two.yaml
  grep -q targetHarbour <<<"$(told .message)"
  [ "$(told .code)" = OTE-E1109 ]
  expect 0 app remove shop --yes --timeout 180s
}

@test "a namespace with what is in it, and what is of no namespace, comes, goes, and comes again" {
  tree
  cat >more.yaml <<YAML
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: $space-more}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: "$image"}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: $space}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: v1
kind: Namespace
metadata: {name: $space-more}
YAML
  expect 0 deploy more.yaml
  kubectl get clusterrole "$space" >/dev/null
  local first
  first=$(field "namespace/$space-more" .metadata.uid)
  expect 0 app remove shop --yes --timeout 180s
  # The namespace may still be on its way out.
  expect 0 deploy more.yaml
  [ "$(field "namespace/$space-more" .metadata.uid)" != "$first" ]
  expect 0 app remove shop --yes --timeout 180s
  wait_until 120 gone namespace "$space-more"
  gone clusterrole "$space"
}
