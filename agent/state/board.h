// What clusters tell of themselves: things by kind and name, each a JSON value. The agent writes its own; it reads its
// own and those of all clusters below. Numbered, digested and carried up by what implements this. One thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::agent {

// The kinds that there are.
namespace state {
inline constexpr std::string_view kShim = "shim";    // one, named "": api::ShimStatus
inline constexpr std::string_view kLine = "line";    // one, named "": api::LineStatus; not of a root
inline constexpr std::string_view kApp = "app";      // api::AppStatus, by AppStatus::Key
inline constexpr std::string_view kEvent = "event";  // api::ClusterEvent, by a number; the newest 100 are kept
}  // namespace state

class StateBoard {
 public:
  virtual ~StateBoard() = default;

  // This cluster's own. The same value again is no change.
  virtual void Set(std::string_view kind, const std::string& name, Json value) = 0;
  virtual void Remove(std::string_view kind, const std::string& name) = 0;

  // Of this cluster or one below; by name. Empty when nothing is known.
  virtual std::map<std::string, Json> List(const std::string& cluster, std::string_view kind) const = 0;
  std::optional<Json> Get(const std::string& cluster, std::string_view kind, const std::string& name) const {
    const auto all = List(cluster, kind);
    const auto it = all.find(name);
    return it == all.end() ? std::nullopt : std::optional(it->second);
  }
  // When its report was last known to be whole and current; 0 when never.
  virtual UnixMillis FreshAt(const std::string& cluster) const = 0;

  // `value` is nullptr when the thing is gone.
  using Changed = std::function<void(const std::string& cluster, std::string_view kind, const std::string& name,
                                     const Json* value)>;
  virtual void OnChange(Changed fn) = 0;
};

}  // namespace ote::agent
