// Which vector instructions this machine has, for loops that are compiled once for each. Any thread.
#pragma once

namespace ote {

// kAvx512 is F, DQ, VL and BW together; kGeneric is what the whole program is compiled for.
enum class Vectors { kGeneric, kAvx2, kAvx512 };

// The best that the processor and the system support.
Vectors BestVectors() noexcept;

}  // namespace ote
