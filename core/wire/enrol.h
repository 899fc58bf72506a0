// A cluster's side of enrolment, over a link that was opened with a token's key.
#pragma once

#include <chrono>
#include <string>

#include "core/api/requests.h"
#include "core/wire/client.h"
#include "crypto/keys.h"
#include "crypto/token.h"

namespace ote::wire {

struct Enrolled {
  api::EnrolReply reply;
  Bytes authority_key;  // Ed25519 public: as pinned by the token, or by succession from that one
  std::vector<crypto::Succession> successions;
};

// Checks that the other side is the one that the token pins (kPinMismatch, kCertificateInvalid), sends the request for
// `name` with the keys' public halves, signed and proved, and checks the certificate that comes back. The token's
// errors come as the root made them.
Result<Enrolled> Enrol(Client& client, const crypto::JoinToken& token, const std::string& name,
                       const api::Labels& labels, const crypto::SigningKey& sign,
                       const crypto::TransportPublic& transport, UnixMillis now, std::chrono::milliseconds patience);

}  // namespace ote::wire
