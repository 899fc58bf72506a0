// What a trainer is given: the folder of its task, on disk.
//
//   task.json            what is to be done, ote-agent(8)
//   model.safetensors    the weights to begin with
//   features.npy         the rows to train on, prepared: float32, rows × columns
//   targets.npy          their labels: float32, the number of the class, or the value
//   train_rows.txt       the numbers of these rows in the data file, from 0, one a line
//   held_out_rows.txt    and of those that models are measured on: not to be trained on
//   output/              where it leaves update.safetensors and metrics.json
//   tmp/                 TMPDIR
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/api/dataset.h"
#include "core/api/task.h"
#include "core/base/result.h"
#include "core/federate/model_file.h"
#include "core/learn/data.h"

namespace ote::site {

struct Handover {
  std::filesystem::path folder;
  std::map<std::string, std::string> paths;  // by the placeholder's name
  std::filesystem::path Output() const { return folder / "output"; }
};

// Makes the folder anew and fills it. kNoSpace, kFileFailed.
Result<Handover> WriteHandover(const std::filesystem::path& folder, const api::Task& task,
                               const federate::ModelFile& given, const learn::Table& train,
                               const api::Dataset& dataset);

// task.json.
Json DescribeTask(const api::Task& task, const learn::Table& train, const api::Dataset& dataset);

}  // namespace ote::site
