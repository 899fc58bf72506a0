// gzip (RFC 1952), for bodies that are sent.
#pragma once

#include <string>
#include <string_view>

namespace ote::agent {

// "" when there is no memory for it.
std::string Gzip(std::string_view text);

}  // namespace ote::agent
