// What this build calls itself.
#pragma once

#include <string>
#include <string_view>

namespace ote {

// "0.1.0"
std::string_view Version() noexcept;
// The commit that it was built from, or "unknown".
std::string_view Commit() noexcept;
// "linux/x86_64"
std::string Platform();

}  // namespace ote
