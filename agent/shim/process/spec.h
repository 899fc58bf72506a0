// What a supervisor is told and what it tells: the files of a replica's folder, and the lines on its socket.
//
//   spec.json    what to run; written by the shim before the supervisor starts
//   state.json   how it is; written by the supervisor, whole, at each change
//   lock         held by the supervisor as long as it lives
//   socket       where it takes orders, a JSON document a line: {"order":"stop"} or {"order":"restart"}, and tells its
//                state and what happened: {"state":{…}}, {"happened":{…}}
//   work/        the working folder of the command, with its files
//   tmp/         its TMPDIR
//   mounts/      files that it finds at absolute paths, when it is isolated
//   log, log.1…  what it printed
//
// All but what the command makes itself is for the user of the agent alone: a spec has the values of secrets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/app.h"
#include "core/api/capacity.h"
#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::agent::process {

// How patient a supervisor is, and how much it keeps. Tests shorten it.
struct Patience {
  std::int64_t back_off_ms = 1'000;         // before the first restart; doubles
  std::int64_t back_off_most_ms = 300'000;  // and is never more
  std::int64_t steady_ms = 600'000;         // begins anew after running this long
  std::int64_t log_bytes = 10 << 20;        // of one log file
  std::int64_t log_files = 3;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("backOffMs", self.back_off_ms);
    v("backOffMostMs", self.back_off_most_ms);
    v("steadyMs", self.steady_ms);
    v("logBytes", self.log_bytes);
    v("logFiles", self.log_files);
  }
  friend bool operator==(const Patience&, const Patience&) = default;
};

struct ReplicaSpec {
  std::string key;  // of the assignment
  std::string app;
  std::string name;   // of the replica
  std::string build;  // what is equal for replicas that run the same
  std::int64_t index = 0;
  std::int64_t revision = 0;
  std::string cluster;
  std::string hide;  // the state folder of the agent: an isolated command does not see it
  api::Workload workload;
  Patience patience;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("key", self.key, kRequired);
    v("app", self.app, kRequired);
    v("name", self.name, kRequired);
    v("build", self.build, kRequired);
    v("index", self.index);
    v("revision", self.revision);
    v("cluster", self.cluster);
    v("hide", self.hide);
    v("workload", self.workload, kRequired);
    v("patience", self.patience);
  }
  friend bool operator==(const ReplicaSpec&, const ReplicaSpec&) = default;
};

struct ReplicaState {
  api::AppPhase phase = api::AppPhase::kPending;
  std::string message;
  std::string code;        // OTE-E1104
  std::int64_t pid = 0;    // of the command; 0 when it does not run
  std::int64_t ticks = 0;  // when that began, as /proc/PID/stat counts: a pid may be given to another
  std::string boot;        // since which boot they count
  std::string group;       // its control group, "" for none
  std::int64_t restarts = 0;
  std::string last_exit;  // "exited with 1"
  std::string limits;     // by which means
  bool was_healthy = false;
  bool finished = false;  // ended, and is not to be started again
  UnixMillis since = 0;   // when the phase began

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("phase", self.phase, kRequired);
    v("message", self.message);
    v("code", self.code);
    v("pid", self.pid);
    v("ticks", self.ticks);
    v("boot", self.boot);
    v("group", self.group);
    v("restarts", self.restarts);
    v("lastExit", self.last_exit);
    v("limits", self.limits);
    v("wasHealthy", self.was_healthy);
    v("finished", self.finished);
    v("since", self.since);
  }
  friend bool operator==(const ReplicaState&, const ReplicaState&) = default;
};

enum class Order { kStop, kRestart };

struct SupervisorLine {
  std::optional<ReplicaState> state;
  std::optional<api::ClusterEvent> happened;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("state", self.state);
    v("happened", self.happened);
  }
};

// kMalformed and the codec's errors for what cannot be used.
Result<ReplicaSpec> ParseSpec(std::string_view text);
Result<ReplicaState> ParseState(std::string_view text);
Result<Order> ParseOrder(std::string_view line);
Result<SupervisorLine> ParseSupervisorLine(std::string_view line);
std::string OrderLine(Order order);

Result<ReplicaSpec> ReadSpec(const std::filesystem::path& folder);
Result<ReplicaState> ReadState(const std::filesystem::path& folder);
Result<void> WriteSpec(const std::filesystem::path& folder, const ReplicaSpec& spec);

// Whether the shim can run it at all, whatever the machine: kShimFailed with what is wrong.
Result<void> CheckWorkload(const api::Workload& workload);
// A path that stays in the folder it is joined to: relative, with no empty part, no "." and no "..".
bool StaysInside(std::string_view path);
// Of a workload, without what can change while its replicas run on: their number, and how they are replaced.
std::string BuildOf(const api::Workload& workload);

// Takes whole lines out of what came so far. A line that is longer than `most` ends the stream.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t most = 1 << 20) : most_(most) {}
  // Calls `line` for each that is whole; false when one is too long.
  template <class F>
  bool Take(std::string_view more, F&& line) {
    text_.append(more);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (end - begin > most_) return false;
      line(std::string_view(text_).substr(begin, end - begin));
    }
    text_.erase(0, begin);
    return text_.size() <= most_;
  }

 private:
  std::size_t most_;
  std::string text_;
};

}  // namespace ote::agent::process

template <>
struct ote::EnumNames<ote::agent::process::Order> {
  using E = ote::agent::process::Order;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kStop, "stop"}, {E::kRestart, "restart"}};
};
