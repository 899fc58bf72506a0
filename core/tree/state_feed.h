// The things that one cluster tells of itself, each by kind and name, with the number of its last change.
//
// The same table stands at the source, which numbers the changes, and on every tier above, which takes them over with
// the source's numbers; so each can tell the next one what came after a number. Of a thing that changed often only the
// last value is told. What is gone leaves a grave, and graves are bounded in number: who stayed behind the oldest that
// was dug up must be told everything.
//
// Whether two tables are the same shows in their digest, the sum modulo 2^256 of the BLAKE2b-256 of each thing: one
// change costs O(log n). It guards against loss and restored copies, not against a source that lies about itself.
//
// Pure: no clock, no line, no disk. One thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/state.h"
#include "core/base/result.h"

namespace ote::tree {

struct StateKey {
  std::string kind;
  std::string name;
  friend auto operator<=>(const StateKey&, const StateKey&) = default;
};

// A sum of digests, in any order.
class StateSum {
 public:
  void Add(const StateKey& key, ByteView value);
  void Subtract(const StateKey& key, ByteView value);
  Bytes Value() const;
  friend bool operator==(const StateSum&, const StateSum&) = default;

 private:
  std::array<std::uint64_t, 4> words_{};  // the least first
};

class StateFeed {
 public:
  static constexpr std::size_t kMostThings = 10'000;
  static constexpr std::size_t kMostBytes = 32 << 20;
  static constexpr std::size_t kMostValue = 768 << 10;
  static constexpr std::size_t kMostGraves = 256;
  static constexpr std::size_t kLongestKind = 32;
  static constexpr std::size_t kLongestName = 300;

  struct Entry {
    std::int64_t seq = 0;
    bool gone = false;
    Bytes value;  // empty when gone
  };

  // A source gives its own epoch; a mirror that knows nothing has 0.
  explicit StateFeed(std::uint64_t epoch = 0) : epoch_(epoch) {}

  std::uint64_t epoch() const noexcept { return epoch_; }
  std::int64_t at() const noexcept { return at_; }  // number of the last change
  std::int64_t floor() const noexcept { return floor_; }
  std::size_t size() const noexcept { return entries_.size() - graves_.size(); }
  Bytes Digest() const { return sum_.Value(); }
  const Entry* Find(const StateKey& key) const;  // a grave too
  // Those of a kind, by name; graves left out.
  std::vector<std::pair<const std::string*, const Entry*>> List(std::string_view kind) const;

  // All keys, those of graves too.
  std::vector<StateKey> Keys() const;

  // At the source. Whether it is a change; the same value again is none. kInputBadValue for a key or value that is too
  // long, kBusy when there are too many.
  Result<bool> Set(const StateKey& key, Bytes value);
  bool Remove(const StateKey& key);

  // Whether what came after `at` can be told to one that has that of `epoch`.
  bool Covers(std::uint64_t epoch, std::int64_t at) const noexcept {
    return epoch == epoch_ && at >= floor_ && at <= at_;
  }
  // Where this table is.
  api::SourceReport Mark(const std::string& cluster) const;
  // What came after `from`, at most about `most` bytes of it but at least one thing. `full`: a piece of the whole,
  // which begins with from = 0.
  api::SourceReport Report(const std::string& cluster, std::int64_t from, bool full, std::size_t most) const;

  enum class Took {
    kWhole,    // and the same as the source
    kMore,     // taken, and more pieces follow
    kGap,      // not taken: something before it is missing; what follows at() is to be told
    kWantFull  // not taken: it does not fit together
  };
  // At a mirror. Keys whose value changed or went are added to `changed`. kInputBadValue for what no source would say,
  // kBusy when it would be too much; nothing was taken then.
  Result<Took> Apply(const api::SourceReport& report, std::vector<StateKey>* changed);
  // Up to where a whole report has come that is under way; at() when there is none.
  std::int64_t Have() const noexcept { return staged_ ? staged_->at_ : at_; }
  std::uint64_t HaveEpoch() const noexcept { return staged_ ? staged_->epoch_ : epoch_; }

  // For those who keep it on disk: what was on disk, and the keys that changed (or are no longer there) since the last
  // call.
  void Load(std::uint64_t epoch, std::int64_t at, std::int64_t floor);
  void Load(const StateKey& key, Entry entry);
  std::set<StateKey> TakeUnsaved() { return std::exchange(unsaved_, {}); }
  void PutBackUnsaved(std::set<StateKey> keys) { unsaved_.merge(keys); }

 private:
  using Entries = std::map<StateKey, Entry>;
  static Result<void> Check(const api::SourceReport& report);
  Result<void> CheckRoom(const StateKey& key, std::size_t size) const;
  void Put(const StateKey& key, std::int64_t seq, Bytes value);
  void Bury(Entries::iterator it, std::int64_t seq);
  void Erase(Entries::iterator it);
  void DigUp();
  Result<void> TakeChanges(const api::SourceReport& report, bool bury, std::vector<StateKey>* changed);
  Result<Took> ApplyFull(const api::SourceReport& report, std::vector<StateKey>* changed);
  void Become(StateFeed staged, std::vector<StateKey>* changed);

  std::uint64_t epoch_;
  std::int64_t at_ = 0;
  std::int64_t floor_ = 0;  // number of the newest grave that was dug up
  std::size_t bytes_ = 0;   // of keys and values
  Entries entries_;
  std::map<std::int64_t, const StateKey*> by_seq_;  // keys of entries_, which stay where they are
  std::map<std::int64_t, const StateKey*> graves_;  // of these the graves
  StateSum sum_;
  std::set<StateKey> unsaved_;
  std::unique_ptr<StateFeed> staged_;  // a whole report whose last piece is not here yet
};

}  // namespace ote::tree
