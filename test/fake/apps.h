// What apps need around them, for tests: a shim that runs nothing, a bus and a board that all agents of a test share,
// and a tree of agents with the desks of apps. What would be on disk or in processes of its own outlives the agents.
#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/apps/app_desk.h"
#include "agent/apps/log_desk.h"
#include "agent/apps/site_desk.h"
#include "test/fake/tree.h"

namespace ote::test {

// What runs on a cluster.
struct FakeWorld {
  std::map<std::string, api::Assignment> running;
  std::map<std::string, int> starts;  // by key: how often something was started anew
  std::vector<std::string> lines;     // that each app prints
};

class FakeShim final : public agent::Shim {
 public:
  // What becomes of an assignment; by default it is healthy.
  std::function<api::AppPhase(const api::Assignment&)> fate = [](const auto&) { return api::AppPhase::kHealthy; };
  std::string refuses;  // every Apply, with this

  FakeShim(FakeWorld& world, std::function<void(std::function<void()>)> post)
      : world_(world), post_([post, alive = std::weak_ptr<bool>(alive_)](std::function<void()> fn) {
          post([fn = std::move(fn), alive] {
            if (alive.lock()) fn();
          });
        }) {}
  std::string Name() const override { return "fake"; }
  Result<void> Start(Hooks hooks, const std::vector<api::Assignment>& wanted) override {
    hooks_ = std::move(hooks);
    std::map<std::string, api::Assignment> all;
    for (const auto& assignment : wanted) all.emplace(assignment.Key(), assignment);
    for (const auto& [key, assignment] : all) {
      if (!world_.running.contains(key)) ++world_.starts[key];
    }
    world_.running = all;
    post_([this] {
      api::ShimStatus status;
      status.shim = "fake";
      status.capacity.cpu_milli = 4000;
      status.capacity.memory = 8LL << 30;
      hooks_.cluster(status);
      for (const auto& [key, assignment] : world_.running) Tell(assignment, fate(assignment));
    });
    return {};
  }
  void Apply(const api::Assignment& assignment, Done done) override {
    if (!refuses.empty()) return post_([done, why = refuses] { done(Fail(ErrorId::kShimFailed, why)); });
    const auto key = assignment.Key();
    const auto it = world_.running.find(key);
    if (it == world_.running.end() || it->second.digest != assignment.digest) ++world_.starts[key];
    world_.running.insert_or_assign(key, assignment);
    post_([this, done, assignment] {
      done({});
      Tell(assignment, fate(assignment));
    });
  }
  void Remove(const std::string& key, Done done) override {
    world_.running.erase(key);
    post_([done] { done({}); });
  }
  void Restart(const std::string& key, Done done) override {
    ++world_.starts[key];
    post_([done] { done({}); });
  }
  void Diff(const api::Assignment& assignment, std::function<void(Result<std::string>)> done) override {
    const auto it = world_.running.find(assignment.Key());
    const bool same = it != world_.running.end() && it->second.digest == assignment.digest;
    post_([done, same] { done(same ? "" : "+ another workload\n"); });
  }
  std::function<void()> Logs(const agent::LogQuery& query, std::function<bool(const agent::LogLine&)> line,
                             Done done) override {
    const auto count = std::min<std::size_t>(world_.lines.size(), static_cast<std::size_t>(query.tail));
    std::vector<std::string> tail(world_.lines.end() - static_cast<std::ptrdiff_t>(count), world_.lines.end());
    post_([line, tail, done, follow = query.follow] {
      for (const auto& text : tail) line({0, "web-0", text});
      if (!follow) done({});
    });
    if (query.follow) followers_.push_back(line);
    return [this] { ++cancelled; };
  }
  void Print(const std::string& text) {
    world_.lines.push_back(text);
    for (const auto& line : followers_) line({0, "web-0", text});
  }
  void Tell(const api::Assignment& assignment, api::AppPhase phase, const std::string& message = {}) {
    api::AppStatus status;
    status.app = assignment.app;
    status.from = assignment.from;
    status.revision = assignment.revision;
    status.phase = phase;
    status.wanted = assignment.workload.replicas;
    status.healthy = phase == api::AppPhase::kHealthy ? status.wanted : 0;
    status.message = message;
    hooks_.app(status);
  }
  int cancelled = 0;

