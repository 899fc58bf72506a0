"""What a Kubernetes API server keeps, and the rules of its published API that a client meets: resource versions, lists
in pages, server-side apply with field managers, strict validation, deletion with preconditions."""
import base64
import copy
import json
import threading
import time
import uuid

# group, version, kind, plural, namespaced
BUILT_IN = [
    ("", "v1", "Namespace", "namespaces", False), ("", "v1", "Node", "nodes", False), ("", "v1", "Pod", "pods", True),
    ("", "v1", "ConfigMap", "configmaps", True), ("", "v1", "Secret", "secrets", True),
    ("", "v1", "Service", "services", True), ("", "v1", "ServiceAccount", "serviceaccounts", True),
    ("", "v1", "Event", "events", True), ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True),
    ("apps", "v1", "Deployment", "deployments", True), ("apps", "v1", "StatefulSet", "statefulsets", True),
    ("apps", "v1", "DaemonSet", "daemonsets", True), ("batch", "v1", "Job", "jobs", True),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False),
]
TOP = {"apiVersion", "kind", "metadata", "spec", "status"}
TEMPLATE = {"metadata": {"labels", "annotations", "name", "creationTimestamp"}, "spec": None}
CONTAINER = {"name", "image", "command", "args", "workingDir", "env", "envFrom", "ports", "resources", "volumeMounts",
             "livenessProbe", "readinessProbe", "startupProbe", "securityContext", "imagePullPolicy", "lifecycle"}
POD = {"containers", "initContainers", "volumes", "restartPolicy", "terminationGracePeriodSeconds", "nodeSelector",
       "automountServiceAccountToken", "securityContext", "serviceAccountName", "tolerations", "affinity", "nodeName"}
PROBE = {"exec", "httpGet", "tcpSocket", "periodSeconds", "timeoutSeconds", "failureThreshold", "initialDelaySeconds",
         "successThreshold"}
SPEC = {
    "Deployment": {"replicas", "selector", "strategy", "template", "minReadySeconds", "revisionHistoryLimit", "paused",
                   "progressDeadlineSeconds"},
    "Job": {"completions", "parallelism", "backoffLimit", "template", "activeDeadlineSeconds",
            "ttlSecondsAfterFinished"},
    "Service": {"selector", "ports", "type", "clusterIP"},
    "Pod": POD,
}
OTHER_TOP = {"ConfigMap": {"data", "binaryData", "immutable"}, "Secret": {"data", "stringData", "type", "immutable"},
             "ServiceAccount": {"automountServiceAccountToken", "secrets"}, "ClusterRole": {"rules"},
             "ClusterRoleBinding": {"roleRef", "subjects"}}
MAPS_BY = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath",
           "ports": ("containerPort", "port")}


class Refusal(Exception):
    def __init__(self, code, reason, message, causes=(), more=None):
        super().__init__(message)
        details = {"causes": list(causes)} if reason else {}
        details.update(more or {})
        self.code = code
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                       "reason": reason, "details": details, "code": code}
        if not reason:
            del self.status["reason"], self.status["details"]


