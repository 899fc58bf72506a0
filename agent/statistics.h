// Statistics of rows in place of the rows: of a data set of this agent, for its operator and for its parent, and, at a
// root, of the data sets of its members put together. Serves data.stats and data.summary.
//
// Rows are read in the worker's thread. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/datasets.h"
#include "agent/members.h"
#include "core/api/requests.h"

namespace ote::agent {

class Statistics {
 public:
  Statistics(Context& context, Members& members, Datasets& datasets);
  ~Statistics();

  // Registers the verbs.
  Result<void> Start();

 private:
  using Answer = std::function<void(Result<api::DataStatistics>)>;
  struct Told {  // what a data set came to
    site::RegisteredFile file;
    api::DataStatistics statistics;
  };
  // A question to the members, until all have answered.
  struct Survey {
    Request request;
    std::string name;
    std::map<std::string, std::string> schemas;  // of those that are waited for
    std::vector<api::DataStatistics> parts;
    std::map<std::string, std::int64_t> rows;  // of those that have told
    std::vector<api::SiteFailure> failed;
  };
  void Own(const std::string& name, Answer answer);
  void Stats(Request request);
  void Summary(Request request);
  void AskMembers(Request request, const api::StatsRequest& asked);
  void MemberAnswered(std::uint64_t id, const std::string& member, Result<wire::Envelope> reply);
  void Finish(std::uint64_t id);

  Context& context_;
  Members& members_;
  Datasets& datasets_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, Told> told_;                            // by data set
  std::map<std::uint64_t, Answer> reading_;                     // not answered yet: the worker reads
  std::map<std::uint64_t, Survey> surveys_;
  std::uint64_t next_ = 1;
};

}  // namespace ote::agent
