// What a cluster takes from one that has taken it in for a while because its own parent is lost.
//
// The host carries what is for the guest, of those above the guest's own parent: what these ask for is done as ever.
// The host itself, and its operators, are not above the guest: what begins with them and steers the guest, or reads
// what is there, is refused. The guest goes by the path of names that its own parent told it last. That a message is of
// one above is the host's word: it is told apart from the host's own, and not proved. One thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/context.h"
#include "agent/uplink.h"

namespace ote::agent {

class GuestRule {
 public:
  // Told of each that was refused: of whom it was.
  using Refused = std::function<void(const std::string& from, const wire::Envelope& request, const Error& why)>;

  GuestRule(Context& context, const Uplink& uplink) : context_(context), uplink_(uplink) {}
  void OnRefused(Refused fn) { refused_ = std::move(fn); }

  // A request that came over a link, for this cluster or one below. One of the host itself is marked as such in
  // `from`. kPermission.
  Result<void> Check(wire::LinkId link, wire::Envelope& request) const;
  // Verbs that steer a cluster, or read what is there. The others keep the tree together, or are signed by the root.
  static bool Steers(std::string_view verb) noexcept;

 private:
  bool IsAbove(const std::string& name) const;

  Context& context_;
  const Uplink& uplink_;
  Refused refused_;
};

}  // namespace ote::agent
