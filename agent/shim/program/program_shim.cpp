#include "agent/shim/program/program_shim.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/files.h"
#include "core/base/log.h"

namespace ote::agent::program {
namespace {

class ProgramShim final : public Shim {
 public:
  ProgramShim(ShimContext context, const Patience& patience) : context_(std::move(context)), patience_(patience) {}

  std::string Name() const override { return "exec"; }

  Result<void> Start(Hooks hooks, const std::vector<api::Assignment>& wanted) override {
    hooks_ = std::move(hooks);
    for (const auto& assignment : wanted) wanted_[assignment.Key()] = assignment;
    Channel::Ears ears;
    // `this` lives for as long as what is posted is not dropped.
    ears.up = [this, post = Post()](std::uint64_t run) { post([this, run] { Up(run); }); };
    ears.down = [this, post = Post()](std::string why) { post([this, why = std::move(why)] { Down(why); }); };
    ears.late = [this, post = Post()](std::int64_t id) { post([this, id] { Late(id); }); };
    ears.line = [this, post = Post()](std::string line) { post([this, line = std::move(line)] { Heard(line); }); };
    channel_ = std::make_unique<Channel>(context_.rest, context_.folder, patience_, std::move(ears));
    return {};
  }

  void Apply(const api::Assignment& assignment, Done done) override {
    const auto key = assignment.Key();
    auto request = Request{};
    request.verb = Verb::kApply;
    request.assignment = assignment;
    if (auto found = Find(assignment, request); !found) return Later(std::move(done), std::move(found));
    wanted_[key] = assignment;
    Ask(std::move(request), {key, std::move(done), {}, {}});
  }

  void Remove(const std::string& key, Done done) override {
    wanted_.erase(key);
    Ask(About(Verb::kRemove, key), {key, std::move(done), {}, {}});
  }

  void Restart(const std::string& key, Done done) override {
    Ask(About(Verb::kRestart, key), {key, std::move(done), {}, {}});
  }

  void Diff(const api::Assignment& assignment, std::function<void(Result<std::string>)> done) override {
    Request request;
    request.verb = Verb::kDiff;
    request.assignment = assignment;
    (void)Find(assignment, request);
    Ask(std::move(request), {assignment.Key(), {}, std::move(done), {}});
  }

  std::function<void()> Logs(const LogQuery& query, std::function<bool(const LogLine&)> line, Done done) override {
    auto request = About(Verb::kLogs, query.app);
    request.replica = query.replica;
    request.tail = query.tail;
    request.follow = query.follow;
    const auto id = Ask(std::move(request), {query.app, std::move(done), {}, std::move(line)});
    return [this, alive = std::weak_ptr<bool>(alive_), id] {
      if (alive.lock()) Cancel(id);
    };
  }

 private:
  struct Pending {
    std::string key;
    Done done;
    std::function<void(Result<std::string>)> text;
    std::function<bool(const LogLine&)> line;
    Request request{};
  };

  std::function<void(std::function<void()>)> Post() const {
    return [post = context_.post, alive = std::weak_ptr<bool>(alive_)](std::function<void()> fn) {
      post([alive, fn = std::move(fn)] {
        if (alive.lock()) fn();
      });
    };
  }
  void Later(Done done, Result<void> result) const {
    Post()([done = std::move(done), result = std::move(result)] {
      if (done) done(result);
    });
  }
  static Request About(Verb verb, const std::string& key) {
    Request request;
    request.verb = verb;
    request.app = key;
    return request;
  }
  Result<void> Find(const api::Assignment& assignment, Request& request) const {
    request.files.emplace();
    for (const auto& file : assignment.workload.files) {
      auto path = context_.artifact(file.digest);
      if (!path) return Fail(std::move(path).error().Context("file " + file.path));
      (*request.files)[file.digest] = path->string();
    }
    return {};
  }

