#include "core/api/app_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/api/app_file_form.h"
#include "core/base/json_builder.h"
#include "core/base/units.h"
#include "crypto/digest.h"

namespace ote::api {
namespace {

constexpr std::size_t kMostDocuments = 256;
constexpr std::size_t kMostSecret = 64 << 10;

// One document of the file, on its own lines.
struct Part {
  Json json;
  SourceMap map;
};

std::string FirstLine(const Part& part) {
  int first = 0;
  for (const auto& [pointer, line] : part.map.lines) first = first == 0 ? line : std::min(first, line);
  return fmt::format("{}:{}", part.map.file, first);
}

// A line of --- begins a document wherever it stands in YAML; each is read with as many empty lines before it as there
// are lines above it in the file.
Result<std::vector<Part>> Split(std::string_view text, std::string_view file) {
  if (text.size() > codec::kMaxDocument) {
    return Fail(ErrorId::kInputSyntax, fmt::format("{}: it has {} bytes, more than the {} that an app file may have",
                                                   file, text.size(), codec::kMaxDocument));
  }
  std::vector<Part> parts;
  std::string document;
  std::size_t line = 0;
  std::size_t lines_before = 0;
  const auto close = [&]() -> Result<void> {
    if (document.find_first_not_of(" \t\r\n") == document.npos) return {};
    if (parts.size() == kMostDocuments) {
      return Fail(ErrorId::kAppInvalid, fmt::format("{}: more than {} documents", file, kMostDocuments));
    }
    Part part;
    OTE_TRY(part.json, ParseYaml(std::string(lines_before, '\n') + document, file, &part.map));
    if (!part.json.is_null()) parts.push_back(std::move(part));
    return {};
  };
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool begins =
        row.starts_with("---") && (row.size() == 3 || row[3] == ' ' || row[3] == '\t' || row[3] == '\r');
    if (begins) {
      OTE_CHECK(close());
      document = fmt::format("   {}\n", row.substr(3));
      lines_before = line;
    } else {
      document.append(row).push_back('\n');
    }
    ++line;
  }
  OTE_CHECK(close());
  return parts;
}

bool IsHead(const Json& json) {
  return json.is_object() && json.value("kind", Json()) == "App" && json.value("apiVersion", Json()) == "ote/v1";
}

class FormReader {
 public:
  FormReader(const Part& part, const AppFileReader& reader) : part_(part), reader_(reader) {}

  // Message with the place of the field in front.
  Error At(const std::string& pointer, Error error) const {
    const std::string at = part_.map.At(pointer);
    return at.empty() ? error : std::move(error).Context(at);
  }
  Error BadValue(const std::string& pointer, std::string_view want) const {
    const auto value = Value(pointer);
    return codec::Reader(&part_.map).BadValue(pointer, want, value);
  }

  Result<std::int64_t> Duration(const std::string& pointer, const std::string& text) const {
    const auto value = ParseDuration(text);
    if (!value) return Fail(At(pointer, Error{ErrorId::kInputBadValue, value.error().message, {}}));
    return value->count();
  }
  Result<void> Selector(const std::string& pointer, const std::string& text) const {
    if (!reader_.selector) return {};
    if (auto read = reader_.selector(text); !read) return Fail(At(pointer, std::move(read).error()));
    return {};
  }
  // A quantity that is a number or text; absent leaves `out`.
  Result<void> Quantity(const std::string& pointer, const Json& json, Result<std::int64_t> (*parse)(std::string_view),
                        std::int64_t& out) const {
    if (json.is_null()) return {};
    std::string text;
    if (json.is_string()) text = json.get<std::string>();
    if (json.is_number()) text = DumpJson(json);
    auto value = parse(text);
    if (!value) return Fail(At(pointer, std::move(value).error()));
    out = *value;
    return {};
  }

