// fuzz-link: ote_wire
// Frame 1 of a message, as any admitted peer can send it. Whatever is read must be written back to the same message.
#include "core/wire/envelope.h"

#include <cstdlib>

#include "core/wire/cancel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = ote::wire::DecodeHeader({data, size});
  if (!first) {
    if (first.error().message.empty()) std::abort();
    return 0;
  }
  const auto error = ote::wire::ErrorOf(*first);
  if (error.message.empty()) std::abort();
  const auto bytes = ote::wire::EncodeHeader(*first);
  const auto second = ote::wire::DecodeHeader(bytes);
  if (!second || second->id != first->id || second->verb != first->verb || second->last != first->last) std::abort();
  if (second->kind != first->kind || ote::wire::EncodeHeader(*second) != bytes) std::abort();
  if (const auto cancelled = ote::wire::CancelledBy(*first)) {
    if (ote::wire::CancelledBy(ote::wire::MakeCancel(*cancelled)) != cancelled) std::abort();
  }
  return 0;
}
