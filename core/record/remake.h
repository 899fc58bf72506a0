// Makes what a record tells of again, where what it was made from is kept, by the very code that made it.
#pragma once

#include <string>

#include "core/api/record.h"
#include "core/federate/run_machine.h"

namespace ote::record {

struct Remade {
  bool again = false;  // it was made, and is what the record says
  std::string why;     // it could not be
};

// A round of a run with this spec. kRecordBroken when what comes of it is another model, and when the run keeps what it
// needs and something is gone or damaged; what `read` says of the line. The
// digests of what is read are checked here. Memory: the model and one update; all updates of the round where the
// strategy compares them.
Result<Remade> RemakeRound(const api::RunSpec& spec, const api::RecordRound& round,
                           const federate::ArtifactReader& read);
// The model that a run begins with: that it is there, of the run's kind and, unless it came from elsewhere, made of the
// run's seed.
Result<Remade> RemakeFirst(const api::RunSpec& spec, const std::string& model, const federate::ArtifactReader& read);

}  // namespace ote::record