  Result<void> Placement(const PlacementSpec& from, PlacementSpec& out) const {
    if (!from.selector.empty()) OTE_CHECK(Selector("/placement/selector", from.selector));
    for (std::size_t i = 0; i < from.constraints.size(); ++i) {
      OTE_CHECK(Selector(fmt::format("/placement/constraints/{}", i), from.constraints[i]));
    }
    for (std::size_t i = 0; i < from.prefer.size(); ++i) {
      OTE_CHECK(Selector(fmt::format("/placement/prefer/{}/selector", i), from.prefer[i].selector));
    }
    out = from;
    return {};
  }
  Result<void> Roll(const form::Roll& from, RolloutSpec& out) const {
    const auto& most = from.max_unavailable;
    const std::string pointer = "/rollout/maxUnavailable";
    if (most.is_string()) {
      std::string text = most.get<std::string>();
      const bool percent = text.ends_with('%') && text.size() <= 4;
      if (percent) text.pop_back();
      if (!percent || text.empty() || text.find_first_not_of("0123456789") != text.npos) {
        return Fail(BadValue(pointer, "a number of clusters, or a share such as 25%"));
      }
      out.max_unavailable_percent = std::stoi(text);
      if (out.max_unavailable_percent < 1 || out.max_unavailable_percent > 100) {
        return Fail(BadValue(pointer, "from 1% to 100%"));
      }
    } else if (most.is_number_integer()) {
      if (most < 1 || most > 1'000'000) return Fail(BadValue(pointer, "from 1 to 1000000 clusters"));
      out.max_unavailable = most.get<std::int64_t>();
    } else if (!most.is_null()) {
      return Fail(BadValue(pointer, "a number of clusters, or a share such as 25%"));
    }
    if (!from.canary.empty()) OTE_CHECK(Selector("/rollout/canary", from.canary));
    out.canary = from.canary;
    OTE_TRY(out.health_ms, Duration("/rollout/healthTimeout", from.health_timeout));
    out.on_failure = from.on_failure;
    return {};
  }
  Result<void> Common(const form::Head& head, AppSpec& spec) const {
    spec.name = head.name;
    OTE_CHECK(Placement(head.placement, spec.placement));
    OTE_CHECK(Roll(head.rollout, spec.rollout));
    OTE_TRY(spec.replace_after_ms, Duration("/replaceAfter", head.replace_after));
    return {};
  }

  Result<void> Env(const std::map<std::string, Json>& env, Workload& out) const {
    for (const auto& [name, value] : env) {
      const std::string pointer = "/env/" + name;
      if (value.is_string()) {
        out.env[name] = value.get<std::string>();
      } else if (value.is_number() || value.is_boolean()) {
        out.env[name] = DumpJson(value);
      } else if (value.is_object()) {
        form::SecretValue secret;
        OTE_CHECK(codec::Decode(value, secret, pointer, codec::Reader(&part_.map)));
        OTE_TRY(out.env[name], SecretOf(pointer, secret.secret));
        out.secret_env.push_back(name);
      } else {
        return Fail(BadValue(pointer, "a value, or secret: with file or env"));
      }
    }
    return {};
  }
  Result<std::string> SecretOf(const std::string& pointer, const form::Secret& secret) const {
    if (secret.file.has_value() == secret.env.has_value()) {
      return Fail(At(pointer, Error{ErrorId::kAppInvalid, "secret: give either file or env", {}}));
    }
    if (secret.env) {
      auto value = reader_.variable(*secret.env);
      if (!value) return Fail(At(pointer, std::move(value).error()));
      return std::move(*value);
    }
    auto bytes = reader_.file(*secret.file);
    if (!bytes) return Fail(At(pointer, std::move(bytes).error()));
    std::string text(AsText(*bytes));
    if (text.ends_with('\n')) text.pop_back();
    if (text.size() > kMostSecret) {
      return Fail(
          At(pointer, Error{ErrorId::kAppInvalid, fmt::format("a secret of more than {} bytes", kMostSecret), {}}));
    }
    return text;
  }