 private:
  FakeWorld& world_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::function<void(std::function<void()>)> post_;
  Hooks hooks_;
  std::vector<std::function<bool(const agent::LogLine&)>> followers_;
};

class FakeBus;
// Commands that are on their way, and what came of them: as on the disks of all agents.
struct FakePost {
  std::map<std::string, FakeBus*> buses;  // of those that run
  std::set<std::string> cut;              // no line to these
  std::vector<std::pair<std::string, api::Command>> queue;
  std::map<std::string, std::string> requests;  // request id -> command id
  std::map<std::string, std::vector<api::CommandOutcome>> outcomes;
  int issued = 0;
  void Deliver();
};
class FakeBus final : public agent::CommandBus {
 public:
  FakeBus(FakePost& post, std::string name) : post_(post), name_(std::move(name)) { post_.buses[name_] = this; }
  ~FakeBus() override { post_.buses.erase(name_); }
  Result<std::string> Issue(const Order& order, const std::vector<std::string>& clusters) override {
    if (!order.request_id.empty()) {
      if (const auto it = post_.requests.find(order.request_id); it != post_.requests.end()) return it->second;
    }
    api::Command command;
    command.id = fmt::format("command-{}", ++post_.issued);
    command.issuer = name_;
    command.verb = order.verb;
    command.body = order.body;
    command.by = order.by;
    command.replaces = order.replaces;
    if (!order.request_id.empty()) post_.requests[order.request_id] = command.id;
    for (const auto& cluster : clusters) {
      std::erase_if(post_.queue, [&](const auto& queued) {
        return !command.replaces.empty() && queued.first == cluster && queued.second.replaces == command.replaces;
      });
      post_.queue.emplace_back(cluster, command);
    }
    return command.id;
  }
  std::vector<api::CommandOutcome> OutcomesOf(const std::string& id) const override {
    const auto it = post_.outcomes.find(id);
    return it == post_.outcomes.end() ? std::vector<api::CommandOutcome>() : it->second;
  }
  void Handle(std::string_view verb, bool, std::function<void(const api::Command&, Done)> execute) override {
    handlers_[std::string(verb)] = std::move(execute);
  }
  void OnOutcome(std::function<void(const api::CommandOutcome&)> fn) override { told_ = std::move(fn); }

 private:
  friend struct FakePost;
  FakePost& post_;
  std::string name_;
  std::map<std::string, std::function<void(const api::Command&, Done)>> handlers_;
  std::function<void(const api::CommandOutcome&)> told_;
};
inline void FakePost::Deliver() {
  auto all = std::exchange(queue, {});
  for (auto& [cluster, command] : all) {
    const auto bus = buses.find(cluster);
    const bool there =
        bus != buses.end() && buses.contains(command.issuer) && (cluster == command.issuer || !cut.contains(cluster));
    if (!there) {
      queue.emplace_back(cluster, command);
      continue;
    }
    const auto handler = bus->second->handlers_.find(command.verb);
    if (handler == bus->second->handlers_.end()) continue;
    handler->second(command, [this, to = cluster, command = command](Result<Json> result) {
      api::CommandOutcome outcome;
      outcome.id = command.id;
      outcome.issuer = command.issuer;
      outcome.cluster = to;
      outcome.phase = result ? api::CommandPhase::kDone : api::CommandPhase::kFailed;
      if (result) outcome.result = *result;
      if (!result) outcome.message = result.error().message;
      outcomes[outcome.id].push_back(outcome);
      if (const auto issuer = buses.find(command.issuer); issuer != buses.end() && issuer->second->told_) {
        issuer->second->told_(outcome);
      }
    });
  }
}

class FakeBoard;
struct FakeState {
  using Things = std::map<std::string, std::map<std::string, Json>>;  // by kind and name
  std::map<std::string, Things> own;
  std::map<std::string, Things> seen;  // at the root
  std::map<std::string, FakeBoard*> boards;
  std::set<std::string>* cut = nullptr;
  std::string root = "hq";
  void Changed(const std::string& cluster, const std::string& kind, const std::string& name);
  void Mend(const std::string& cluster);
};
class FakeBoard final : public agent::StateBoard {
 public:
  FakeBoard(FakeState& state, std::string name) : state_(state), name_(std::move(name)) { state_.boards[name_] = this; }
  ~FakeBoard() override { state_.boards.erase(name_); }
  void Set(std::string_view kind, const std::string& name, Json value) override {
    auto& thing = state_.own[name_][std::string(kind)][name];
    if (thing == value) return;
    thing = std::move(value);
    state_.Changed(name_, std::string(kind), name);
  }
  void Remove(std::string_view kind, const std::string& name) override {
    if (state_.own[name_][std::string(kind)].erase(name) > 0) state_.Changed(name_, std::string(kind), name);
  }
  std::map<std::string, Json> List(const std::string& cluster, std::string_view kind) const override {
    auto& all = cluster == name_ ? state_.own : state_.seen;
    return all[cluster][std::string(kind)];
  }
  UnixMillis FreshAt(const std::string&) const override { return 0; }
  void OnChange(Changed fn) override { listeners_.push_back(std::move(fn)); }

 private:
  friend struct FakeState;
  void Tell(const std::string& cluster, const std::string& kind, const std::string& name, const Json* value) {
    for (const auto& listener : listeners_) listener(cluster, kind, name, value);
  }
  FakeState& state_;
  std::string name_;
  std::vector<Changed> listeners_;
};
inline void FakeState::Changed(const std::string& cluster, const std::string& kind, const std::string& name) {
  const auto tell = [&](const std::string& at) {
    const auto board = boards.find(at);
    if (board == boards.end()) return;
    const auto& things = own[cluster][kind];
    const auto it = things.find(name);
    board->second->Tell(cluster, kind, name, it == things.end() ? nullptr : &it->second);
  };
  tell(cluster);
  if (cluster == root || (cut != nullptr && cut->contains(cluster))) return;
  seen[cluster] = own[cluster];
  tell(root);
}
inline void FakeState::Mend(const std::string& cluster) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [kind, things] : own[cluster]) {
    for (const auto& [name, value] : things) all.emplace_back(kind, name);
  }
  for (const auto& [kind, name] : all) Changed(cluster, kind, name);
}

