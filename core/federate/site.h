// A site's side of a round: from a task, a model and its own rows to an answer.
#pragma once

#include <functional>
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

struct SiteAnswer {
  api::UpdateOffer offer;
  Bytes update;  // raw float32 little-endian, trained minus given; empty for an evaluation or a failure
};

// A site's own way to train, in place of the built-in one: turns `parameters`, which are the given model's, into
// trained ones. `train` are the rows that the built-in one would have trained on. kInterrupted when stopped.
using OwnTraining =
    std::function<Result<learn::Trained>(const api::Task& task, const ModelFile& given, const learn::Table& train,
                                         std::span<float> parameters, std::stop_token stop)>;

// Checks the model file against the task (digest, layout), measures it on `test`, trains it on `train`, and makes the
// answer. Failures come back as an offer with `failed` set, so that the root learns of them; only kInterrupted is an
// error. Deterministic for one kernel: the same task, model and rows give the same bytes. Classes are renumbered by the
// caller (learn::UseClasses) before.
Result<SiteAnswer> PerformTask(const api::Task& task, ByteView model_file, const learn::Table& train,
                               const learn::Table& test, std::stop_token stop, const OwnTraining& own = {});

// A failed answer to `task`; `phase` as in api::UpdateOffer.
api::UpdateOffer FailedOffer(const api::Task& task, const Error& error, std::string_view phase);

}  // namespace ote::federate
