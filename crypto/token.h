// Join tokens: one string that lets a cluster enrol, `ote1.<id>.<secret>.<pin>`.
//
// id      10 characters, names the token at the root (not secret).
// secret  32 random bytes, base64url. The root keeps only its hash (ProofKey).
// pin     base64url of: endpoints, the root's transport key, the authority's fingerprint, and a checksum over the whole
//         token, so that one wrong character is noticed before anything is sent.
//
// From the secret come two keys, each by DeriveKey with its own context: the proof key, with which the child
// authenticates its request (Mac) and which is the hash that the root keeps, and the transport key with which the child
// opens the encrypted link, whose public half the root admits for enrolment and nothing else. Neither gives the secret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/keys.h"

namespace ote::crypto {

// What a token can carry: 1 to 8 endpoints of 1 to 256 printable characters without space; kEndpointInvalid otherwise.
Result<void> CheckEndpoints(const std::vector<std::string>& endpoints);

struct JoinToken {
  std::string id;
  SecretBytes secret;
  std::vector<std::string> endpoints;  // in the order to try, at least one, at most eight
  TransportPublic parent_key;
  Fingerprint authority{};

  // Fresh id and secret. `endpoints` must pass CheckEndpoints.
  static JoinToken Make(std::vector<std::string> endpoints, const TransportPublic& parent_key,
                        const Fingerprint& authority);
  // kTokenMalformed, saying what is wrong: not a token at all, truncated, or mistyped (checksum).
  static Result<JoinToken> Parse(std::string_view text);
  // The token itself: a secret. Print it once, to the one who asked for it.
  SecretBytes Reveal() const;

  SecretBytes ProofKey() const;
  TransportKey EnrolmentKey() const;
};

}  // namespace ote::crypto
