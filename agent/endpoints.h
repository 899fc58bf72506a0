// Where this agent can be reached, as others are told.
#pragma once

#include <string>
#include <vector>

#include "core/store/state_folder.h"

namespace ote::agent {

// The endpoints that a token should carry for these: a wildcard host is replaced by this machine's own addresses
// (loopback when it has no other). At most eight.
std::vector<std::string> AdvertisedEndpoints(const std::vector<std::string>& bound);

// What is told of this agent: as was asked for when it was made, or worked out. None when it takes no children.
std::vector<std::string> EndpointsToTell(const store::Membership& membership);

}  // namespace ote::agent
