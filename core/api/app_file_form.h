// The short form of the app file as it is written. Fields that have several spellings are Json here, and read after.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/app_spec.h"

namespace ote::api::form {

struct File {
  std::string path;
  std::optional<std::string> content;
  std::optional<std::string> source;  // a path beside the app file
  std::string mode = "0644";
  bool secret = false;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("path", self.path, kRequired);
    v("content", self.content);
    v("source", self.source);
    v("mode", self.mode);
    v("secret", self.secret);
  }
};
struct Resources {
  Json cpu;
  Json memory;
  Json disk;
  Json accelerator;  // a count, or {kind, count}
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cpu", self.cpu);
    v("memory", self.memory);
    v("disk", self.disk);
    v("accelerator", self.accelerator);
  }
};
struct Accelerator {
  std::string kind;
  std::int64_t count = 1;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("count", self.count);
  }
};
struct Http {
  std::int64_t port = 0;
  std::string path = "/";
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("port", self.port, kRequired);
    v("path", self.path);
  }
};
struct Tcp {
  std::int64_t port = 0;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("port", self.port, kRequired);
  }
};
struct Check {
  std::optional<std::vector<std::string>> exec;
  std::optional<Http> http;
  std::optional<Tcp> tcp;
  std::string interval = "10s";
  std::string timeout = "2s";
  std::int64_t failures = 3;
  std::string start = "5s";
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("exec", self.exec);
    v("http", self.http);
    v("tcp", self.tcp);
    v("interval", self.interval);
    v("timeout", self.timeout);
    v("failures", self.failures);
    v("start", self.start);
  }
};
struct Roll {
  Json max_unavailable;
  std::string canary;
  std::string health_timeout = "5m";
  OnFailure on_failure = OnFailure::kStop;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("maxUnavailable", self.max_unavailable);
    v("canary", self.canary);
    v("healthTimeout", self.health_timeout);
    v("onFailure", self.on_failure);
  }
};
struct Secret {
  std::optional<std::string> file;
  std::optional<std::string> env;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("file", self.file);
    v("env", self.env);
  }
};
struct SecretValue {
  Secret secret;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("secret", self.secret, kRequired);
  }
};

// What stands before manifests.
struct Head {
  std::string api_version;
  std::string kind;
  std::string name;
  PlacementSpec placement;
  Roll rollout;
  std::string replace_after = "0s";
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("apiVersion", self.api_version);
    v("kind", self.kind);
    v("name", self.name, kRequired);
    v("placement", self.placement);
    v("rollout", self.rollout);
    v("replaceAfter", self.replace_after);
  }
};
struct Short : Head {
  std::vector<std::string> command;
  std::string image;
  std::string executable;
  std::map<std::string, Json> env;
  std::vector<File> files;
  std::vector<AppPort> ports;
  Resources resources;
  std::optional<Check> health;
  std::int64_t replicas = 1;
  RestartPolicy restart = RestartPolicy::kAlways;
  UpdateKind update = UpdateKind::kRolling;
  std::string stop_timeout = "10s";
  Isolation isolation = Isolation::kAuto;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    Head::Fields(self, v);
    v("command", self.command);
    v("image", self.image);
    v("executable", self.executable);
    v("env", self.env);
    v("files", self.files);
    v("ports", self.ports);
    v("resources", self.resources);
    v("healthCheck", self.health);
    v("replicas", self.replicas);
    v("restart", self.restart);
    v("update", self.update);
    v("stopTimeout", self.stop_timeout);
    v("isolation", self.isolation);
  }
};

}  // namespace ote::api::form
