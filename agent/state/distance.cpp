#include "agent/state/distance.h"

#include "core/api/line.h"

namespace ote::agent {
namespace {

constexpr int kMostTiers = 64;

}  // namespace

void Distance::Start() {
  uplink_.OnBeat([this](const std::string& parent, std::chrono::milliseconds round_trip) {
    if (parent != parent_) meter_.Reset();
    parent_ = parent;
    if (const auto line = meter_.Take(round_trip))
      board_.Set(state::kLine, "", ToJson(api::LineStatus{parent, line->count()}));
  });
}

std::optional<std::int64_t> RoundTripMs(const StateBoard& board, const std::string& self, const std::string& cluster) {
  std::int64_t sum = 0;
  std::string at = cluster;
  for (int tier = 0; at != self; ++tier) {
    const auto told = tier < kMostTiers ? board.Get(at, state::kLine, "") : std::nullopt;
    const auto line = told ? FromWire<api::LineStatus>(*told) : Fail(ErrorId::kNotFound, at);
    if (!line || line->round_trip_ms < 0) return std::nullopt;
    sum += line->round_trip_ms;
    at = line->parent;
  }
  return sum;
}

}  // namespace ote::agent