  Result<void> Add(AppDocument& out, const std::string& path, Bytes bytes, std::int64_t mode, bool secret,
                   const std::string& pointer) const {
    if (bytes.empty()) {
      return Fail(At(pointer, Error{ErrorId::kAppInvalid, fmt::format("{}: the file is empty", path), {}}));
    }
    AppFile file;
    file.path = path;
    file.digest = crypto::DigestOf(bytes).ToString();
    file.size = static_cast<std::int64_t>(bytes.size());
    file.mode = mode;
    file.secret = secret;
    out.artifacts.push_back({file.digest, std::move(bytes)});
    out.spec.workload.files.push_back(std::move(file));
    return {};
  }
  Result<void> Files(const std::vector<form::File>& files, AppDocument& out) const {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const auto& from = files[i];
      const std::string pointer = fmt::format("/files/{}", i);
      if (from.content.has_value() == from.source.has_value()) {
        return Fail(At(pointer, Error{ErrorId::kAppInvalid, from.path + ": give either content or source", {}}));
      }
      const auto& mode = from.mode;
      if (mode.empty() || mode.size() > 4 || mode.find_first_not_of("01234567") != mode.npos) {
        return Fail(BadValue(pointer + "/mode", "permissions in octal, in quotes, such as \"0644\""));
      }
      Bytes bytes;
      if (from.content) {
        bytes.assign(from.content->begin(), from.content->end());
      } else {
        auto read = reader_.file(*from.source);
        if (!read) return Fail(At(pointer + "/source", std::move(read).error()));
        bytes = std::move(*read);
      }
      OTE_CHECK(Add(out, from.path, std::move(bytes), std::stoi(mode, nullptr, 8), from.secret, pointer));
    }
    return {};
  }
  Result<void> Executable(const form::Short& from, AppDocument& out) const {
    if (from.executable.empty()) return {};
    auto& workload = out.spec.workload;
    if (crypto::Digest::Parse(from.executable)) {
      workload.executable = from.executable;
      return {};
    }
    auto bytes = reader_.file(from.executable);
    if (!bytes) return Fail(At("/executable", std::move(bytes).error()));
    workload.executable = crypto::DigestOf(*bytes).ToString();
    // A program beside the workload is brought along; one of the cluster's own is only held to the digest.
    if (workload.command.empty() || workload.command.front().starts_with('/')) return {};
    std::string path = workload.command.front();
    if (path.starts_with("./")) path.erase(0, 2);
    return Add(out, path, std::move(*bytes), 0755, false, "/executable");
  }
  Result<void> Resources(const form::Resources& from, AppResources& out) const {
    OTE_CHECK(Quantity("/resources/cpu", from.cpu, &ParseCpu, out.cpu_milli));
    OTE_CHECK(Quantity("/resources/memory", from.memory, &ParseQuantity, out.memory));
    OTE_CHECK(Quantity("/resources/disk", from.disk, &ParseQuantity, out.disk));
    const auto& accelerator = from.accelerator;
    if (accelerator.is_null()) return {};
    form::Accelerator wanted;
    if (accelerator.is_number_integer()) {
      OTE_CHECK(codec::Decode(accelerator, wanted.count, "/resources/accelerator", codec::Reader(&part_.map)));
    } else {
      OTE_CHECK(codec::Decode(accelerator, wanted, "/resources/accelerator", codec::Reader(&part_.map)));
    }
    out.accelerators = wanted.count;
    out.accelerator = wanted.kind;
    return {};
  }
  Result<void> Health(const std::optional<form::Check>& from, HealthCheck& out) const {
    if (!from) return {};
    if (int(from->exec.has_value()) + int(from->http.has_value()) + int(from->tcp.has_value()) != 1) {
      return Fail(At("/healthCheck", Error{ErrorId::kAppInvalid, "healthCheck: give one of exec, http and tcp", {}}));
    }
    if (from->exec) {
      out.kind = HealthKind::kExec;
      out.command = *from->exec;
    } else if (from->http) {
      out.kind = HealthKind::kHttp;
      out.port = from->http->port;
      out.path = from->http->path;
    } else {
      out.kind = HealthKind::kTcp;
      out.port = from->tcp->port;
    }
    OTE_TRY(out.interval_ms, Duration("/healthCheck/interval", from->interval));
    OTE_TRY(out.timeout_ms, Duration("/healthCheck/timeout", from->timeout));
    OTE_TRY(out.start_ms, Duration("/healthCheck/start", from->start));
    out.failures = from->failures;
    return {};
  }

