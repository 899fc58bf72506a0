// The keys of this agent, for its operator. Serves key.list, key.rotate and key.transport.
#pragma once

#include "agent/context.h"
#include "agent/rotation.h"
#include "agent/trust_desk.h"

namespace ote::agent {

class KeyDesk {
 public:
  // `root` is nullptr at a member.
  KeyDesk(Context& context, const store::MemberKeys& keys, Rotation& rotation, TrustDesk* root)
      : context_(context), keys_(keys), rotation_(rotation), root_(root) {}
  void Start();

 private:
  api::KeyList List() const;
  api::KeyInfo AuthorityInfo() const;
  void Rotate(Request request);
  void RotateTransport(Request request);
  // Those that are in use.
  std::vector<api::KeyInfo> InUse(std::string_view name) const;

  Context& context_;
  const store::MemberKeys& keys_;
  Rotation& rotation_;
  TrustDesk* root_;
};

}  // namespace ote::agent
