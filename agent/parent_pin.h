// The transport keys by which this agent's own parent may prove itself: the one that member.json pins, and one that the
// parent was certified for since, which is in the store. Each call reads what is on disk: connections are begun rarely.
#pragma once

#include <vector>

#include "agent/context.h"
#include "crypto/certificate.h"

namespace ote::agent {

class ParentPin {
 public:
  explicit ParentPin(Context& context) : context_(context) {}

  // What the parent's certificate says, if the authority has signed it: durable when this returns. kCertificateInvalid
  // for another's, or one that is older than the last.
  Result<void> Take(const crypto::Certificate& certificate);
  // To be tried in this order: at most two.
  std::vector<Bytes> Keys() const;
  // The parent has shown that it holds the key: from now on it is pinned, and one before it is not taken any more.
  // Whether that is news.
  bool Shown(const Bytes& key);

 private:
  Context& context_;
};

}  // namespace ote::agent
