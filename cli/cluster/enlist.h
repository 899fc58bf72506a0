// What init and join share.
#pragma once

#include "cli/daemon/launch.h"
#include "cli/frame/context.h"
#include "core/store/state_folder.h"

namespace ote::cli {

// Gives the folder its context, starts the agent unless `no_start`, and prints the result: the document
// {"name","role","state","listen","fingerprint","already","running"}.
// kEndpointInvalid for one that agents cannot listen on.
Result<void> CheckEndpoints(const std::vector<std::string>& endpoints);
// Whether `asked` is what was asked for when `kept` was written: port 0 stands for the one that was picked.
bool SameEndpoints(const std::vector<std::string>& asked, const std::vector<std::string>& kept);

Result<Exit> FinishEnlisting(Context& context, const store::StateFolder& folder, bool already, bool no_start);

// Base64url of the authority's fingerprint.
std::string FingerprintText(const store::Membership& membership);

}  // namespace ote::cli
