// A tree with data sets and runs, for tests: what the command line does, asked for in one line each.
//
// Training happens in the agents' worker threads, in real time; Until() goes on stepping the tree until it shows, and
// lets the clock go at most ten times as fast as that of the machine while a worker has something to do.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/api/requests.h"
#include "test/fake/tree.h"

namespace ote::test {

class RunTree : public Tree {
 public:
  // Two classes that a line tells apart, the features shifted a little for each site.
  static std::string Csv(int seed, int rows) {
    std::string text = "a,b,label\n";
    std::uint64_t state = static_cast<std::uint64_t>(seed) * 977 + 1;
    const auto next = [&state] {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return static_cast<double>(state >> 40) / static_cast<double>(1 << 24) - 0.5;
    };
    for (int i = 0; i < rows; ++i) {
      const double a = next();
      const double b = next();
      text += fmt::format("{:.4f},{:.4f},{}\n", a, b, a + b + 0.1 * next() > 0 ? "yes" : "no");
    }
    return text;
  }

  std::filesystem::path WriteData(const std::string& site, const std::string& text) {
    const auto path = scratch() / (site + ".csv");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    return path;
  }

  Result<api::Dataset> AddData(const std::string& site, const std::string& name, const std::filesystem::path& path,
                               bool replace = false) {
    api::DataAddRequest request;
    request.dataset.name = name;
    request.dataset.path = path;
    request.dataset.label = "label";
    request.replace = replace;
    auto added = Ask<api::Dataset>(site, api::verb::kDataAdd, request);
    Settle();
    return added;
  }

  // Members with the data set "points", of other rows each.
  void JoinSites(const std::vector<std::string>& names) {
    int seed = 0;
    for (const auto& name : names) {
      Join(name);
      ++seed;
      Must(AddData(name, "points", WriteData(name, Csv(seed, 60 + 20 * seed))));
    }
  }

  static api::RunSpec Spec(std::int64_t rounds = 3) {
    api::RunSpec spec;
    spec.name = "trial";
    spec.dataset = "points";
    spec.rounds = rounds;
    spec.sites.deadline = "60s";
    spec.training.epochs = 5;
    spec.training.learning_rate = 0.5;
    return spec;
  }
  Result<api::Run> StartRun(const api::RunSpec& spec, const std::string& request_id = {}, bool dry_run = false) {
    return Ask<api::Run>("hq", api::verb::kFlStart, api::StartRequest{spec, request_id, dry_run});
  }
  api::Run Show(const std::string& name = "trial") {
    return Must(Ask<api::Run>("hq", api::verb::kFlShow, api::NameRequest{name}));
  }
  std::vector<api::RunEvent> Events(const std::string& name = "trial", std::int64_t after = 0) {
    std::vector<api::RunEvent> events;
    auto client = Operator("hq");
    Must(client.Stream(api::verb::kFlWatch, ToJson(api::WatchRequest{name, after, false}), std::chrono::seconds(20),
                       [&](wire::Envelope&& item) -> Result<void> {
                         OTE_TRY(auto event, FromWire<api::RunEvent>(item.body));
                         events.push_back(std::move(event));
                         clock.Advance(std::chrono::milliseconds(1));  // a long history comes with pauses
                         return {};
                       }));
    return events;
  }
  bool Happened(const std::string& kind, const std::string& name = "trial") {
    for (const auto& event : Events(name)) {
      if (event.kind == kind) return true;
    }
    return false;
  }

  // Steps the tree, the clock going on a little each time, until `done`. False after 30 seconds of real time.
  bool Until(const std::function<bool()>& done, std::chrono::milliseconds step = std::chrono::milliseconds(20)) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      clock.Advance(step);
      Settle(2);
      // The deadlines of the tree do not run away from workers that a busy machine gives no time.
      Busy() ? std::this_thread::sleep_for(step / 10) : std::this_thread::yield();
    }
    return true;
  }
  // The run when it has ended.
  api::Run Finish(const std::string& name = "trial") {
    api::Run run;
    Until([&] { return (run = Show(name)).Over(); });
    return run;
  }
};

}  // namespace ote::test
