// fuzz-link: ote_parcel
// Parcels: one that was made up is never opened, whatever its head, certificate and body say.
#include "core/parcel/parcel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto authority = ote::crypto::SigningKey::FromSeed(ote::Bytes(32, 5)).value();
  static const auto key = ote::crypto::TransportKey::FromSecret(ote::Bytes(32, 7)).value();
  const auto parcel = ote::FromCbor<ote::parcel::Parcel>(ote::ByteView(data, size));
  if (!parcel) return 0;
  ote::parcel::Expected expected;
  expected.authority = authority.Public();
  const auto head = ote::parcel::ReadHead(*parcel);
  if (head) expected.receiver = head->receiver;
  if (ote::parcel::OpenTask(*parcel, expected, key)) __builtin_trap();
  if (ote::parcel::OpenOffer(*parcel, expected, key)) __builtin_trap();
  // What is inside, as if it had been opened.
  if (const auto task = ote::FromCbor<ote::parcel::SealedTask>(parcel->body)) {
    if (task->seals.answer_key.size() == 32)
      ote::parcel::NameOfTask(ote::api::TaskDigest(task->task), task->seals.answer_key);
  }
  (void)ote::FromCbor<ote::parcel::SealedOffer>(parcel->body);
  return 0;
}
