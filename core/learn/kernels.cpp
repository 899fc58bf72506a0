#include "core/learn/kernels.h"

#include <cstdlib>

#include "core/learn/kernels/variants.h"
#include "core/learn/model.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ote::learn {
namespace {

#if defined(__x86_64__)
// The levels of the x86-64 psABI. Each feature is looked at by itself: a hypervisor may hide any of them. The builtin
// also knows whether the operating system saves the wide registers.
int CpuLevel() noexcept {
  __builtin_cpu_init();
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return 1;
  constexpr unsigned kCx16 = 1U << 13;
  constexpr unsigned kMovbe = 1U << 22;
  constexpr unsigned kF16c = 1U << 29;
  const unsigned leaf1 = c;
  if ((leaf1 & kCx16) == 0 || !__builtin_cpu_supports("ssse3") || !__builtin_cpu_supports("sse4.2") ||
      !__builtin_cpu_supports("popcnt")) {
    return 1;
  }
  constexpr unsigned kLzcnt = 1U << 5;
  if (__get_cpuid(0x80000001U, &a, &b, &c, &d) == 0 || (c & kLzcnt) == 0 || (leaf1 & kMovbe) == 0 ||
      (leaf1 & kF16c) == 0 || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2")) {
    return 2;
  }
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl")) {
    return 3;
  }
  return 4;
}
#endif

}  // namespace

std::vector<const Kernels*> RunnableKernels() {
  std::vector<const Kernels*> kernels = {&kKernels_generic};
#if defined(__x86_64__)
  const int level = CpuLevel();
  if (level >= 2) kernels.push_back(&kKernels_v2);
  if (level >= 3) kernels.push_back(&kKernels_v3);
  if (level >= 4) kernels.push_back(&kKernels_v4);
#endif
  return kernels;
}

const Kernels& ChooseKernels(std::string_view wish) {
  const std::vector<const Kernels*> kernels = RunnableKernels();
  for (const Kernels* candidate : kernels) {
    if (wish == candidate->name) return *candidate;
  }
  return *kernels.back();
}

const Kernels& ActiveKernels() noexcept {
  static const Kernels& chosen = []() -> const Kernels& {
    const char* const wish = std::getenv("OTE_KERNEL");
    return ChooseKernels(wish == nullptr ? std::string_view() : std::string_view(wish));
  }();
  return chosen;
}

std::string_view KernelName() noexcept { return ActiveKernels().name; }

}  // namespace ote::learn
