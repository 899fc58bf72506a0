// The tables of all kernels that were compiled in (CMakeLists.txt decides which).
#pragma once

#include "core/learn/kernels.h"

namespace ote::learn {

extern const Kernels kKernels_generic;
extern const Kernels kKernels_v2;
extern const Kernels kKernels_v3;
extern const Kernels kKernels_v4;

}  // namespace ote::learn
