#include "agent/apps/apps.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/log.h"

namespace ote::agent {

Apps::Apps(Context& context, Members& members, Uplink& uplink, CommandBus& bus, StateBoard& board, Transfer& transfer)
    : context_(context), members_(members), uplink_(uplink), bus_(bus), board_(board), transfer_(transfer) {}

Result<std::unique_ptr<Shim>> Apps::MakeShim() const {
  std::string kind = context_.membership.shim;
  // A root runs nothing itself unless it is told to.
  if (kind.empty()) kind = context_.membership.role == crypto::Role::kRoot ? "none" : "process";
  ShimContext shim;
  if (const auto colon = kind.find(':'); colon != kind.npos) {
    shim.rest = kind.substr(colon + 1);
    kind.resize(colon);
  }
  shim.folder = context_.folder.path / "shim";
  shim.cluster = context_.membership.name;
  std::error_code unknown;
  shim.self = std::filesystem::read_symlink("/proc/self/exe", unknown);
  shim.artifact = [this](const std::string& digest) { return context_.artifacts.PathOf(digest); };
  shim.post = context_.post;
  if (kind == "none") return std::unique_ptr<Shim>();
  if (kind == "process") return MakeProcessShim(std::move(shim));
  if (kind == "kubernetes") return MakeKubernetesShim(std::move(shim));
  if (kind == "exec") return MakeProgramShim(std::move(shim));
  return Fail(ErrorId::kShimUnknown, fmt::format("shim {}: there is none of this kind", kind),
              "process, kubernetes, none, or exec:COMMAND");
}

Result<void> Apps::Start() {
  auto made = MakeShim();
  if (made) {
    shim_ = std::move(*made);
  } else {
    log::Error("the shim cannot be had", {{"shim", context_.membership.shim}, {"why", made.error().message}});
    api::ShimStatus status;
    status.shim = "none";
    status.healthy = false;
    status.message = made.error().message;
    board_.Set(state::kShim, "", ToJson(status));
  }
  if (shim_ != nullptr) {
    site_.emplace(context_, *shim_, bus_, board_,
                  [this](const std::string& from, const api::AppFile& file, SiteDesk::Done done) {
                    Fetch(from, file, std::move(done));
                  });
    OTE_CHECK(site_->Start());
    uplink_.OnConnected([this] { site_->Connected(); });
  } else if (made) {
    board_.Remove(state::kShim, "");
  }
  desk_.emplace(context_, members_, bus_, board_, site_ ? &*site_ : nullptr,
                AppDesk::Grants{[this](const auto& member, const auto& digest) { transfer_.Grant(member, digest); },
                                [this](const auto& member, const auto& digest) { transfer_.Revoke(member, digest); }});
  OTE_CHECK(desk_->Start());
  logs_.emplace(context_, members_, *desk_, shim_.get());
  logs_->Start();
  return {};
}

std::set<std::string> Apps::Needed() const {
  std::set<std::string> needed;
  if (site_) needed = site_->Needed();
  if (desk_) needed.merge(desk_->Needed());
  return needed;
}

void Apps::Fetch(const std::string& from, const api::AppFile& file, SiteDesk::Done done) {
  if (from.empty()) {
    return context_.post([done = std::move(done), path = file.path] {
      done(Fail(ErrorId::kArtifactMissing, path + ": it is not kept here any more"));
    });
  }
  transfer_.Fetch(
      [this, from](std::string_view verb, Json body, std::chrono::milliseconds patience, Rpc::Continuation then) {
        uplink_.CallAbove(from, verb, std::move(body), patience, std::move(then));
      },
      file.digest, file.size, Durability::kSynced, std::move(done));
}

}  // namespace ote::agent
