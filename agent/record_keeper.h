// Keeps the records of this root's runs: chains and signs what a run enters, in the transaction that keeps the state
// that the entry tells of, and gives them out (fl.record).
//
// Rows of the store: an entry's frame by run and number, beside each run's head, and, for runs that keep what their
// aggregates are made from, one for each artifact that is kept. One thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/context.h"
#include "core/api/record.h"
#include "core/record/chain.h"

namespace ote::agent {

// Where the record of a run ends.
struct RecordHead {
  static constexpr std::string_view kKind = "record";
  record::Head head;
  std::int64_t rounds = 0;
  bool keeps = false;      // the artifacts that it names
  UnixMillis dropped = 0;  // when they were removed though it was to keep them; 0 for not

  std::string Key() const { return head.run; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("head", self.head, kRequired);
    v("rounds", self.rounds, kRequired);
    v("keeps", self.keeps);
    v("dropped", self.dropped);
  }
};

// Appends entries to the record of a run. To be called in a transaction of the store, which is to be rolled back with
// an error. A run that began without a record stays without. An entry that is there already is left as it is;
// kRecordConflict when it would be another.
Result<void> WriteEntries(Context& context, const std::string& run, std::vector<api::RecordEntry> entries);

// That `site` has signed the answer to the task with this digest, as record::CheckOffer says. kStatementInvalid.
Result<void> CheckStatement(const Context& context, const std::string& site, const api::UpdateOffer& offer,
                            const std::string& task, const std::string& statistics);

// Whether a record keeps the artifact; when in doubt it does.
bool KeptForRecord(store::Store& store, const std::string& digest);
Result<std::set<std::string>> AllKeptForRecords(store::Store& store);

// What the record of a run keeps and no other record does.
Result<std::set<std::string>> KeptOnlyFor(store::Store& store, const std::string& run);
// Keeps none of it any more; the record stays, and tells so. In a transaction of the store. How many rows went.
Result<std::int64_t> DropKept(Context& context, const std::string& run);
// The record as a whole, after that.
Result<std::int64_t> DropRecord(store::Store& store, const std::string& run);

// Answers fl.record for the run with this id.
void ServeRecord(Context& context, Request& request, const std::string& run, const api::RecordRequest& wanted);

}  // namespace ote::agent
