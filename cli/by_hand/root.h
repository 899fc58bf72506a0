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
// Puts an artifact at the agent that comes in pieces, in order.
class AgentUpload {
 public:
  AgentUpload(Context& context, AgentLink& link, std::string digest, std::int64_t size)
      : context_(context), link_(link), digest_(std::move(digest)), size_(size) {}
  Result<void> Take(ByteView piece);

 private:
  Result<void> Send();
  Context& context_;
  AgentLink& link_;
  std::string digest_;
  std::int64_t size_;
  std::int64_t from_ = 0;  // where held_ belongs
  Bytes held_;
  std::optional<std::int64_t> there_;  // that the agent has
};

}  // namespace ote::cli
