// Whether the parts of a run hold together, looked at before anything starts.
#pragma once

#include <string>

#include "core/api/run.h"
#include "core/federate/model_file.h"
#include "core/learn/layout.h"

namespace ote::federate {

// Ranges (api::Validate), and choices that cannot be combined (plan_pairs.h, and those of three and more): kRunInvalid,
// naming the field first, with the reason and, as the hint, what to change for the nearest plan that holds.
// kRunTooCostly for a run with noise that would cost more than it may.
Result<void> CheckPlan(const api::RunSpec& spec);

// Whether each of the layers that stay at the sites is the beginning of a tensor's name, at a dot. kRunInvalid names
// the tensors that there are.
Result<void> CheckLayers(const api::PersonalSpec& spec, const learn::Layout& layout);
bool IsLocal(const api::PersonalSpec& spec, const learn::TensorInfo& tensor);

// Whether the run can start from `from`: the same kind of model, for the same data. kModelDataMismatch says what
// differs. `raw_features` are the sites' columns.
Result<void> CheckStart(const api::Run& run, const ModelFile& from, std::int64_t raw_features);

// What a round takes at the root beside the model itself, for `sites` updates to a model of `parameters` weights: "a
// round keeps 12 updates of 4.0 MiB on disk and reads them through 48.0 MiB of memory".
std::string DescribeMemory(const api::RunSpec& spec, std::int64_t sites, std::int64_t parameters);

// How large an update to a model of `parameters` weights is as it travels: "an update is 50.7 KiB, and 3.8 MiB without
// compression". Of a model that is made of statistics: "".
std::string DescribeUpdate(const api::RunSpec& spec, std::int64_t parameters);

}  // namespace ote::federate
