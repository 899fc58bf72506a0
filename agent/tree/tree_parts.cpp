#include "agent/tree/tree_parts.h"

#include <charconv>
#include <utility>

namespace ote::agent {
namespace {

constexpr std::string_view kPulseKind = "tree-pulse";
constexpr std::int64_t kStride = std::int64_t{1} << 40;  // of milliseconds: no agent runs for so long

}  // namespace

TreeParts::TreeParts(Context& context, Members& members, Uplink& uplink, Transfer& transfer,
                     std::function<bool(const std::string&)> needed)
    : context_(context),
      members_(members),
      uplink_(uplink),
      transfer_(transfer),
      guest_(context, uplink),
      relay_(context, members, uplink, guest_),
      places_(context, members, uplink),
      view_(context, members, uplink) {
  if (!context.membership.parent) return;
  routes_.emplace(context, members, uplink);
  trust_.emplace(context, members, uplink);
  enrol_.emplace(context, members, uplink, [this](const std::string& child) { return places_.PlaceFor(child); });
  carrier_.emplace(context, uplink, transfer, std::move(needed));
  folds_.emplace(context, members, transfer);
}

Result<void> TreeParts::Start() {
  relay_.Start();
  members_.SetTree({[this] { return uplink_.Rooted(); }, [this] { return Pulse(); },
                    [this] { return context_.membership.parent ? uplink_.Path() : std::vector<std::string>(); },
                    [this](const std::string& child) { return places_.Welcome(child); },
                    [this](const std::string& child, const auto& sessions) { places_.TellStale(child, sessions); }});
  transfer_.SetBelow(
      [this](const std::string& member, const std::string& other) { return members_.IsBelow(member, other); });
  places_.Start();
  view_.Start();
  if (!context_.membership.parent) return BeginPulse();
  routes_->Start();
  carrier_->Start();
  folds_->Start();
  OTE_CHECK(trust_->Start());
  return enrol_->Start();
}

// Grows with the time that the root runs, and from one start to the next, whatever its calendar says.
Result<void> TreeParts::BeginPulse() {
  OTE_TRY(const auto kept, context_.store.GetDoc(kPulseKind, ""));
  if (kept) {
    const auto text = AsText(*kept);
    std::from_chars(text.data(), text.data() + text.size(), pulse_);
  }
  pulse_ += kStride;
  return context_.store.PutDoc(kPulseKind, "", AsBytes(std::to_string(pulse_)));
}

std::int64_t TreeParts::Pulse() const {
  return context_.membership.parent ? uplink_.Pulse() : pulse_ + context_.clock.SteadyNow().count();
}

}  // namespace ote::agent
