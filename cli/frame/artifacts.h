// Artifacts between a command line and its agent, piece by piece.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/frame/context.h"
#include "cli/frame/link.h"
#include "core/base/bytes.h"
#include "core/wire/envelope.h"

namespace ote::cli {

// The answer to artifact.get with up to `most` bytes from `offset` on, at least one. kProtocol for another number.
Result<wire::Envelope> FetchPiece(Context& context, AgentLink& link, const std::string& digest, std::int64_t offset,
                                  std::size_t most);

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