  // What is asked while the program is away is asked once it is there.
  std::int64_t Ask(Request request, Pending pending) {
    request.id = ++last_id_;
    auto line = DumpRequest(request);
    pending.request = std::move(request);
    const auto id = last_id_;
    pending_[id] = std::move(pending);
    if (!line) {
      Post()([this, id, error = line.error()] { Settle(id, Fail(error)); });
      return id;
    }
    if (!pending_[id].line || !pending_[id].request.follow.value_or(false)) channel_->Expect(id);
    if (ready_) channel_->Send(run_, std::move(*line));
    return id;
  }

  void Settle(std::int64_t id, Result<Success> result) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    channel_->Forget(id);
    auto pending = std::move(found->second);
    pending_.erase(found);
    const auto verb = pending.request.verb;
    // Told by nobody else when the program refuses what it was told anew.
    if (verb == Verb::kApply && !result && !pending.done) TellRefused(pending, result.error());
    if (pending.text)
      return pending.text(result ? Result<std::string>(result->text) : Result<std::string>(Fail(result.error())));
    if (pending.done) pending.done(result ? Result<void>() : Result<void>(Fail(result.error())));
  }

  void TellRefused(const Pending& pending, const Error& error) {
    if (!hooks_.app || !pending.request.assignment) return;
    const auto& assignment = *pending.request.assignment;
    api::AppStatus status;
    status.app = assignment.app;
    status.from = assignment.from;
    status.revision = assignment.revision;
    status.phase = api::AppPhase::kFailed;
    status.wanted = assignment.workload.replicas;
    status.message = error.message;
    status.code = error.Code();
    hooks_.app(status);
  }

  void Up(std::uint64_t run) {
    run_ = run;
    ready_ = false;
    Request hello;
    hello.id = hello_ = ++last_id_;
    hello.ote = kVersion;
    hello.cluster = context_.cluster;
    hello.folder = context_.folder.string();
    hello.wanted.emplace();
    for (const auto& [key, assignment] : wanted_) hello.wanted->push_back(key);
    auto line = DumpRequest(hello);
    if (!line) return channel_->Break(run_, line.error().message);
    channel_->Expect(hello_);
    channel_->Send(run_, std::move(*line));
  }

  void Greeted(const Answer& answer) {
    channel_->Forget(hello_);
    hello_ = 0;
    if (answer.error) return channel_->Break(run_, ErrorOf(*answer.error).message);
    if (answer.ok->ote.value_or(0) != kVersion)
      return Broken(
          fmt::format("it speaks version {} of the protocol, and this agent {}", answer.ok->ote.value_or(0), kVersion));
    ready_ = true;
    log::Info("shim program is there", {{"name", answer.ok->name}});
    if (cluster_.shim.empty()) cluster_.shim = answer.ok->name.empty() ? "exec" : answer.ok->name;
    if (hooks_.cluster) hooks_.cluster(cluster_);
    // All that is wanted, anew; then what was asked while it was away. What was removed meanwhile is not among
    // `wanted`.
    std::map<std::string, bool> asked;
    for (const auto& [id, pending] : pending_) {
      if (pending.request.verb == Verb::kApply) asked[pending.key] = true;
    }
    for (const auto& [id, pending] : pending_) {
      if (auto line = DumpRequest(pending.request)) channel_->Send(run_, std::move(*line));
    }
    for (const auto& [key, assignment] : wanted_) {
      if (asked.contains(key)) continue;
      Request request;
      request.verb = Verb::kApply;
      request.assignment = assignment;
      (void)Find(assignment, request);
      Ask(std::move(request), {key, {}, {}, {}});
    }
  }

