// The kubernetes shim: apps as sets of objects that an API server keeps, and what it tells of them.
//
// Three threads beside the agent's: that of the client, in which watches and log streams live; one that applies and
// removes, one after the other; one that looks (diffs), so that neither waits for the other.
#include "agent/shim/shim.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>

#include "agent/shim/kubernetes/apply.h"
#include "agent/shim/kubernetes/client.h"
#include "agent/shim/kubernetes/logs.h"
#include "agent/shim/kubernetes/view.h"
#include "agent/worker.h"
#include "core/base/files.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::chrono::seconds kTryAgain{20};
constexpr std::chrono::seconds kTryAgainMost{600};  // what was refused: rights, kinds and namespaces may come later
constexpr std::chrono::seconds kMakeAgain{3};       // what somebody else removed
constexpr std::chrono::seconds kLook{300};          // for what somebody changed that no watch tells

// What makes pods, and pods, with what they are to become: the health of an app is theirs.
std::vector<kube::AppFacts::Expected> ExpectedOf(const kube::ApplyRecord& record) {
  std::vector<kube::AppFacts::Expected> out;
  for (const auto& m : record.members) {
    const bool job = m.group == "batch" && m.kind == "Job";
    const bool lasting =
        (m.group.empty() && m.kind == "Pod") ||
        (m.group == "apps" && (m.kind == "Deployment" || m.kind == "StatefulSet" || m.kind == "DaemonSet"));
    if (job || lasting) out.push_back({m.uid, m.generation, lasting});
  }
  return out;
}

// What an apply came to, and what is on disk of it.
struct Outcome {
  Result<void> how{};
  kube::ApplyRecord record;
  std::vector<std::string> healed;
};

class KubernetesShim final : public Shim {
 public:
  KubernetesShim(ShimContext context, kube::Credentials credentials)
      : context_(std::move(context)),
        settings_{credentials.name_space, std::chrono::seconds(60)},
        client_(std::move(credentials)),
        changer_(client_, kube::Records(context_.folder / "applied"), context_.artifact, settings_, &stop_),
        looker_(client_, kube::Records(context_.folder / "applied"), context_.artifact, settings_, &stop_),
        changes_(context_.post),
        looks_(context_.post) {}

  ~KubernetesShim() override {
    alive_.reset();
    stop_ = true;
    for (const auto& reader : readers_) reader->Silence();
    if (view_ != nullptr) view_->Quiet();
    // First the thread of the client, so that whoever waits for an answer gets one; the workers end with that.
    client_.Stop();
    for (const auto& reader : readers_) reader->Close();
  }

  std::string Name() const override { return "kubernetes"; }

  Result<void> Start(Hooks hooks, const std::vector<api::Assignment>& wanted) override {
    OTE_CHECK(MakeFolder(context_.folder / "applied", 0700));
    OTE_TRY(const auto records, changer_.Files().All());
    hooks_ = std::move(hooks);
    StartView();
    LookLater();
    for (const auto& assignment : wanted) Want(assignment, nullptr);
    for (const auto& record : records) {
      if (!wanted_.contains(record.key)) Remove(record.key, [](const Result<void>&) {});
    }
    return {};
  }

  void Apply(const api::Assignment& assignment, Done done) override { Want(assignment, std::move(done)); }

  void Remove(const std::string& key, Done done) override {
    wanted_.erase(key);
    const std::string name = kube::NameOfKey(key);
    changes_.Run<Result<void>>(
        [this, key](const std::stop_token&) { return changer_.Remove(key); },
        [this, key, name, done = std::move(done)](Result<void> removed) {
          if (removed) {
            client_.After({}, [this, name] { view_->Forget(name); });
          } else if (!wanted_.contains(key)) {
            log::Warn("an app is not removed yet", {{"app", key}, {"why", removed.error().message}});
            Later(kTryAgain, [this, key] {
              if (!wanted_.contains(key)) Remove(key, [](const Result<void>&) {});
            });
          }
          done(std::move(removed));
        });
  }

