// What the command line of an agent puts into every bundle that it writes, and how it gets at the agent's artifacts.
#pragma once

#include "cli/frame/context.h"
#include "cli/frame/link.h"
#include "core/api/by_hand.h"
#include "core/bundle/open.h"
#include "core/bundle/pack.h"

namespace ote::cli {

// Issuer, certificate, authority and its succession, version. `to` is the receiver's name and key.
bundle::Header HeaderFrom(const store::Membership& member, std::string_view kind, const std::string& to,
                          const Bytes& to_key);
// The key that the agent's certificate is for. kBusy while the agent changes it.
Result<crypto::SigningKey> SignKeyOf(const AgentLink& link);
// An artifact of the agent, piece by piece. `link` and `context` must outlive it.
bundle::Content AgentArtifact(Context& context, AgentLink& link, const std::string& digest, std::int64_t size);

// A bundle for this agent that was carried here: the key that opens it, and what the agent is told of it.
struct OpenedHere {
  crypto::TransportKey key;
  api::CarriedFile file;
};
// kBundleReceiver when it is for another; what Bundle::OpenManifest says.
Result<OpenedHere> OpenHere(const AgentLink& link, bundle::Bundle& bundle);

// Where a bundle was written to, for the document that a command prints.
void TellPacked(Json& json, const bundle::Place& place, const bundle::Packed& packed);

// Puts the artifacts of a bundle that was checked at the agent; `key` opens it.
Result<void> PutItems(Context& context, AgentLink& link, bundle::Bundle& bundle, const crypto::TransportKey& key);

}  // namespace ote::cli
