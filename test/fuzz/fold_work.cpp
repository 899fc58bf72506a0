// fuzz-link: ote_parcel ote_federate
// What a root asks a relay to fold: whatever it says, what is taken holds together and makes a sum.
#include "core/federate/relay_sum.h"
#include "core/parcel/fold_seals.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = ote::crypto::TransportKey::FromSecret(ote::Bytes(32, 7)).value();
  const ote::ByteView bytes(data, size);
  (void)ote::FromCbor<ote::api::FoldReply>(bytes);
  if (const auto request = ote::FromCbor<ote::api::FoldRequest>(bytes)) {
    if (ote::parcel::OpenWork(*request, "north", key)) __builtin_trap();
  }
  const auto work = ote::FromCbor<ote::api::FoldWork>(bytes);
  if (!work) return 0;
  const auto request = ote::parcel::SealWork(*work, "north", key.Public());
  if (!request) __builtin_trap();
  const auto opened = ote::parcel::OpenWork(*request, "north", key);
  if (!opened) return 0;
  for (const auto& item : opened->items) {
    if (item.key.size() != 32 || item.weight < 1) __builtin_trap();
    if (opened->masked && item.weight != 1) __builtin_trap();
  }
  (void)ote::federate::RelaySum::For(*opened, 1000);
  return 0;
}
