// Whether a bundle is for this site, from whom it should be, and newer than what was taken.
#include <fmt/format.h>

#include <algorithm>

#include "core/api/task_artifacts.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"
#include "core/site/by_hand/hand_site.h"
#include "core/site/by_hand/taking.h"
#include "core/site/perform.h"

namespace ote::site {
Result<void> HandSite::CheckSeen(std::int64_t seen, bool restored) {
  return site::CheckSeen(*store_, folder_.path.string(), seen, restored);
}

Result<Judged> HandSite::Judge(const bundle::Header& header, std::string_view kind, const Trust& trust) {
  OTE_CHECK(bundle::CheckKind(header, kind));
  if (!member_) {
    return Fail(ErrorId::kNotEnrolled, fmt::format("{}: holds no membership", folder_.path.string()),
                "ote cluster join --grant FILE --fingerprint FINGERPRINT");
  }
  OTE_TRY(const auto transport, folder_.TransportKey());
  return site::Judge(*member_, transport.Public(), header, kind, trust.dates);
}

Result<HandSite::Plan> HandSite::ReadTask(bundle::Bundle& task, const Trust& trust) {
  const auto& header = task.About();
  OTE_TRY(auto judged, Judge(header, bundle::kind::kTask, trust));
  OTE_TRY(const auto transport, folder_.TransportKey());
  OTE_TRY(const auto opened, task.OpenManifest(&transport));
  Plan plan;
  plan.bundle = {header, task.Digest()};
  plan.authority = judged.authority;
  plan.issuer = std::move(judged.issuer);
  OTE_TRY(plan.body, bundle::ReadBody<bundle::TaskBody>(opened.first.body));
  const auto& asked = plan.body.task;
  if (asked.run != header.run || asked.round != header.round || api::StepOf(asked) != header.step ||
      header.stream != header.run) {
    return Fail(ErrorId::kBundleMixed,
                fmt::format("the task says that it is for run {}, round {} ({}), and asks for run {}, round {} ({})",
                            header.run, header.round, header.step, asked.run, asked.round, api::StepOf(asked)));
  }
  OTE_CHECK(CheckTask(asked));
  const auto wanted = api::ArtifactsOf(asked);
  const auto& items = opened.first.items;
  const bool fits =
      std::equal(items.begin(), items.end(), wanted.begin(), wanted.end(),
                 [](const bundle::Item& item, const auto& artifact) { return item.digest == artifact.first; });
  if (!fits) return Fail(ErrorId::kBundleMixed, "the task holds other artifacts than those that it needs");
  OTE_TRY(const auto seen, bundle::CheckMark(*store_, plan.bundle));
  OTE_TRY(const auto answer, store_->Get<HandAnswer>(HandAnswer::AnswerKey(header.run, header.round, header.step)));
  plan.answered = seen == bundle::Seen::kBefore && answer && answer->header.answers == plan.bundle.digest;
  OTE_CHECK(CheckSeen(plan.body.seen, trust.restored));
  OTE_TRY(auto file, store_->Get<RegisteredFile>(asked.dataset));
  if (!file) {
    return Fail(
        ErrorId::kDatasetUnknown, fmt::format("data set {}: not registered here", asked.dataset),
        fmt::format("ote data add {} --path FILE --label COLUMN --state {}", asked.dataset, folder_.path.string()));
  }
  plan.file = std::move(*file);
  return plan;
}

Result<void> HandSite::TakeNews(const bundle::Header& header, const crypto::VerifyKey& authority,
                                const std::optional<crypto::Certificate>& certificate) {
  auto member = *member_;
  OTE_TRY(const bool changed, AddNews(member, header, authority, certificate));
  if (!changed) return {};
  OTE_CHECK(folder_.SaveMembership(member));
  member_ = std::move(member);
  return {};
}

Result<bundle::ReceiptBody> HandSite::TakeReceipt(bundle::Bundle& receipt, const Trust& trust, bool dry_run) {
  const auto& header = receipt.About();
  OTE_TRY(const auto judged, Judge(header, bundle::kind::kReceipt, trust));
  OTE_TRY(const auto transport, folder_.TransportKey());
  OTE_TRY(const auto opened, receipt.OpenManifest(&transport));
  OTE_TRY(auto body, bundle::ReadBody<bundle::ReceiptBody>(opened.first.body));
  if (body.update != header.answers || body.run != header.run || body.round != header.round) {
    return Fail(ErrorId::kBundleMixed, "the receipt is for another update than it says");
  }
  const bundle::Checked checked{header, receipt.Digest()};
  OTE_TRY(const auto seen, bundle::CheckMark(*store_, checked));
  OTE_CHECK(CheckSeen(body.seen, trust.restored));
  if (dry_run || seen == bundle::Seen::kBefore) return body;
  OTE_CHECK(TakeNews(header, judged.authority, {}));
  const auto key = HandAnswer::AnswerKey(header.run, header.round, header.step);
  OTE_TRY(auto answer, store_->Get<HandAnswer>(key));
  auto kept = store_->Transaction([&]() -> Result<void> {
    if (answer) {
      answer->received = true;
      OTE_CHECK(store_->Put(*answer));
    }
    return bundle::PutMark(*store_, checked);
  });
  OTE_CHECK(std::move(kept));
  if (answer && !answer->body.offer.digest.empty()) DropUnneeded({answer->body.offer.digest});
  if (body.over) OTE_CHECK(ForgetRun(body.run));
  return body;
}

}  // namespace ote::site
