// The lines between an agent and a shim that is a program of somebody else: ote-shim(7). One JSON document a line, at
// most kLongestLine bytes, in both directions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/shim/shim.h"
#include "core/api/app.h"
#include "core/api/capacity.h"
#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::agent::program {

inline constexpr std::int64_t kVersion = 1;
inline constexpr std::size_t kLongestLine = 1 << 20;

enum class Verb { kHello, kApply, kRemove, kRestart, kDiff, kLogs, kCancel };

// What the agent says. Fields that a verb does not use are left out.
struct Request {
  std::int64_t id = 0;
  Verb verb = Verb::kHello;
  std::optional<std::int64_t> ote;                          // hello: the version
  std::optional<std::string> cluster;                       // hello
  std::optional<std::string> folder;                        // hello: the shim's own
  std::optional<std::vector<std::string>> wanted;           // hello: what else runs is to be stopped
  std::optional<api::Assignment> assignment;                // apply, diff
  std::optional<std::map<std::string, std::string>> files;  // apply, diff: where the content of a digest lies
  std::optional<std::string> app;                           // remove, restart, logs: its key
  std::optional<std::string> replica;                       // logs
  std::optional<std::int64_t> tail;                         // logs
  std::optional<bool> follow;                               // logs
  std::optional<std::int64_t> of;                           // cancel: the id of the logs that nobody reads any more

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("do", self.verb, kRequired);
    v("ote", self.ote);
    v("cluster", self.cluster);
    v("folder", self.folder);
    v("wanted", self.wanted);
    v("assignment", self.assignment);
    v("files", self.files);
    v("app", self.app);
    v("replica", self.replica);
    v("tail", self.tail);
    v("follow", self.follow);
    v("of", self.of);
  }
};

struct Failure {
  std::string message;
  std::string code;  // of `ote explain`, when one fits

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("message", self.message, kRequired);
    v("code", self.code);
  }
};
// To a request that went well: hello tells ote and name, diff tells text.
struct Success {
  std::optional<std::int64_t> ote;
  std::string name;
  std::string text;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("ote", self.ote);
    v("name", self.name);
    v("text", self.text);
  }
};
struct LineEvent {
  std::int64_t id = 0;  // of the request for logs
  UnixMillis at = 0;
  std::string replica;
  std::string text;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("at", self.at);
    v("replica", self.replica);
    v("text", self.text, kRequired);
  }
};

// What the program says: an answer, which has an id and one of ok and error, or exactly one event.
struct Answer {
  std::optional<std::int64_t> id;
  std::optional<Success> ok;
  std::optional<Failure> error;
  std::optional<api::AppStatus> status;
  std::optional<api::ShimStatus> cluster;
  std::optional<api::ClusterEvent> happened;
  std::optional<LineEvent> line;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id);
    v("ok", self.ok);
    v("error", self.error);
    v("status", self.status);
    v("cluster", self.cluster);
    v("happened", self.happened);
    v("line", self.line);
  }
};

// kShimProtocol, with the beginning of the line, for one that is none of these. Unknown fields are passed over.
Result<Answer> ParseAnswer(std::string_view line);
// kShimFailed when it would be too long.
Result<std::string> DumpRequest(const Request& request);
// What an answer says, as an error of ours: a code that we know stays what it is.
Error ErrorOf(const Failure& failure);

}  // namespace ote::agent::program

template <>
struct ote::EnumNames<ote::agent::program::Verb> {
  using E = ote::agent::program::Verb;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kHello, "hello"}, {E::kApply, "apply"}, {E::kRemove, "remove"}, {E::kRestart, "restart"},
      {E::kDiff, "diff"},   {E::kLogs, "logs"},   {E::kCancel, "cancel"}};
};
