// Tells the children their place in the tree: the way up, where else they may go, and who may come to them; and which
// connections below them are replaced by later ones. Takes in what the parent tells of guests. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/uplink.h"

namespace ote::agent {

class PlaceDesk {
 public:
  PlaceDesk(Context& context, Members& members, Uplink& uplink)
      : context_(context), members_(members), uplink_(uplink) {}

  void Start();
  api::TreePlace PlaceFor(const std::string& child) const;
  // The same, for its welcome: it knows it then.
  api::TreePlace Welcome(const std::string& child);
  // `sessions`, at or below `child`, are over.
  void TellStale(const std::string& child, const std::vector<api::Session>& sessions);

 private:
  api::ParentEntry Self() const;
  std::vector<api::ParentEntry> Takers() const;
  api::TreePlace PlaceFor(const std::string& child, const std::vector<api::ParentEntry>& takers) const;
  void FindGuests(const std::vector<api::ParentEntry>& takers) const;
  void TakePlace(const api::TreePlace& place);
  void TakeGuests(const std::vector<crypto::Certificate>& guests);
  void TellLater();
  void TellAll();
  void Tell(const std::string& child, const api::TreePlace& place);

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  std::string guests_told_;            // a digest of those that the parent last told, once they are on disk
  std::map<std::string, Bytes> told_;  // a digest of what each child knows
  // Who may come to each child that takes children; worked out when it is asked for and not known any more.
  mutable std::map<std::string, std::vector<std::string>> guests_;
  mutable std::vector<std::string> guests_among_;  // those children
  mutable bool guests_known_ = false;
  Timers::Id later_ = 0;
};

}  // namespace ote::agent
