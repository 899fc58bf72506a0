#include "core/tree/line_meter.h"

#include <algorithm>

namespace ote::tree {

std::optional<std::chrono::milliseconds> LineMeter::Take(std::chrono::milliseconds round_trip) {
  last_.push_back(round_trip);
  if (last_.size() > kWindow) last_.pop_front();
  const auto now = *std::min_element(last_.begin(), last_.end());
  if (told_) {
    const auto apart = now > *told_ ? now - *told_ : *told_ - now;
    if (apart.count() < 2 || apart * 4 <= *told_) return std::nullopt;
  }
  told_ = now;
  return told_;
}

void LineMeter::Reset() {
  last_.clear();
  told_.reset();
}

}  // namespace ote::tree