  Result<AppDocument> ReadShort() const {
    OTE_TRY(const auto from, FromJson<form::Short>(part_.json, &part_.map));
    AppDocument out;
    OTE_CHECK(Common(from, out.spec));
    auto& w = out.spec.workload;
    w.command = from.command;
    w.image = from.image;
    OTE_CHECK(Env(from.env, w));
    OTE_CHECK(Files(from.files, out));
    OTE_CHECK(Executable(from, out));
    w.ports = from.ports;
    OTE_CHECK(Resources(from.resources, w.resources));
    OTE_CHECK(Health(from.health, w.health));
    w.replicas = from.replicas;
    w.restart = from.restart;
    w.update = from.update;
    OTE_TRY(w.stop_ms, Duration("/stopTimeout", from.stop_timeout));
    w.isolation = from.isolation;
    return out;
  }
  Result<AppDocument> ReadHead() const {
    OTE_TRY(const auto head, FromJson<form::Head>(part_.json, &part_.map));
    AppDocument out;
    OTE_CHECK(Common(head, out.spec));
    return out;
  }

  // An object of Kubernetes, or a List of them: apiVersion, kind and a name are there.
  Result<std::string> CheckManifest() const {
    const auto& json = part_.json;
    if (!json.is_object()) return Fail(BadValue("", "an object of Kubernetes"));
    for (const auto* field : {"apiVersion", "kind"}) {
      const auto it = json.find(field);
      if (it == json.end()) return Fail(codec::Reader(&part_.map).Missing("", field));
      if (!it->is_string() || it->get_ref<const std::string&>().empty()) {
        return Fail(BadValue(std::string("/") + field, "a string"));
      }
    }
    if (json.at("kind").get_ref<const std::string&>().ends_with("List") && json.contains("items")) return std::string();
    const auto meta = json.find("metadata");
    if (meta == json.end()) return Fail(codec::Reader(&part_.map).Missing("", "metadata"));
    if (!meta->is_object()) return Fail(BadValue("/metadata", "an object"));
    const auto name = meta->find("name");
    if (name == meta->end()) return Fail(codec::Reader(&part_.map).Missing("/metadata", "name"));
    if (!name->is_string()) return Fail(BadValue("/metadata/name", "a string"));
    return name->get<std::string>();
  }

 private:
  Json Value(const std::string& pointer) const {
    try {
      return part_.json.at(Json::json_pointer(pointer));
    } catch (const Json::exception&) {
      return {};
    }
  }
  const Part& part_;
  const AppFileReader& reader_;
};

// With the line of the field that a message of Validate begins with.
Error Located(const Part& part, Error error) {
  if (error.id != ErrorId::kAppInvalid) return error;
  const std::string_view field = std::string_view(error.message).substr(0, error.message.find(':'));
  std::string pointer = "/" + std::string(field);
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  const std::string at = part.map.At(pointer);
  return at.empty() ? error : std::move(error).Context(at);
}

}  // namespace

Result<AppDocument> ReadAppFile(std::string_view text, std::string_view file, const std::string& name,
                                const AppFileReader& reader) {
  OTE_TRY(const auto parts, Split(text, file));
  if (parts.empty()) return Fail(ErrorId::kAppInvalid, fmt::format("{}: there is no app in it", file));
  const auto& first = parts.front();
  const FormReader head(first, reader);
  AppDocument out;
  const bool headed = IsHead(first.json);
  const bool manifests = first.json.is_object() && first.json.contains("apiVersion") && first.json.contains("kind");
  if (headed ? parts.size() == 1 : !manifests) {
    if (parts.size() > 1) {
      return Fail(ErrorId::kAppInvalid, fmt::format("{}: the short form is one document", FirstLine(parts[1])),
                  "manifests stand after a document with apiVersion: ote/v1 and kind: App");
    }
    OTE_TRY(out, head.ReadShort());
  } else {
    if (headed) {
      OTE_TRY(out, head.ReadHead());
    }
    std::string object;
    for (std::size_t i = headed ? 1 : 0; i < parts.size(); ++i) {
      OTE_TRY(const auto found, FormReader(parts[i], reader).CheckManifest());
      if (object.empty()) object = found;
    }
    if (!headed) out.spec.name = name.empty() ? object : name;
    // Written anew, so that the same objects are the same revision, whatever comments and blanks stand around them.
    for (std::size_t i = headed ? 1 : 0; i < parts.size(); ++i) {
      out.spec.workload.manifests += "---\n" + DumpYaml(parts[i].json);
      if (!out.spec.workload.manifests.ends_with('\n')) out.spec.workload.manifests += '\n';
    }
  }
  if (auto valid = Validate(out.spec); !valid) return Fail(Located(first, std::move(valid).error()));
  return out;
}

}  // namespace ote::api
