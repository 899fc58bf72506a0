// What an agent is in rounds with masks: its certified signing key, and how it knows other members.
#pragma once

#include "agent/context.h"
#include "core/base/result.h"
#include "core/federate/masks/site_masks.h"

namespace ote::agent {

// Members of this tree: certified by its authority and not on the list of those that were removed, as they are now.
federate::KeyCheck KnownMembers(const store::Membership& membership);

// For another thread: owns all that it refers to.
struct OwnMaskIdentity {
  crypto::SigningKey key;
  federate::MaskIdentity identity;
};
Result<std::shared_ptr<const OwnMaskIdentity>> MaskIdentityOf(const Context& context);

}  // namespace ote::agent