def leaves(value, path=(), key=None):
    """The fields of an object, each as a path; lists of named things by their names, other lists whole."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, path + ("f:" + name,), name)
    elif isinstance(value, list) and value and key in MAPS_BY and all(isinstance(i, dict) for i in value):
        for item in value:
            yield from leaves(item, path + (by(item, key),), None)
    else:
        yield path, value


def by(item, key):
    names = MAPS_BY[key] if isinstance(MAPS_BY[key], tuple) else (MAPS_BY[key],)
    name = next((n for n in names if n in item), names[0])
    return "k:" + json.dumps({name: item.get(name)})


def put(root, path, value):
    at = root
    for here, following in zip(path, path[1:] + (None,)):
        last = following is None
        if here.startswith("f:"):
            if last:
                at[here[2:]] = copy.deepcopy(value)
            else:
                at = at.setdefault(here[2:], [] if following.startswith("k:") else {})
        else:
            names = json.loads(here[2:])
            found = next((i for i in at if all(i.get(n) == v for n, v in names.items())), None)
            if found is None:
                found = dict(names)
                at.append(found)
            at = found


def drop(root, path):
    at = root
    for here in path[:-1]:
        if here.startswith("f:"):
            at = at.get(here[2:]) if isinstance(at, dict) else None
        else:
            names = json.loads(here[2:])
            at = next((i for i in at or [] if all(i.get(n) == v for n, v in names.items())), None)
        if at is None:
            return
    if path[-1].startswith("f:") and isinstance(at, dict):
        at.pop(path[-1][2:], None)


def shown(path):
    return "".join("." + p[2:] if p.startswith("f:") else "[" + p[2:].strip("{}").replace(": ", "=") + "]" for p in path)


def check_fields(what, value, known, path):
    # Applied on the server this is an error without a reason of its own, and so of status 500.
    for name in value or {}:
        if name not in known:
            raise Refusal(500, None, f'failed to create typed patch object (default/x; v1, Kind={what}): '
                                     f'.{path}{name}: field not declared in schema')


def check(obj):
    kind, spec = obj["kind"], obj.get("spec") or {}
    check_fields(kind, obj, TOP | OTHER_TOP.get(kind, set()), "")
    if kind in SPEC:
        check_fields(kind, spec, SPEC[kind], "spec.")
    template = spec.get("template") if kind in ("Deployment", "Job", "StatefulSet", "DaemonSet") else None
    pod = template.get("spec", {}) if template else spec if kind == "Pod" else None
    if template:
        check_fields(kind, template, {"metadata", "spec"}, "spec.template.")
    if pod is None:
        return
    check_fields(kind, pod, POD, "spec.template.spec.")
    causes = []
    for i, container in enumerate(pod.get("containers", [])):
        check_fields(kind, container, CONTAINER, f"spec.template.spec.containers[{i}].")
        for probe in ("livenessProbe", "readinessProbe"):
            check_fields(kind, container.get(probe), PROBE, f"spec.template.spec.containers[{i}].{probe}.")
        if not container.get("image"):
            causes.append({"reason": "FieldValueRequired", "message": "Required value",
                           "field": f"spec.template.spec.containers[{i}].image"})
    labels = (template or {}).get("metadata", {}).get("labels", {})
    for name, value in spec.get("selector", {}).get("matchLabels", {}).items() if kind == "Deployment" else ():
        if labels.get(name) != value:
            causes.append({"reason": "FieldValueInvalid", "field": "spec.template.metadata.labels",
                           "message": "Invalid value: `selector` does not match template `labels`"})
    strategy = spec.get("strategy") or {}
    if kind == "Deployment" and strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        causes.append({"reason": "FieldValueForbidden", "field": "spec.strategy.rollingUpdate",
                       "message": "Forbidden: may not be specified when strategy `type` is 'Recreate'"})
    if causes:
        name = obj["metadata"]["name"]
        text = ", ".join(f"{c['field']}: {c['message']}" for c in causes)
        raise Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {text}', causes)


class Store:
    def __init__(self):
        self.lock = threading.Condition()
        self.version = 100
        self.compacted = 0
        self.objects = {}  # (plural, namespace, name)
        self.owners = {}   # the same: manager -> set of paths
        self.log = []      # (version, type, plural, object)
        self.kinds = [dict(zip(("group", "version", "kind", "plural", "namespaced"), k), at=0) for k in BUILT_IN]
        self.crd_delay = 0.0
        self.linger = 0.0  # seconds from a deletion until the object is gone
        self.controllers = True
        with self.lock:
            for name in ("default", "kube-system"):
                self.create("namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            self.create("nodes", "", {
                "apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "labels": {"disk": "ssd"}},
                "status": {"allocatable": {"cpu": "3800m", "memory": "7.5Gi", "ephemeral-storage": "90G", "pods": "110",
                                           "nvidia.com/gpu": "2"},
                           "nodeInfo": {"kubeletVersion": "v1.28.2+k3s1"},
                           "conditions": [{"type": "Ready", "status": "True"}]}})

    def served(self):
        return [k for k in self.kinds if k["at"] <= time.time()]

    def note(self, kind, plural, obj):
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.log.append((self.version, kind, plural, copy.deepcopy(obj)))
        self.lock.notify_all()

    def create(self, plural, namespace, obj):
        obj = copy.deepcopy(obj)
        obj["metadata"].update(uid=str(uuid.uuid4()), generation=1,
                               creationTimestamp=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        if namespace:
            obj["metadata"]["namespace"] = namespace
            if ("namespaces", "", namespace) not in self.objects:
                raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
            if "deletionTimestamp" in self.objects["namespaces", "", namespace]["metadata"]:
                raise Refusal(403, "Forbidden", f'{plural} "{obj["metadata"]["name"]}" is forbidden: unable to create '
                                                f'new content in namespace {namespace} because it is being terminated')
        key = (plural, namespace, obj["metadata"]["name"])
        self.objects[key] = obj
        self.owners.setdefault(key, {})
        self.note("ADDED", plural, obj)
        self.react(plural, obj)
        return obj

    def changed(self, key, spec_changed):
        obj = self.objects[key]
        if spec_changed:
            obj["metadata"]["generation"] += 1
        self.note("MODIFIED", key[0], obj)
        if spec_changed:
            self.react(key[0], obj)

    def react(self, plural, obj):
        """What controllers would do at once: pods for a Deployment, a kind for its definition."""
        if plural == "customresourcedefinitions":
            spec = obj["spec"]
            self.kinds = [k for k in self.kinds if k["plural"] != spec["names"]["plural"]]
            for version in spec["versions"]:
                self.kinds.append({"group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"],
                                   "plural": spec["names"]["plural"], "namespaced": spec["scope"] == "Namespaced",
                                   "at": time.time() + self.crd_delay})
        if plural != "deployments" or not self.controllers:
            return
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        wanted = obj["spec"].get("replicas", 1)
        template = obj["spec"]["template"]
        for key in [k for k in self.objects if k[0] == "pods" and k[1] == namespace]:
            if self.owner(key) == obj["metadata"]["uid"]:
                self.remove(key)
        for i in range(wanted):
            self.create("pods", namespace, {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": f"{name}-{obj['metadata']['generation']}-{i}",
                             "labels": template.get("metadata", {}).get("labels", {}),
                             "ownerReferences": [{"kind": "ReplicaSet", "name": name, "uid": obj["metadata"]["uid"]}]},
                "spec": dict(template["spec"], nodeName="node-1"),
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                           "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0,
                                                  "state": {"running": {}}}]}})
        obj["status"] = {"observedGeneration": obj["metadata"]["generation"], "replicas": wanted,
                         "updatedReplicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted}
        self.note("MODIFIED", plural, obj)

    def owner(self, key):
        refs = self.objects[key]["metadata"].get("ownerReferences") or [{}]
        return refs[0].get("uid")

    def remove(self, key):
        obj = self.objects.pop(key)
        self.owners.pop(key, None)
        self.note("DELETED", key[0], obj)
        for other in [k for k in self.objects if self.owner(k) == obj["metadata"]["uid"]]:
            self.remove(other)
        if key[0] == "customresourcedefinitions":
            plural = obj["spec"]["names"]["plural"]
            self.kinds = [k for k in self.kinds if k["plural"] != plural]
            for other in [k for k in self.objects if k[0] == plural]:
                self.remove(other)
        if key[0] == "namespaces":
            for other in [k for k in self.objects if k[1] == key[2]]:
                self.remove(other)

    def delete(self, key, options):
        if key not in self.objects:
            raise Refusal(404, "NotFound", f'{key[0]} "{key[2]}" not found')
        wanted = (options.get("preconditions") or {}).get("uid")
        uid = self.objects[key]["metadata"]["uid"]
        if wanted and wanted != uid:
            raise Refusal(409, "Conflict", f"the UID in the precondition ({wanted}) does not match the UID in record "
                                           f"({uid}). The object might have been deleted and then recreated")
        if not self.linger:
            return self.remove(key)
        # Something is to be done before it may go: what is in a namespace, say.
        self.objects[key]["metadata"]["deletionTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.note("MODIFIED", key[0], self.objects[key])
        threading.Timer(self.linger, self.end, (key, uid)).start()

    def end(self, key, uid):
        with self.lock:
            if key in self.objects and self.objects[key]["metadata"]["uid"] == uid:
                self.remove(key)

    def apply(self, kind, namespace, name, body, manager, force, dry):
        metadata = body.get("metadata") or {}
        if metadata.get("managedFields"):
            raise Refusal(400, "BadRequest", "metadata.managedFields must be nil")
        if metadata.get("name", name) != name or metadata.get("namespace", namespace) != namespace:
            raise Refusal(400, "BadRequest", "the name of the object does not match the name on the URL")
        if namespace and ("namespaces", "", namespace) not in self.objects:
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
        key = (kind["plural"], namespace, name)
        live = self.objects.get(key)
        owners = self.owners.get(key, {})
        if live is not None and metadata.get("uid", live["metadata"]["uid"]) != live["metadata"]["uid"]:
            raise Refusal(409, "Conflict", "Precondition failed: UID in precondition does not match")
        fixed = (("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"),
                 ("f:metadata", "f:uid"))
        new = {p: v for p, v in leaves(body) if p not in fixed and v is not None}  # null is as good as nothing
        have = dict(leaves(live)) if live else {}
        causes = []
        for path, value in new.items():
            others = [m for m, paths in owners.items() if m != manager and path in paths]
            if others and have.get(path) != value and not force:
                causes += [{"reason": "FieldManagerConflict", "message": f'conflict with "{m}"', "field": shown(path)}
                           for m in others]
        if causes:
            raise Refusal(409, "Conflict", f"Apply failed with {len(causes)} conflicts: " + ", ".join(
                f"{c['message']}: {c['field']}" for c in causes), causes)
        result = copy.deepcopy(live) if live else {"apiVersion": body["apiVersion"], "kind": body["kind"],
                                                   "metadata": {"name": name}}
        result["apiVersion"] = body["apiVersion"]
        before = copy.deepcopy(result)
        for path in owners.get(manager, set()) - set(new):
            if not any(path in paths for m, paths in owners.items() if m != manager):
                drop(result, path)
        for path, value in new.items():
            put(result, path, value)
        strategy = (result.get("spec") or {}).get("strategy") or {}
        if result["kind"] == "Deployment" and strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
            result["spec"]["strategy"] = strategy
            for name in ("maxSurge", "maxUnavailable"):
                strategy.setdefault("rollingUpdate", {}).setdefault(name, "25%")
        if not strategy.get("rollingUpdate", True):
            del strategy["rollingUpdate"]
        check(result)
        mine = {m: set(p) for m, p in owners.items()}
        mine[manager] = set(new)
        for m in mine:
            if m != manager and force:
                mine[m] -= {p for p in new if have.get(p) != new[p]}
        result["metadata"]["managedFields"] = [
            {"manager": m, "operation": "Apply", "apiVersion": body["apiVersion"], "fieldsType": "FieldsV1",
             "fieldsV1": {shown(p): {} for p in sorted(paths)}} for m, paths in mine.items()]
        if dry:
            if not live:
                result["metadata"].update(uid=str(uuid.uuid4()), generation=1)
            return result, live is None
        if live is None:
            self.owners[key] = mine
            return self.create(kind["plural"], namespace, result), True
        self.objects[key], self.owners[key] = result, mine
        without = [{k: v for k, v in o.items() if k not in ("metadata", "status")} for o in (before, result)]
        if before != result:
            self.changed(key, without[0] != without[1])
        return self.objects[key], False

    def list(self, plural, namespace, selector, limit, token):
        start, version = "", self.version
        if token:
            at = json.loads(base64.b64decode(token))
            start, version = at["start"], at["version"]
            if version <= self.compacted:
                raise Refusal(410, "Expired", "The provided continue parameter is too old to display a consistent list "
                                              "result.")
        keys = sorted(k for k, o in self.objects.items() if k[0] == plural and namespace in ("", k[1]) and
                      matches(o, selector))
        keys = [k for k in keys if "/".join(k) > start]
        page = keys[:limit] if limit else keys
        metadata = {"resourceVersion": str(version)}
        if len(page) < len(keys):
            metadata["continue"] = base64.b64encode(
                json.dumps({"start": "/".join(page[-1]), "version": version}).encode()).decode()
            metadata["remainingItemCount"] = len(keys) - len(page)
        items = []
        for key in page:
            item = dict(self.objects[key])
            item.pop("kind", None), item.pop("apiVersion", None)
            items.append(item)
        return metadata, items


def matches(obj, selector):
    labels = obj["metadata"].get("labels") or {}
    for part in filter(None, selector.split(",")):
        name, _, value = part.partition("=")
        if name not in labels or (value and labels[name] != value):
            return False
    return True