  void Down(const std::string& why) {
    const bool was_ready = std::exchange(ready_, false);
    if (hello_ != 0) channel_->Forget(hello_);
    hello_ = 0;
    const auto message = fmt::format("the shim program ended: {}", why);
    if (failures_.Allow(SystemClock().SteadyNow())) log::Warn("shim program ended", {{"why", why}});
    // What is wanted is told anew to the next; the rest that was asked of this one ends with it.
    std::vector<std::int64_t> lost;
    for (const auto& [id, pending] : pending_) {
      const auto verb = pending.request.verb;
      if (was_ready && verb != Verb::kApply && verb != Verb::kRemove) lost.push_back(id);
    }
    const auto reason = broken_.empty() ? ErrorId::kShimFailed : ErrorId::kShimProtocol;
    for (const auto id : lost) Settle(id, Fail(reason, message));
    auto status = cluster_;
    if (status.shim.empty()) status.shim = "exec";
    status.healthy = false;
    status.message = broken_.empty() ? message : std::exchange(broken_, {});
    if (hooks_.cluster) hooks_.cluster(status);
    Happened("shim-ended", status.message);
  }

  void Happened(const std::string& kind, const std::string& message) {
    if (hooks_.happened) hooks_.happened({SystemClock().WallNow(), kind, "shim", message, true, 1});
  }

  void Broken(std::string why) {
    broken_ = why;
    channel_->Break(run_, std::move(why));
  }

  void Late(std::int64_t id) {
    const auto why = fmt::format("the shim program gave no answer within {} s", patience_.answer_ms / 1000);
    if (id == hello_) return channel_->Break(run_, why);
    Settle(id, Fail(ErrorId::kShimFailed, why));
  }

  void Heard(const std::string& line) {
    channel_->Taken();
    auto answer = ParseAnswer(line);
    if (!answer) return Broken(answer.error().message);
    if (answer->id) {
      if (*answer->id == hello_) return Greeted(*answer);
      return Settle(*answer->id, answer->ok ? Result<Success>(*answer->ok) : Fail(ErrorOf(*answer->error)));
    }
    if (answer->status && hooks_.app) hooks_.app(*answer->status);
    if (answer->happened && hooks_.happened) hooks_.happened(*answer->happened);
    if (answer->cluster) {
      cluster_ = *answer->cluster;
      if (hooks_.cluster) hooks_.cluster(cluster_);
    }
    if (!answer->line) return;
    const auto found = pending_.find(answer->line->id);
    if (found == pending_.end() || !found->second.line) return;
    const auto fn = found->second.line;
    if (!fn({answer->line->at, answer->line->replica, answer->line->text})) Cancel(answer->line->id);
  }

  // The lines of a log are not wanted any more.
  void Cancel(std::int64_t id) {
    const auto found = pending_.find(id);
    if (found == pending_.end()) return;
    found->second.line = [](const LogLine&) { return true; };  // those that are under way
    Request request;
    request.id = ++last_id_;
    request.verb = Verb::kCancel;
    request.of = id;
    if (auto line = DumpRequest(request); line && ready_) channel_->Send(run_, std::move(*line));
    Post()([this, id] { Settle(id, Success{}); });
  }

  const ShimContext context_;
  const Patience patience_;
  Hooks hooks_;
  std::map<std::string, api::Assignment> wanted_;
  std::map<std::int64_t, Pending> pending_;
  api::ShimStatus cluster_;
  std::string broken_;
  log::Limiter failures_;
  std::int64_t last_id_ = 0, hello_ = 0;
  std::uint64_t run_ = 0;
  bool ready_ = false;
  std::unique_ptr<Channel> channel_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
};

}  // namespace

Result<std::unique_ptr<Shim>> MakeShim(ShimContext context, const Patience& patience) {
  if (context.rest.find_first_not_of(' ') == std::string::npos)
    return Fail(ErrorId::kUsage, "--shim exec: no command", "--shim 'exec:/usr/local/bin/my-shim --flag'");
  OTE_CHECK(MakeFolder(context.folder, 0700));
  return std::make_unique<ProgramShim>(std::move(context), patience);
}

}  // namespace ote::agent::program

namespace ote::agent {

Result<std::unique_ptr<Shim>> MakeProgramShim(ShimContext context) {
  return program::MakeShim(std::move(context), program::Patience());
}

}  // namespace ote::agent
