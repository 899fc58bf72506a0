// Enrolment through a member that is no root: it makes nobody a member itself, it asks the root for tokens that admit
// to it, and carries what somebody with such a token asks and the certificate that comes back. Nor does it turn anybody
// out: it asks the root to. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/uplink.h"

namespace ote::agent {

class EnrolDesk {
 public:
  using Place = std::function<api::TreePlace(const std::string& child)>;
  EnrolDesk(Context& context, Members& members, Uplink& uplink, Place place)
      : context_(context), members_(members), uplink_(uplink), place_(std::move(place)) {}

  Result<void> Start();
  // The token whose enrolment key this is.
  std::optional<std::string> TokenOf(const crypto::TransportPublic& key) const;

 private:
  // Now, or as soon as there is a line; after kLineWait in any case.
  void WithLine(std::function<void()> fn);
  void CreateToken(Request request);
  void CarryList(Request request);
  void CarryRevoke(Request request);
  void CarryRemove(Request request);
  Result<api::EnrolHello> Hello();
  void Enrol(Request request);
  Result<api::EnrolReply> Enrolled(const wire::Envelope& answer);

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  Place place_;
  std::map<Bytes, std::string> by_key_;  // enrolment key to id
  std::map<std::uint64_t, std::function<void()>> for_line_;
  std::uint64_t next_ = 1;
};

}  // namespace ote::agent
