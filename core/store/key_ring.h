// The keys of a state folder, and those that are about to take their place.
//
// A key that is to change gets a second file beside it: sign.next.key, transport.next.key, authority.next.key. Which of
// the two is in force is not for the files to say: it is the one that member.json names, in its certificate or as its
// authority. So the one atomic write of member.json is the moment of a change, and whatever a crash leaves fits:
//
// - x.key alone, and member.json names it: nothing to do.
// - x.key and x.next.key, and it names x.key: a change is under way. `next` is given, to go on with or to drop.
// - x.key (perhaps zeroed, perhaps gone) and x.next.key, and it names x.next.key: the change had happened, or was cut
//   off in the middle. The old key is destroyed, and the new one put in its place.
// - anything else is kKeysMismatch: files of two times, such as an old key put back.
//
// The command line writes the first keys before the agent starts; after that only the agent writes here.
#pragma once

#include <optional>

#include "core/store/state_folder.h"

namespace ote::store {

struct MemberKeys {
  crypto::SigningKey sign;
  crypto::TransportKey transport;
  // Of a change that is under way; a crash may have left one without the other.
  std::optional<crypto::SigningKey> next_sign;
  std::optional<crypto::TransportKey> next_transport;
};

// The keys that `own`, the certificate of member.json, is for. Ends a change that had happened.
Result<MemberKeys> LoadMemberKeys(const StateFolder& folder, const crypto::CertificateBody& own);
// The key that `named` is the public half of. Ends a change that had happened; drops one that had not.
Result<crypto::SigningKey> LoadAuthorityKey(const StateFolder& folder, const crypto::VerifyKey& named);

// Fills in the next keys: those on disk, or new ones, which are on disk when this returns.
Result<void> MakeNextKeys(const StateFolder& folder, MemberKeys& keys);
Result<void> MakeNextTransportKey(const StateFolder& folder, MemberKeys& keys);
Result<void> MakeNextSignKey(const StateFolder& folder, MemberKeys& keys);
Result<crypto::SigningKey> MakeNextAuthorityKey(const StateFolder& folder);

// After member.json names the next keys: they are the keys, here and on disk, and the old ones are destroyed.
Result<void> TakeNextKeys(const StateFolder& folder, MemberKeys& keys);
Result<void> TakeNextAuthorityKey(const StateFolder& folder);
// Gives the change up: the next keys are destroyed.
Result<void> DropNextKeys(const StateFolder& folder, MemberKeys& keys);

}  // namespace ote::store
