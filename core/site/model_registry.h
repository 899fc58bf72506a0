// The rows of the registry of models, for the agent and for the command line of a cluster that is reached by files.
// Every call is one transaction, and part of the caller's when there is one.
#pragma once

#include <string>
#include <vector>

#include "core/api/run.h"
#include "core/store/store.h"

namespace ote::site {

class ModelRegistry {
 public:
  explicit ModelRegistry(store::Store& store) : store_(store) {}

  // Gives rows of before there were versions one each. Once, before anything else.
  Result<void> Migrate();

  // All versions of all names, the oldest first.
  Result<std::vector<api::ModelEntry>> List() const;
  // See core/api/model_entry.h.
  Result<api::ModelEntry> Find(const std::string& reference) const;

  // Adds `entry` as the next version of its name. When the newest one is of the same file and the same source, nothing
  // is added and that one is returned: to register twice is to register once.
  Result<api::ModelEntry> Register(api::ModelEntry entry);
  // Puts the tag on a version, and takes it from the one of the same name that had it.
  Result<api::ModelEntry> Tag(const std::string& reference, const std::string& tag);
  // kModelUnknown when the version does not carry it.
  Result<api::ModelEntry> Untag(const std::string& reference, const std::string& tag);
  // kConflict for a version with tags unless `force`. The file is the caller's to drop.
  Result<api::ModelEntry> Remove(const std::string& reference, bool force);

 private:
  store::Store& store_;
};

// Fills in what a run's machine left open of the entry of its model: name, round, participants, parent, spec,
// preparation.
void AddLineage(api::ModelEntry& entry, const api::Run& run);

}  // namespace ote::site
