#include "agent/datasets.h"

#include <fmt/format.h>
#include <malloc.h>

#include <filesystem>
#include <utility>

#include "core/api/requests.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/wire/envelope.h"

namespace ote::agent {
namespace {

constexpr std::chrono::seconds kKeepRows{5};
// Of one answer, for column statistics; a data set with very many columns is shown without them.
constexpr std::size_t kMostColumns = 4096;

// Whether the same file was described in the same way.
bool SameRequest(const api::Dataset& a, const api::Dataset& b) {
  return a.path == b.path && a.label_path == b.label_path && a.format == b.format && a.task == b.task &&
         a.label == b.label && a.ignore == b.ignore && a.categorical == b.categorical && a.missing == b.missing &&
         a.min_rows == b.min_rows && a.test_fraction == b.test_fraction && a.split_seed == b.split_seed;
}

Result<void> Check(const api::Dataset& dataset) {
  OTE_CHECK(CheckName("data set", dataset.name));
  for (const auto& path : {dataset.path, dataset.label_path}) {
    if (!path.empty() && !std::filesystem::path(path).is_absolute()) {
      return Fail(ErrorId::kMalformed, fmt::format("{}: the agent needs an absolute path", path));
    }
  }
  if (dataset.path.empty()) return Fail(ErrorId::kInputMissingField, "data.add: no path is given");
  if (!(dataset.test_fraction >= 0 && dataset.test_fraction < 1)) {
    return Fail(ErrorId::kUsage, fmt::format("test fraction {}: not from 0 to below 1", dataset.test_fraction));
  }
  if (dataset.min_rows < 1) return Fail(ErrorId::kUsage, fmt::format("min rows {}: less than 1", dataset.min_rows));
  return {};
}

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
  if (auto checked = Check(asked->dataset); !checked) return request.Refuse(checked.error());
  if (asked->privacy) {
    if (auto checked = api::Validate(*asked->privacy); !checked) return request.Refuse(checked.error());
  }
  if (const auto it = datasets_.find(asked->dataset.name); it != datasets_.end() && !asked->replace) {
    const auto& there = it->second;
    if (!SameRequest(there.dataset, asked->dataset)) {
      return request.Refuse(
          Error{ErrorId::kConflict,
                fmt::format("data set {}: registered already, from {}, with other settings or another file",
                            there.dataset.name, there.dataset.path),
                fmt::format("ote data add {} … --replace", there.dataset.name)});
    }
  }
  if (Unchanged(asked->dataset)) {
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
  if (asked.forget_spending) OTE_CHECK(ledger_.Forget(dataset));
  if (asked.privacy) OTE_CHECK(ledger_.Set(dataset, *asked.privacy));
  OTE_TRY(dataset.privacy, ledger_.Show(dataset));
  return Shown(std::move(dataset));
}

bool Datasets::Unchanged(const api::Dataset& asked) const {
  const auto it = datasets_.find(asked.name);
  if (it == datasets_.end() || !SameRequest(it->second.dataset, asked)) return false;
  const auto stamp = site::StampOf(asked.path);
  if (!stamp || *stamp != it->second.stamp) return false;
  if (asked.label_path.empty()) return true;
  const auto label_stamp = site::StampOf(asked.label_path);
  return label_stamp && *label_stamp == it->second.label_stamp;
}

Result<api::Dataset> Datasets::Register(const api::DataAddRequest& asked, site::RegisteredFile read) {
  const auto& name = asked.dataset.name;
  // What is in the file was found out; how to read it is as it was asked for.
  auto& dataset = read.dataset;
  dataset.name = name;
  dataset.path = asked.dataset.path;
  dataset.label_path = asked.dataset.label_path;
  dataset.format = asked.dataset.format;
  dataset.task = asked.dataset.task;
  dataset.label = asked.dataset.label;
  dataset.ignore = asked.dataset.ignore;
  dataset.categorical = asked.dataset.categorical;
  dataset.missing = asked.dataset.missing;
  dataset.min_rows = asked.dataset.min_rows;
  dataset.test_fraction = asked.dataset.test_fraction;
  dataset.split_seed = asked.dataset.split_seed;
  dataset.registered_at = context_.clock.WallNow();
  if (const auto it = datasets_.find(name); it != datasets_.end()) {
    const auto& there = it->second.dataset;
    const bool same = SameRequest(there, dataset) && there.digest == dataset.digest;
    if (same) {
      // Touched, or another copy: the next look at its stamps need not read it.
      read.dataset = there;
      OTE_CHECK(context_.store.Put(read));
      it->second = std::move(read);
      return it->second.dataset;
    }
    if (!asked.replace) {
      return Fail(ErrorId::kConflict,
                  fmt::format("data set {}: registered already; {} changed since", name, dataset.path),
                  fmt::format("ote data add {} … --replace", name));
    }
  }
  OTE_CHECK(context_.store.Put(read));
  log::Info("data set registered", {{"dataset", name}, {"rows", dataset.train_rows + dataset.test_rows}});
  return datasets_.insert_or_assign(name, std::move(read)).first->second.dataset;
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
