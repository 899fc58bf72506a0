// A data set for people.
#pragma once

#include <string>

#include "core/api/dataset.h"

namespace ote::cli {

std::string DatasetText(const api::Dataset& dataset);

}  // namespace ote::cli