class AppTree : public Tree {
 public:
  struct Desks {
    std::unique_ptr<FakeShim> shim;
    std::unique_ptr<FakeBus> bus;
    std::unique_ptr<FakeBoard> board;
    std::unique_ptr<agent::SiteDesk> site;
    std::unique_ptr<agent::AppDesk> apps;
    std::unique_ptr<agent::LogDesk> logs;
    ~Desks() {
      logs.reset();
      apps.reset();
      site.reset();
      shim.reset();
    }
  };
  AppTree() {
    state_.cut = &post.cut;
    Furnish("hq", false);
  }
  ~AppTree() { desks_.clear(); }

  void Cluster(const std::string& name, const api::Labels& labels = {}) {
    Join(name, labels);
    Furnish(name, true);
    Run();
  }
  // The same below a relay that takes children.
  void ClusterAt(const std::string& parent, const std::string& name, const api::Labels& labels = {}) {
    JoinAt(parent, name, false, labels);
    Furnish(name, true);
    Run();
  }
  Desks& At(const std::string& name) { return *desks_.at(name); }
  FakeWorld& World(const std::string& name) { return worlds_[name]; }
  bool HasDesks(const std::string& name) const { return desks_.contains(name); }

  // As SIGKILL: what is on disk and what runs stays.
  void Kill(const std::string& name) {
    desks_.erase(name);
    StopNode(name);
  }
  void Revive(const std::string& name) {
    StartNode(name);
    Furnish(name, name != "hq");
    Run();
  }
  // The line to a cluster is cut for commands and reports; the members are told by the time that passes.
  void Cut(const std::string& name) {
    post.cut.insert(name);
    Hold(name, [] { return false; });
  }
  // Steps an agent alone, which has no line.
  void Alone(const std::string& name, int rounds = 12) {
    for (int i = 0; i < rounds; ++i) Node(name).Step({});
  }
  void Mend(const std::string& name) {
    post.cut.erase(name);
    Hold(name, [] { return true; });
    state_.Mend(name);
    Pass(std::chrono::seconds(15));
    Run();
  }
  void Run(int rounds = 6) {
    for (int i = 0; i < rounds; ++i) {
      clock.Advance(std::chrono::milliseconds(60));
      Settle(3);
      post.Deliver();
    }
    Settle(3);
  }
  Json Told(const std::string& cluster, const std::string& key) { return state_.own[cluster]["app"][key]; }

  FakePost post;

 private:
  void Furnish(const std::string& name, bool shim) {
    auto desks = std::make_unique<Desks>();
    auto& context = Node(name).context();
    desks->bus = std::make_unique<FakeBus>(post, name);
    desks->board = std::make_unique<FakeBoard>(state_, name);
    if (shim) {
      desks->shim = std::make_unique<FakeShim>(worlds_[name], context.post);
      if (fates.contains(name)) desks->shim->fate = fates[name];
      desks->site = std::make_unique<agent::SiteDesk>(
          context, *desks->shim, *desks->bus, *desks->board,
          [this, name, &context](const std::string& from, const api::AppFile& file, agent::SiteDesk::Done done) {
            context.post([this, name, &context, from, file, done] {
              if (post.cut.contains(name) || !Runs(from)) return done(Fail(ErrorId::kUnreachable, "the line is cut"));
              const auto bytes = Node(from).context().artifacts.Get(file.digest);
              if (!bytes) return done(Fail(bytes.error()));
              done(context.artifacts.Put(file.digest, *bytes));
            });
          });
      Must(desks->site->Start());
    }
    desks->apps = std::make_unique<agent::AppDesk>(
        context, Node(name).members(), *desks->bus, *desks->board, desks->site.get(),
        agent::AppDesk::Grants{
            [this](const std::string& cluster, const std::string& digest) { ++grants[cluster + " " + digest]; },
            [this](const std::string& cluster, const std::string& digest) { --grants[cluster + " " + digest]; }});
    Must(desks->apps->Start());
    desks->logs = std::make_unique<agent::LogDesk>(context, Node(name).members(), *desks->apps, desks->shim.get());
    desks->logs->Start();
    desks_[name] = std::move(desks);
  }

 public:
  std::map<std::string, std::function<api::AppPhase(const api::Assignment&)>> fates;  // by cluster, for the next start
  std::map<std::string, int> grants;

 private:
  FakeState state_;
  std::map<std::string, FakeWorld> worlds_;
  std::map<std::string, std::unique_ptr<Desks>> desks_;
};

}  // namespace ote::test
