#include "agent/datasets.h"

#include <fmt/format.h>
#include <malloc.h>

#include <utility>

#include "core/api/requests.h"
#include "core/base/log.h"
#include "core/site/dataset_registry.h"
#include "core/wire/envelope.h"

namespace ote::agent {
namespace {

constexpr std::chrono::seconds kKeepRows{5};
// Of one answer, for column statistics; a data set with very many columns is shown without them.
constexpr std::size_t kMostColumns = 4096;

tl::unexpected<Error> Unknown(const std::string& name) {
  return Fail(ErrorId::kDatasetUnknown, fmt::format("data set {}: not registered here", name), "ote data list");
}

api::Dataset Shown(api::Dataset dataset) {
  if (dataset.columns.size() > kMostColumns) dataset.columns.clear();
  return dataset;
}

}  // namespace

Datasets::Datasets(Context& context, Uplink& uplink)
    : context_(context),
      uplink_(uplink),
      ledger_(context.store),
      cache_(std::make_shared<site::DataCache>()),
      worker_(context.post) {
  worker_.OnIdle(kKeepRows, [cache = cache_] {
    cache->Release();
    // The allocator would keep what the rows took.
    malloc_trim(0);
  });
}

Datasets::~Datasets() {
  for (auto& [id, request] : adding_) {
    request.Refuse(Error{ErrorId::kUnreachable, "data.add: the agent stops; nothing was registered", {}});
  }
}

Result<void> Datasets::Start() {
  OTE_TRY(auto files, context_.store.List<site::RegisteredFile>());
  for (auto& file : files) datasets_.emplace(file.dataset.name, std::move(file));
  auto& rpc = context_.rpc;
  rpc.Register(api::verb::kDataAdd, kByOperator, [this](Request request) { Add(std::move(request)); });
  rpc.RegisterCall<api::Empty>(api::verb::kDataList, kByOperator,
                               [this](const Request&, const auto&) { return List(); });
  rpc.RegisterCall<api::NameRequest>(api::verb::kDataRemove, kByOperator,
                                     [this](const Request&, const auto& body) { return Remove(body); });
  uplink_.SetDatasets([this] { return Summaries(); });
  return {};
}

std::vector<api::DatasetSummary> Datasets::Summaries() const {
  std::vector<api::DatasetSummary> all;
  for (const auto& [name, file] : datasets_) all.push_back(file.dataset.Summary());
  return all;
}

Result<site::RegisteredFile> Datasets::Find(const std::string& name) const {
  const auto it = datasets_.find(name);
  if (it == datasets_.end()) return Unknown(name);
  return it->second;
}

// Reading takes as long as the file is large: the answer comes when the worker has read it.
void Datasets::Add(Request request) {
  auto asked = FromWire<api::DataAddRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (auto checked = site::CheckAsked(*asked); !checked) return request.Refuse(checked.error());
  if (auto placed = site::CheckPlace(There(asked->dataset.name), *asked); !placed) {
    return request.Refuse(placed.error());
  }
  if (site::Unchanged(There(asked->dataset.name), asked->dataset)) {
    const auto settled = Settle(*asked, datasets_.at(asked->dataset.name).dataset);
    return settled ? request.Answer(ToJson(*settled)) : request.Refuse(settled.error());
  }
  const auto id = next_++;
  adding_.emplace(id, std::move(request));
  worker_.Run<Result<site::RegisteredFile>>(
      [dataset = asked->dataset](const std::stop_token&) { return site::ReadForRegistration(dataset); },
      [this, id, asked = *asked](Result<site::RegisteredFile> read) {
        auto registered = read ? Register(asked, std::move(*read)) : Result<api::Dataset>(Fail(read.error()));
        if (registered) registered = Settle(asked, std::move(*registered));
        if (!registered) return adding_.extract(id).mapped().Refuse(registered.error());
        // Answered once the parent knows: a run that is started after `ote data add` counts on this site.
        uplink_.DatasetsChanged(
            [this, id, answer = ToJson(*registered)] { adding_.extract(id).mapped().Answer(answer); });
      });
}

Result<api::Dataset> Datasets::Settle(const api::DataAddRequest& asked, api::Dataset dataset) {
  OTE_TRY(auto settled, ledger_.Settle(asked, std::move(dataset)));
  return Shown(std::move(settled));
}

std::optional<site::RegisteredFile> Datasets::There(const std::string& name) const {
  const auto it = datasets_.find(name);
  if (it == datasets_.end()) return std::nullopt;
  return it->second;
}

Result<api::Dataset> Datasets::Register(const api::DataAddRequest& asked, site::RegisteredFile read) {
  const auto& name = asked.dataset.name;
  OTE_TRY(auto kept, site::Register(context_.store, There(name), asked, std::move(read), context_.clock.WallNow()));
  log::Info("data set registered", {{"dataset", name}, {"rows", kept.dataset.train_rows + kept.dataset.test_rows}});
  return datasets_.insert_or_assign(name, std::move(kept)).first->second.dataset;
}

Result<api::Dataset> Datasets::Remove(const api::NameRequest& request) {
  const auto it = datasets_.find(request.name);
  if (it == datasets_.end()) return Unknown(request.name);
  OTE_CHECK(context_.store.Remove<site::RegisteredFile>(request.name));
  auto removed = std::move(it->second.dataset);
  datasets_.erase(it);
  log::Info("data set removed", {{"dataset", request.name}});
  uplink_.DatasetsChanged();
  return Shown(std::move(removed));
}

Result<api::DataList> Datasets::List() {
  api::DataList list;
  std::size_t columns = 0;
  for (const auto& [name, file] : datasets_) {
    list.items.push_back(file.dataset);
    OTE_TRY(list.items.back().privacy, ledger_.Show(file.dataset));
    columns += file.dataset.columns.size();
  }
  if (columns > kMostColumns) {
    for (auto& dataset : list.items) dataset.columns.clear();
  }
  return list;
}

}  // namespace ote::agent
