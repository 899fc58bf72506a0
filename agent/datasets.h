// The data sets of this site: which files, what is in them. Serves data.*; reads them for the trainer.
//
// Files are read in the worker's thread. Only names, schemas and counts are told to the parent. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/uplink.h"
#include "agent/worker.h"
#include "core/api/dataset.h"
#include "core/site/data_cache.h"
#include "core/site/ledger.h"

namespace ote::agent {

class Datasets {
 public:
  Datasets(Context& context, Uplink& uplink);
  ~Datasets();

  // Loads what is registered, registers the verbs, and tells the uplink what to tell.
  Result<void> Start();

  std::int64_t Count() const noexcept { return std::ssize(datasets_); }
  // What the worker needs to read a data set; kDatasetUnknown.
  Result<site::RegisteredFile> Find(const std::string& name) const;
  // For jobs of the worker only.
  const std::shared_ptr<site::DataCache>& Cache() const noexcept { return cache_; }
  // The thread that the data sets are read in, for what works on them.
  Worker& GetWorker() noexcept { return worker_; }
  std::vector<api::DatasetSummary> Summaries() const;
  // What the data sets have told, and may.
  site::Ledger& GetLedger() noexcept { return ledger_; }

 private:
  void Add(Request request);
  std::optional<site::RegisteredFile> There(const std::string& name) const;
  Result<api::Dataset> Register(const api::DataAddRequest& asked, site::RegisteredFile read);
  Result<api::Dataset> Remove(const api::NameRequest& request);
  Result<api::DataList> List();
  // The terms that came with the request, and the data set as it is shown.
  Result<api::Dataset> Settle(const api::DataAddRequest& asked, api::Dataset dataset);

  Context& context_;
  Uplink& uplink_;
  site::Ledger ledger_;
  std::map<std::string, site::RegisteredFile> datasets_;
  std::shared_ptr<site::DataCache> cache_;   // shared with the worker's jobs
  std::map<std::uint64_t, Request> adding_;  // not answered yet: the worker reads
  std::uint64_t next_ = 1;
  Worker worker_;
};

}  // namespace ote::agent
