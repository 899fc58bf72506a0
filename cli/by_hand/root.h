// What a root's command line puts into every bundle that it writes, and how it gets at the agent's artifacts.
#pragma once

#include "cli/frame/context.h"
#include "cli/frame/link.h"
#include "core/bundle/pack.h"

namespace ote::cli {

// Issuer, certificate, authority and its succession, version. `to` is the receiver's name and key.
bundle::Header HeaderOfRoot(const store::Membership& root, std::string_view kind, const std::string& to,
                            const Bytes& to_key);
// The key that the root's certificate is for. kBusy while the agent changes it.
Result<crypto::SigningKey> SignKeyOf(const AgentLink& link);
// An artifact of the agent, piece by piece. `link` and `context` must outlive it.
bundle::Content AgentArtifact(Context& context, AgentLink& link, const std::string& digest, std::int64_t size);

}  // namespace ote::cli
