// A site's side of a round: from a task, a model and its own rows to an answer.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "core/api/run.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/model_file.h"
#include "core/learn/data.h"
#include "core/learn/model.h"

namespace ote::federate {

// What a site keeps for a run from round to round. It never leaves the site.
struct SiteMemory {
  Bytes control;   // SCAFFOLD: its control variate, raw float32; empty for zeros
  Bytes personal;  // its own model, a model file; empty when it has none yet
  Bytes residual;  // top-k: what its updates left out so far, raw float32; empty for zeros
  Bytes masks;     // secure aggregation: CBOR of SiteMasks, masks/site_masks.h; secret
};

struct SiteAnswer {
  api::UpdateOffer offer;
  Bytes update;  // raw float32 little-endian; empty for an evaluation, a survey or a failure
  // What takes the place of the site's memory once the answer is kept; empty parts stay as they are.
  SiteMemory memory = {};
};

// A site's own way to train, in place of the built-in one: turns `parameters`, which are the given model's, into
// trained ones. `train` are the rows that the built-in one would have trained on. kInterrupted when stopped.
using OwnTraining =
    std::function<Result<learn::Trained>(const api::Task& task, const ModelFile& given, const learn::Table& train,
                                         std::span<float> parameters, std::stop_token stop)>;

struct MaskIdentity;  // masks/site_masks.h

struct SiteExtras {
  ByteView control = {};   // the artifact that task.local.control_digest names
  SiteMemory memory = {};  // as the last answer left it
  OwnTraining own = {};
  bool silent = false;                     // nothing that was measured is told
  const MaskIdentity* identity = nullptr;  // needed by steps of masked rounds
};

// Checks the model file against the task (digest, layout), measures it on `test`, trains it on `train`, and makes the
// answer. The rows are prepared as the task says, and their classes renumbered (learn::UseClasses), by the caller; a
// survey has no model file, and its rows are as they were read. Failures come back as an offer with `failed` set, so
// that the root learns of them; only kInterrupted is an error. Deterministic for one kernel: the same task, model,
// memory and rows give the same bytes, but for local noise, which is new each time.
Result<SiteAnswer> PerformTask(const api::Task& task, ByteView model_file, const learn::Table& train,
                               const learn::Table& test, std::stop_token stop, const SiteExtras& extras = {});

// A failed answer to `task`; `phase` as in api::UpdateOffer.
api::UpdateOffer FailedOffer(const api::Task& task, const Error& error, std::string_view phase);

}  // namespace ote::federate
