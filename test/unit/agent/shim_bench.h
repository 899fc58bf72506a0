// What the tests of shims stand on: a folder, artifacts, and the agent's thread, which is the test's own.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/shim/shim.h"
#include "core/base/ids.h"
#include "crypto/digest.h"

namespace ote::agent {

inline api::Assignment Assigned(const std::string& app, std::int64_t revision, api::Workload workload) {
  api::Assignment assignment;
  assignment.app = app;
  assignment.revision = revision;
  assignment.digest = api::DigestOf(workload);
  assignment.workload = std::move(workload);
  return assignment;
}

struct ShimBench {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / NewId("ote-shim");
  std::unique_ptr<Shim> shim;
  std::map<std::string, api::AppStatus> apps;
  std::vector<api::ClusterEvent> events;
  std::vector<api::ShimStatus> clusters;
  std::map<std::string, std::filesystem::path> artifacts;

  ShimBench() { std::filesystem::create_directories(folder); }
  ~ShimBench() {
    shim.reset();
    std::filesystem::remove_all(folder);
  }

  static std::filesystem::path Beside(const std::string& program) {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
  }
  ShimContext Context() {
    ShimContext context;
    context.folder = folder / "shim";
    context.cluster = "edge-1";
    context.self = Beside("ote-agent");
    context.artifact = [this](const std::string& digest) -> Result<std::filesystem::path> {
      const auto it = artifacts.find(digest);
      if (it == artifacts.end()) return Fail(ErrorId::kNotFound, digest + ": not here");
      return it->second;
    };
    context.post = [this](std::function<void()> fn) {
      const std::lock_guard lock(mutex);
      posted.push_back(std::move(fn));
      wake.notify_one();
    };
    return context;
  }
  Shim::Hooks Hooks() {
    Shim::Hooks hooks;
    hooks.app = [this](const api::AppStatus& status) { apps[status.Key()] = status; };
    hooks.cluster = [this](const api::ShimStatus& status) { clusters.push_back(status); };
    hooks.happened = [this](const api::ClusterEvent& event) { events.push_back(event); };
    return hooks;
  }
  // Runs what is posted until it holds; false after a time that is long for anything here.
  bool Until(const std::function<bool()>& holds, std::chrono::seconds patience = std::chrono::seconds(40)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
      std::unique_lock lock(mutex);
      if (!wake.wait_until(lock, end, [this] { return !posted.empty(); })) return false;
      auto fn = std::move(posted.front());
      posted.pop_front();
      lock.unlock();
      fn();
    }
    return true;
  }
  // Asks until it holds: for what nobody tells. Each time is to wait for an answer of the shim itself.
  static bool Again(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
  template <class F>
  Result<void> Wait(F&& call) {
    std::optional<Result<void>> result;
    call([&result](Result<void> done) { result = std::move(done); });
    REQUIRE_FALSE(result);  // never within the call
    REQUIRE(Until([&result] { return result.has_value(); }));
    return *result;
  }
  Result<void> Apply(const api::Assignment& assignment) {
    return Wait([&](Shim::Done done) { shim->Apply(assignment, std::move(done)); });
  }
  Result<void> Remove(const std::string& key) {
    return Wait([&](Shim::Done done) { shim->Remove(key, std::move(done)); });
  }
  Result<void> Restart(const std::string& key) {
    return Wait([&](Shim::Done done) { shim->Restart(key, std::move(done)); });
  }
  std::optional<std::string> Diff(const std::string& key, const api::Workload& workload = {}) {
    std::optional<Result<std::string>> text;
    shim->Diff(Assigned(key, 1, workload), [&text](Result<std::string> result) { text = std::move(result); });
    if (!Until([&text] { return text.has_value(); }) || !*text) return std::nullopt;
    return **text;
  }
  bool Phase(const std::string& key, api::AppPhase phase, std::int64_t revision = 0) {
    const auto it = apps.find(key);
    return it != apps.end() && it->second.phase == phase && (revision == 0 || it->second.revision == revision);
  }
  bool UntilPhase(const std::string& key, api::AppPhase phase, std::int64_t revision = 0) {
    return Until([&] { return Phase(key, phase, revision); });
  }
  bool Happened(const std::string& kind, const std::string& part = {}) const {
    for (const auto& event : events) {
      if (event.kind == kind && event.message.find(part) != std::string::npos) return true;
    }
    return false;
  }
  // The texts of a log, as it is now.
  std::vector<std::string> Lines(const std::string& key, std::int64_t tail = 100) {
    std::vector<std::string> lines;
    LogQuery query;
    query.app = key;
    query.tail = tail;
    const auto done = Wait([&](Shim::Done end) {
      shim->Logs(
          query,
          [&lines](const LogLine& line) {
            lines.push_back(line.text);
            return true;
          },
          std::move(end));
    });
    CHECK(done);
    return lines;
  }
  std::string Artifact(const std::string& content) {
    const auto digest = crypto::DigestOf(AsBytes(content)).ToString();
    const auto path = folder / ("artifact-" + digest.substr(digest.size() - 16));
    std::ofstream(path) << content;
    artifacts[digest] = path;
    return digest;
  }

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> posted;
};

}  // namespace ote::agent
