#include "cli/by_hand/alone.h"

#include <fmt/format.h>

#include "cli/frame/settings.h"
#include "core/site/dataset_registry.h"
#include "core/site/ledger.h"
#include "crypto/secret.h"

namespace ote::cli {

Result<std::optional<site::HandSite>> OpenAlone(const Context& context) {
  OTE_TRY(const ChosenState chosen, ChooseAgent(context));
  if (!chosen.credential.empty()) return std::optional<site::HandSite>();  // an agent answers, wherever it is
  const store::StateFolder folder{chosen.path};
  if (store::FolderLock::Held(folder) || !site::HandSite::IsByHand(folder)) return std::optional<site::HandSite>();
  crypto::Init();
  OTE_TRY(auto site, site::HandSite::Open(folder, context.clock));
  return std::optional<site::HandSite>(std::move(site));
}

Result<api::Dataset> AddDataset(const Context& context, site::HandSite& site, const api::DataAddRequest& asked) {
  OTE_CHECK(site::CheckAsked(asked));
  site::Ledger ledger(site.GetStore());
  OTE_TRY(const auto there, site.GetStore().Get<site::RegisteredFile>(asked.dataset.name));
  OTE_CHECK(site::CheckPlace(there, asked));
  if (site::Unchanged(there, asked.dataset)) return ledger.Settle(asked, there->dataset);
  OTE_TRY(auto read, site::ReadForRegistration(asked.dataset));
  OTE_TRY(auto kept, site::Register(site.GetStore(), there, asked, std::move(read), context.clock.WallNow()));
  return ledger.Settle(asked, std::move(kept.dataset));
}

Result<std::vector<api::Dataset>> ListDatasets(site::HandSite& site) {
  OTE_TRY(auto files, site.GetStore().List<site::RegisteredFile>());
  std::vector<api::Dataset> all;
  site::Ledger ledger(site.GetStore());
  for (auto& file : files) {
    OTE_TRY(file.dataset.privacy, ledger.Show(file.dataset));
    all.push_back(std::move(file.dataset));
  }
  return all;
}

Result<api::Dataset> RemoveDataset(site::HandSite& site, const std::string& name) {
  OTE_TRY(auto there, site.GetStore().Get<site::RegisteredFile>(name));
  if (!there) {
    return Fail(ErrorId::kDatasetUnknown, fmt::format("data set {}: not registered here", name), "ote data list");
  }
  OTE_CHECK(site.GetStore().Remove<site::RegisteredFile>(name));
  return std::move(there->dataset);
}

}  // namespace ote::cli