  void Restart(const std::string& key, Done done) override {
    const std::string at = FormatTime(clock_.WallNow());
    changes_.Run<Result<void>>([this, key, at](const std::stop_token&) { return changer_.Restart(key, at); },
                               std::move(done));
  }

  void Diff(const api::Assignment& assignment, std::function<void(Result<std::string>)> done) override {
    looks_.Run<Result<std::string>>([this, assignment](const std::stop_token&) { return looker_.Diff(assignment); },
                                    std::move(done));
  }

  std::function<void()> Logs(const LogQuery& query, std::function<bool(const LogLine&)> line, Done done) override {
    const auto record = changer_.Files().Load(query.app);
    auto spaces = record && *record ? (*record)->Spaces() : std::set<std::string>();
    auto reader = std::make_shared<kube::LogReader>(client_, context_.post, query, kube::NameOfKey(query.app),
                                                    std::move(spaces), std::move(line), std::move(done));
    std::erase_if(readers_, [](const auto& r) { return r->Closed(); });
    readers_.push_back(reader);
    reader->Start();
    return [reader = std::weak_ptr(reader), alive = seen_] {
      const auto still = reader.lock();
      if (still != nullptr && alive.lock()) still->Stop();
    };
  }

 private:
  struct Wanted {
    api::Assignment assignment;
    bool again_due = false;  // it will be applied again by itself
    int failures = 0;        // in a row, of this assignment
    bool settled = false;    // the last apply was good
    std::string told;        // the drift that an event told of
  };

  // Runs `fn` in the agent's thread, unless this is gone by then. Any thread.
  void Post(std::function<void()> fn) {
    context_.post([alive = seen_, fn = std::move(fn)] {
      if (alive.lock()) fn();
    });
  }
  void Later(std::chrono::milliseconds delay, std::function<void()> fn) {
    client_.After(delay, [this, fn = std::move(fn)] { Post(fn); });
  }

  void StartView() {
    kube::View::Hooks hooks;
    hooks.app = [this](const api::AppStatus& status) { Post([this, status] { hooks_.app(status); }); };
    hooks.cluster = [this](const api::ShimStatus& status) { Post([this, status] { hooks_.cluster(status); }); };
    hooks.happened = [this](const api::ClusterEvent& event) { Post([this, event] { hooks_.happened(event); }); };
    hooks.missing = [this](const std::string& name) { Post([this, name] { Missing(name); }); };
    view_ = std::make_unique<kube::View>(client_, std::move(hooks));
    client_.After({}, [this] { view_->Start(); });
  }

  void Want(const api::Assignment& assignment, Done done) {
    auto& wanted = wanted_[assignment.Key()];
    if (wanted.assignment.digest != assignment.digest) wanted.failures = 0;
    wanted.assignment = assignment;
    changes_.Run<Outcome>(
        [this, assignment](const std::stop_token&) {
          Outcome out;
          if (auto applied = changer_.Apply(assignment)) {
            out.record = std::move(*applied);
          } else {
            out.how = Fail(std::move(applied).error());
            if (auto kept = changer_.Files().Load(assignment.Key()); kept && *kept) out.record = std::move(**kept);
          }
          out.healed = changer_.Healed();
          return out;
        },
        [this, assignment, done = std::move(done)](const Outcome& outcome) {
          Applied(assignment, outcome);
          if (done) done(outcome.how);
        });
  }

