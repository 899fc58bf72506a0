// The descriptions of the models, one defined in each file of this folder. For core/learn/models.cpp alone.
#pragma once

#include "core/learn/models.h"

namespace ote::learn {

extern const ModelInfo kLinearInfo;
extern const ModelInfo kSoftmaxInfo;
extern const ModelInfo kMlpInfo;
extern const ModelInfo kGbtInfo;
extern const ModelInfo kKmeansInfo;
extern const ModelInfo kCnnInfo;

}  // namespace ote::learn
