#include "agent/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/learn/statistics.h"
#include "core/site/perform.h"

namespace ote::agent {
namespace {

constexpr std::int64_t kLongestMs = 24LL * 3600 * 1000;

// In the worker's thread.
Result<api::DataStatistics> Read(const site::RegisteredFile& file, site::DataCache& cache) {
  OTE_TRY(const auto* split, cache.LoadRaw(file));
  auto statistics = learn::Summarise(split->train, split->test);
  OTE_CHECK(learn::FitInMessage(statistics));
  return statistics;
}

// Whether the data set is the one that was told of, and its files were not touched since.
bool Same(const site::RegisteredFile& a, const site::RegisteredFile& b) {
  if (ToJson(a) != ToJson(b)) return false;
  const auto stamp = site::StampOf(a.dataset.path);
  if (!stamp || *stamp != a.stamp) return false;
  if (a.dataset.label_path.empty()) return true;
  const auto label_stamp = site::StampOf(a.dataset.label_path);
  return label_stamp && *label_stamp == a.label_stamp;
}

const api::DatasetSummary* Find(const api::Cluster& cluster, const std::string& dataset) {
  const auto it = std::find_if(cluster.datasets.begin(), cluster.datasets.end(),
                               [&](const api::DatasetSummary& d) { return d.name == dataset; });
  return it == cluster.datasets.end() ? nullptr : &*it;
}

bool Carries(const api::Labels& labels, const api::Labels& selector) {
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const auto it = labels.find(wanted.first);
    return it != labels.end() && it->second == wanted.second;
  });
}

// The schema that most of the clusters have; that of the first by name of those that as many have.
std::string CommonSchema(const std::vector<api::Cluster>& clusters, const std::string& dataset) {
  std::map<std::string, std::int64_t> counts;
  std::string common;
  for (const auto& cluster : clusters) {
    if (const auto* summary = Find(cluster, dataset)) ++counts[summary->schema];
  }
  for (const auto& cluster : clusters) {
    const auto* summary = Find(cluster, dataset);
    if (summary != nullptr && (common.empty() || counts[summary->schema] > counts[common])) common = summary->schema;
  }
  return common;
}

std::string SchemaOf(const api::DataStatistics& statistics) {
  std::vector<std::string> names;
  std::vector<std::size_t> categorical;
  for (const auto& column : statistics.columns) {
    if (column.categorical) categorical.push_back(names.size());
    names.push_back(column.name);
  }
  return api::SchemaDigest(names, categorical);
}

// The words of a peer, of which the answer holds those of all clusters.
std::string Cut(const std::string& text) {
  constexpr std::size_t kMost = 400;
  std::size_t end = std::min(text.size(), kMost);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

api::SiteFailure FailureOf(const std::string& name, const Error& error) {
  return {name, "survey", error.Code(), Cut(error.message), Cut(error.hint)};
}

// What a member told, when it is of the columns that it announced and can be true.
Result<api::DataStatistics> Checked(const Result<wire::Envelope>& reply, const std::string& schema) {
  if (!reply) return Fail(reply.error());
  OTE_TRY(auto statistics, FromWire<api::DataStatistics>(reply->body));
  OTE_CHECK(learn::CheckStatistics(statistics));
  if (SchemaOf(statistics) != schema) {
    return Fail(ErrorId::kStatisticsInvalid, "statistics: of other columns than the cluster has announced");
  }
  return statistics;
}

// The clusters that are asked for; kNotFound for a name that no member has.
Result<std::vector<api::Cluster>> Chosen(const std::vector<api::Cluster>& all, const std::string& self,
                                         const api::StatsRequest& asked) {
  for (const auto& name : asked.clusters) {
    if (std::none_of(all.begin(), all.end(), [&](const api::Cluster& c) { return c.name == name; })) {
      return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", name), "ote cluster list");
    }
  }
  std::vector<api::Cluster> chosen;
  for (const auto& cluster : all) {
    const bool named = std::find(asked.clusters.begin(), asked.clusters.end(), cluster.name) != asked.clusters.end();
    if (cluster.name == self || cluster.status == api::ClusterStatus::kRemoved) continue;
    if (!Carries(cluster.labels, asked.selector)) continue;
    if (named || (asked.clusters.empty() && Find(cluster, asked.name) != nullptr)) chosen.push_back(cluster);
  }
  return chosen;
}

}  // namespace

Statistics::Statistics(Context& context, Members& members, Datasets& datasets)
    : context_(context), members_(members), datasets_(datasets) {}

Statistics::~Statistics() {
  const Error stops{ErrorId::kUnreachable, "data.stats: the agent stops", {}};
  for (auto& [id, answer] : reading_) answer(Fail(stops));
  for (auto& [id, survey] : surveys_) survey.request.Refuse(stops);
}

Result<void> Statistics::Start() {
  auto& rpc = context_.rpc;
  rpc.Register(api::verb::kDataStats, kByOperator, [this](Request request) { Stats(std::move(request)); });
  rpc.Register(api::verb::kDataSummary, kByParent, [this](Request request) { Summary(std::move(request)); });
  return {};
}

void Statistics::Own(const std::string& name, Answer answer) {
  auto file = datasets_.Find(name);
  if (!file) {
    told_.erase(name);
    return answer(Fail(file.error()));
  }
  if (const auto it = told_.find(name); it != told_.end()) {
    if (Same(*file, it->second.file)) return answer(it->second.statistics);
    told_.erase(it);
  }
  const auto id = next_++;
  reading_.emplace(id, std::move(answer));
  datasets_.GetWorker().Run<Result<api::DataStatistics>>(
      [file = *file, cache = datasets_.Cache()](const std::stop_token&) { return Read(file, *cache); },
      [this, alive = std::weak_ptr<bool>(alive_), id, file = *file](Result<api::DataStatistics> statistics) {
        if (!alive.lock()) return;
        if (statistics) told_.insert_or_assign(file.dataset.name, Told{file, *statistics});
        reading_.extract(id).mapped()(std::move(statistics));
      });
}