  void Applied(const api::Assignment& assignment, const Outcome& outcome) {
    const std::string key = assignment.Key();
    for (const auto& what : outcome.healed) {
      log::Info("set right what somebody changed", {{"app", key}, {"object", what}});
      Happened("Healed", what, "somebody had changed or removed it: it is as the app has it again");
    }
    const auto it = wanted_.find(key);
    // Another one was wanted meanwhile: its own turn comes.
    if (it == wanted_.end() || it->second.assignment.digest != assignment.digest) return;
    Wanted& wanted = it->second;
    kube::AppFacts facts;
    facts.app = assignment.app;
    facts.from = assignment.from;
    facts.revision = wanted.assignment.revision;
    facts.spaces = outcome.record.Spaces();
    // What was applied whole runs, whatever stands against setting it right.
    const bool unreached = !outcome.how && outcome.how.error().id == ErrorId::kKubeUnreachable;
    const bool whole = outcome.record.digest == assignment.digest && outcome.record.revision == assignment.revision;
    wanted.settled = outcome.how.has_value();
    facts.applied = wanted.settled || (whole && !unreached);
    if (facts.applied) facts.expected = ExpectedOf(outcome.record);
    if (wanted.settled) {
      wanted.failures = 0;
      wanted.told.clear();
    } else {
      const Error& error = outcome.how.error();
      facts.code = error.Code();
      if (facts.applied) {
        facts.drift = error.message;
        if (wanted.told != error.message) Happened("Drifted", "app " + key, error.message);
        wanted.told = error.message;
      } else {
        facts.error = error.message;
        facts.failed = !unreached;
      }
      log::Warn("an app is not applied", {{"app", key}, {"why", error.message}});
      const int times = unreached ? 0 : std::min(wanted.failures++, 5);
      ApplyAgain(key, std::min(kTryAgainMost, kTryAgain * (1 << times)));
    }
    client_.After({}, [this, name = kube::NameOfKey(key), facts] { view_->Track(name, facts); });
  }

  void Happened(const char* kind, const std::string& subject, const std::string& message) {
    api::ClusterEvent event;
    event.at = clock_.WallNow();
    event.kind = kind;
    event.subject = subject;
    event.message = message;
    event.warning = true;
    hooks_.happened(event);
  }

  // Never at the same time as the agents of other clusters that share the server.
  void LookLater() {
    const int percent = std::uniform_int_distribution<int>(80, 120)(random_);
    Later(kLook * percent / 100, [this] {
      for (const auto& [key, wanted] : wanted_) {
        if (wanted.settled) Look(wanted.assignment);
      }
      LookLater();
    });
  }

  void Look(const api::Assignment& assignment) {
    looks_.Run<Result<std::string>>(
        [this, assignment](const std::stop_token&) { return looker_.Drift(assignment); },
        [this, assignment](const Result<std::string>& what) {
          const auto it = wanted_.find(assignment.Key());
          if (!what || what->empty() || it == wanted_.end() || it->second.assignment.digest != assignment.digest)
            return;
          const auto again = it->second.assignment;
          Want(again, nullptr);
        });
  }

  void ApplyAgain(const std::string& key, std::chrono::seconds delay) {
    const auto it = wanted_.find(key);
    if (it == wanted_.end() || it->second.again_due) return;
    it->second.again_due = true;
    Later(delay, [this, key] {
      const auto due = wanted_.find(key);
      if (due == wanted_.end()) return;
      due->second.again_due = false;
      const auto assignment = due->second.assignment;
      Want(assignment, nullptr);
    });
  }

  void Missing(const std::string& name) {
    for (const auto& [key, wanted] : wanted_) {
      if (kube::NameOfKey(key) == name) return ApplyAgain(key, kMakeAgain);
    }
  }

  ShimContext context_;
  SystemClock clock_;
  std::mt19937 random_{std::random_device{}()};
  kube::Applier::Settings settings_;
  std::atomic<bool> stop_{false};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  const std::weak_ptr<bool> seen_ = alive_;                     // any thread may copy it, while that goes
  Hooks hooks_;
  std::map<std::string, Wanted> wanted_;
  std::vector<std::shared_ptr<kube::LogReader>> readers_;
  kube::Client client_;
  std::unique_ptr<kube::View> view_;  // in the thread of the client
  kube::Applier changer_;             // of `changes_`
  kube::Applier looker_;              // of `looks_`
  Worker changes_;
  Worker looks_;
};

}  // namespace

Result<std::unique_ptr<Shim>> MakeKubernetesShim(ShimContext context) {
  OTE_TRY(auto credentials, kube::LoadCredentials(context.rest));
  return std::unique_ptr<Shim>(std::make_unique<KubernetesShim>(std::move(context), std::move(credentials)));
}

}  // namespace ote::agent
