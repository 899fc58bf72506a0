// What init and join share.
#pragma once

#include "cli/daemon/launch.h"
#include "cli/frame/context.h"
#include "core/store/state_folder.h"

namespace ote::cli {

// Gives the folder its context, starts the agent unless `no_start`, and prints the result: the document
// {"name","role","state","listen","fingerprint","already","running"}.
Result<Exit> FinishEnlisting(Context& context, const store::StateFolder& folder, bool already, bool no_start);

// Base64url of the authority's fingerprint.
std::string FingerprintText(const store::Membership& membership);

}  // namespace ote::cli