void Statistics::Stats(Request request) {
  auto asked = FromWire<api::StatsRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (asked->federated) return AskMembers(std::move(request), *asked);
  auto shared = std::make_shared<Request>(std::move(request));  // a std::function must be copyable
  Own(asked->name, [shared, name = asked->name](Result<api::DataStatistics> statistics) {
    if (!statistics) return shared->Refuse(statistics.error());
    api::Stats stats;
    stats.name = name;
    stats.statistics = std::move(*statistics);
    shared->Answer(ToJson(stats));
  });
}

void Statistics::Summary(Request request) {
  auto asked = FromWire<api::NameRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  const auto file = datasets_.Find(asked->name);
  if (!file) return request.Refuse(file.error());
  const auto& dataset = file->dataset;
  if (const auto enough = site::CheckEnough(dataset, dataset.train_rows + dataset.test_rows); !enough) {
    return request.Refuse(enough.error());
  }
  if (const auto admitted = datasets_.GetLedger().AdmitStatistics(dataset); !admitted) {
    return request.Refuse(admitted.error());
  }
  log::Info("statistics asked for", {{"dataset", dataset.name}});
  auto shared = std::make_shared<Request>(std::move(request));
  Own(asked->name, [shared](const Result<api::DataStatistics>& statistics) {
    if (!statistics) return shared->Refuse(statistics.error());
    shared->Answer(ToJson(*statistics));
  });
}

void Statistics::AskMembers(Request request, const api::StatsRequest& asked) {
  if (asked.timeout_ms < 1 || asked.timeout_ms > kLongestMs) {
    return request.Refuse(Error{ErrorId::kUsage, fmt::format("timeout of {} ms: out of range", asked.timeout_ms), {}});
  }
  if (context_.membership.role != crypto::Role::kRoot) {
    return request.Refuse(Error{ErrorId::kPermission, "data.stats: only a root has members to ask",
                                "ask without --federated for the data set of this site"});
  }
  auto chosen = Chosen(members_.List(), context_.membership.name, asked);
  if (!chosen) return request.Refuse(chosen.error());
  if (chosen->empty()) {
    return request.Refuse(
        Error{ErrorId::kNoSites, fmt::format("data set {}: no cluster has it", asked.name), "ote data list"});
  }
  const auto schema = CommonSchema(*chosen, asked.name);
  const auto id = next_++;
  auto& survey = surveys_.emplace(id, Survey{std::move(request), asked.name, {}, {}, {}, {}}).first->second;
  std::vector<std::pair<std::string, Destination>> peers;
  for (const auto& cluster : *chosen) {
    const auto* summary = Find(cluster, asked.name);
    const auto peer = members_.WayTo(cluster.name);
    std::optional<Error> error;
    if (summary == nullptr) {
      error = Error{ErrorId::kDatasetUnknown, fmt::format("data set {}: not registered there", asked.name), {}};
    } else if (summary->schema != schema) {
      error = Error{ErrorId::kModelDataMismatch, "its columns are others than those of most clusters", "ote data list"};
    } else if (!peer) {
      error = Error{ErrorId::kUnreachable, "not connected", "ote cluster list"};
    }
    if (error) {
      survey.failed.push_back(FailureOf(cluster.name, *error));
    } else {
      survey.schemas[cluster.name] = schema;
      peers.emplace_back(cluster.name, *peer);
    }
  }
  for (const auto& [name, peer] : peers) {
    context_.rpc.Call(peer, api::verb::kDataSummary, ToJson(api::NameRequest{asked.name}),
                      std::chrono::milliseconds(asked.timeout_ms),
                      [this, alive = std::weak_ptr<bool>(alive_), id, name = name](Result<wire::Envelope> reply) {
                        if (alive.lock()) MemberAnswered(id, name, std::move(reply));
                      });
  }
  if (peers.empty()) Finish(id);
}

void Statistics::MemberAnswered(std::uint64_t id, const std::string& member, Result<wire::Envelope> reply) {
  const auto it = surveys_.find(id);
  if (it == surveys_.end()) return;
  auto& survey = it->second;
  const auto schema = survey.schemas.extract(member).mapped();
  auto told = Checked(reply, schema);
  if (told) {
    survey.rows[member] = told->rows;
    survey.parts.push_back(std::move(*told));
  } else {
    survey.failed.push_back(FailureOf(member, told.error()));
  }
  if (survey.schemas.empty()) Finish(id);
}

void Statistics::Finish(std::uint64_t id) {
  Survey survey = std::move(surveys_.extract(id).mapped());
  std::sort(survey.failed.begin(), survey.failed.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (survey.parts.empty()) {
    const auto& first = survey.failed.front();
    return survey.request.Refuse(Error{ErrorId::kNoSites,
                                       fmt::format("data set {}: none of {} clusters told statistics; {}: {}",
                                                   survey.name, survey.failed.size(), first.name, first.message),
                                       first.hint});
  }
  api::Stats stats;
  stats.name = survey.name;
  stats.clusters = std::move(survey.rows);
  stats.failed = std::move(survey.failed);
  auto merged = learn::MergeStatistics(survey.parts);
  if (!merged) return survey.request.Refuse(merged.error());
  stats.statistics = std::move(*merged);
  if (auto fits = learn::FitInMessage(stats.statistics); !fits) return survey.request.Refuse(fits.error());
  survey.request.Answer(ToJson(stats));
}

}  // namespace ote::agent
