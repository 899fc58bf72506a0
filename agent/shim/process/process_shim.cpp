#include "agent/shim/process/process_shim.h"

#include <fmt/format.h>

#include <map>

#include "agent/shim/process/keeper.h"
#include "core/base/files.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;

// The agent's state folder: the nearest above that has a membership in it.
fs::path StateAbove(const fs::path& folder) {
  for (auto at = folder.parent_path(); at.has_relative_path(); at = at.parent_path()) {
    std::error_code ignored;
    if (fs::exists(at / "member.json", ignored)) return at;
  }
  return folder.parent_path();
}

// A workload as lines, without the values of secrets: whether one differs from `other`'s may be seen, what it is may
// not.
std::map<std::string, std::string> Flat(const api::Workload& workload, const api::Workload* other, const char* secret) {
  auto shown = workload;
  for (const auto& name : workload.secret_env) {
    const auto it = shown.env.find(name);
    if (it == shown.env.end()) continue;
    const auto same = other != nullptr && other->env.contains(name) && other->env.at(name) == it->second;
    it->second = same ? "secret" : secret;
  }
  std::map<std::string, std::string> lines;
  const auto flat = ToJson(shown).flatten();
  for (const auto& [key, value] : flat.items()) lines[key.substr(1)] = DumpJson(value);
  return lines;
}

std::string DiffOf(const api::Workload* before, const api::Workload& after) {
  const auto old = before == nullptr ? std::map<std::string, std::string>() : Flat(*before, &after, "a secret");
  const auto now = Flat(after, before, "another secret");
  std::string text;
  for (const auto& [key, value] : old) {
    const auto it = now.find(key);
    if (it == now.end() || it->second != value) text += fmt::format("- {}: {}\n", key, value);
    if (it != now.end() && it->second != value) text += fmt::format("+ {}: {}\n", key, it->second);
  }
  for (const auto& [key, value] : now) {
    if (!old.contains(key)) text += fmt::format("+ {}: {}\n", key, value);
  }
  return text;
}

class ProcessShim final : public Shim {
 public:
  ProcessShim(ShimContext context, const Patience& patience) : context_(std::move(context)), patience_(patience) {}

  std::string Name() const override { return "process"; }

  Result<void> Start(Hooks hooks, const std::vector<api::Assignment>& wanted) override {
    Keeper::Settings settings{context_.folder,  context_.self, StateAbove(context_.folder),
                              context_.cluster, patience_,     Post()};
    keeper_ = std::make_unique<Keeper>(std::move(settings), std::move(hooks));
    std::vector<std::pair<api::Assignment, ArtifactPaths>> all;
    for (const auto& assignment : wanted) {
      wanted_[assignment.Key()] = assignment;
      // One that is gone from the store may have been delivered long ago; the status tells if not.
      ArtifactPaths paths;
      (void)Find(assignment, paths);
      all.emplace_back(assignment, std::move(paths));
    }
    keeper_->Do([keeper = keeper_.get(), all = std::move(all)] { keeper->Begin(all); });
    return {};
  }

  void Apply(const api::Assignment& assignment, Done done) override {
    ArtifactPaths paths;
    if (auto found = Find(assignment, paths); !found) return Later(std::move(done), std::move(found));
    auto accepted = [this, assignment, done = std::move(done)](Result<void> result) {
      if (result) wanted_[assignment.Key()] = assignment;
      done(std::move(result));
    };
    keeper_->Do([keeper = keeper_.get(), assignment, paths = std::move(paths), accepted = std::move(accepted)] {
      keeper->Apply(assignment, paths, accepted);
    });
  }

  void Remove(const std::string& key, Done done) override {
    wanted_.erase(key);
    auto gone = [this, key, done = std::move(done)](Result<void> result) {
      wanted_.erase(key);  // of an Apply that was under way
      done(std::move(result));
    };
    keeper_->Do([keeper = keeper_.get(), key, gone = std::move(gone)] { keeper->Remove(key, gone); });
  }

  void Restart(const std::string& key, Done done) override {
    ArtifactPaths paths;
    if (const auto it = wanted_.find(key); it != wanted_.end()) (void)Find(it->second, paths);
    keeper_->Do([keeper = keeper_.get(), key, paths = std::move(paths), done = std::move(done)] {
      keeper->Restart(key, paths, done);
    });
  }

  void Diff(const api::Assignment& assignment, std::function<void(Result<std::string>)> done) override {
    Result<std::string> text;
    if (auto checked = CheckWorkload(assignment.workload); !checked) {
      text = Fail(std::move(checked).error());
    } else {
      const auto it = wanted_.find(assignment.Key());
      text = DiffOf(it == wanted_.end() ? nullptr : &it->second.workload, assignment.workload);
    }
    Post()([done = std::move(done), text = std::move(text)] { done(text); });
  }

  std::function<void()> Logs(const LogQuery& query, std::function<bool(const LogLine&)> line, Done done) override {
    const auto id = ++last_log_;
    keeper_->Do([keeper = keeper_.get(), id, query, line = std::move(line), done = std::move(done)] {
      keeper->Logs(id, query, line, done);
    });
    return [this, alive = std::weak_ptr<bool>(alive_), id] {
      if (alive.lock()) keeper_->Do([keeper = keeper_.get(), id] { keeper->EndLogs(id); });
    };
  }

 private:
  // What is posted is dropped once the shim is gone.
  std::function<void(std::function<void()>)> Post() const {
    return [post = context_.post, alive = std::weak_ptr<bool>(alive_)](std::function<void()> fn) {
      post([alive, fn = std::move(fn)] {
        if (alive.lock()) fn();
      });
    };
  }
  void Later(Done done, Result<void> result) const {
    Post()([done = std::move(done), result = std::move(result)] { done(result); });
  }
  // The files of the artifacts that it needs: to be asked for in the agent's thread.
  Result<void> Find(const api::Assignment& assignment, ArtifactPaths& paths) const {
    Result<void> all{};
    for (const auto& file : assignment.workload.files) {
      auto path = context_.artifact(file.digest);
      if (path) {
        paths[file.digest] = std::move(*path);
      } else if (all) {
        all = Fail(std::move(path).error().Context("file " + file.path));
      }
    }
    return all;
  }

  const ShimContext context_;
  const Patience patience_;
  std::map<std::string, api::Assignment> wanted_;
  std::uint64_t last_log_ = 0;
  std::unique_ptr<Keeper> keeper_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
};

}  // namespace

Result<std::unique_ptr<Shim>> MakeShim(ShimContext context, const Patience& patience) {
  OTE_CHECK(MakeFolder(context.folder, 0700));
  std::error_code error;
  context.folder = fs::canonical(context.folder, error);
  if (error) return Fail(FileError("finding", context.folder, error.value()));
  return std::make_unique<ProcessShim>(std::move(context), patience);
}

}  // namespace ote::agent::process

namespace ote::agent {

Result<std::unique_ptr<Shim>> MakeProcessShim(ShimContext context) {
  return process::MakeShim(std::move(context), process::Patience());
}

}  // namespace ote::agent
