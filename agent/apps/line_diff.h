// What changed between two texts, line by line, for people.
#pragma once

#include <string>
#include <string_view>

namespace ote::agent {

// Lines with "-" and "+" in front, and one of " " around each change; "" when there is none. Time and memory grow with
// the product of the lines that differ, which is bounded: beyond 2,000 each, all of one and all of the other.
std::string LineDiff(std::string_view before, std::string_view after);

}  // namespace ote::agent
