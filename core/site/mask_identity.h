// What a site is in rounds with masks: its certified signing key, and how it knows other members.
#pragma once

#include <memory>

#include "core/base/result.h"
#include "core/federate/masks/site_masks.h"
#include "core/store/state_folder.h"

namespace ote::site {

// Members of this tree: certified by its authority and not on the list of those that were removed, as they are now. A
// list that cannot be read lets nobody pass.
federate::KeyCheck KnownMembers(const store::Membership& membership);
// The same as they are whenever it is asked; `membership` outlives it. One thread.
federate::KeyCheck KnownMembersNow(const store::Membership& membership);

// Of the member whose key is in the folder. For another thread: it owns all that it refers to.
Result<std::shared_ptr<const federate::MaskIdentity>> MaskIdentityOf(const store::StateFolder& folder,
                                                                     const store::Membership& membership);

}  // namespace ote::site
