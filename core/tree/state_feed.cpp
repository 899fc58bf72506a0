#include "core/tree/state_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "crypto/digest.h"

namespace ote::tree {
namespace {

constexpr std::size_t kAround = 64;  // bytes that a thing takes on the wire beside its key and value

std::array<std::uint64_t, 4> WordsOf(const StateKey& key, ByteView value) {
  // The lengths stand in front, so that no two things are spelled alike.
  const std::uint64_t lengths[] = {key.kind.size(), key.name.size()};
  std::array<std::uint8_t, 16> head{};
  for (std::size_t i = 0; i < head.size(); ++i) {
    head[i] = static_cast<std::uint8_t>(lengths[i / 8] >> (8 * (i % 8)));
  }
  crypto::Hasher hasher;
  hasher.Update(head);
  hasher.Update(AsBytes(key.kind));
  hasher.Update(AsBytes(key.name));
  hasher.Update(value);
  const auto digest = hasher.Finish();
  std::array<std::uint64_t, 4> words{};
  for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
    words[i / 8] |= static_cast<std::uint64_t>(digest.bytes[i]) << (8 * (i % 8));
  }
  return words;
}

bool IsPlain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

Result<void> CheckKey(const StateKey& key) {
  const bool good = !key.kind.empty() && key.kind.size() <= StateFeed::kLongestKind &&
                    key.name.size() <= StateFeed::kLongestName && IsPlain(key.kind) && IsPlain(key.name);
  if (good) return {};
  return Fail(ErrorId::kInputBadValue, fmt::format("a thing of a cluster: its kind has {} bytes and its name {}",
                                                   key.kind.size(), key.name.size()));
}

}  // namespace

void StateSum::Add(const StateKey& key, ByteView value) {
  const auto words = WordsOf(key, value);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t sum = words_[i] + words[i];
    const std::uint64_t with = sum + carry;
    carry = (sum < words[i] ? 1U : 0U) + (with < sum ? 1U : 0U);
    words_[i] = with;
  }
}

void StateSum::Subtract(const StateKey& key, ByteView value) {
  const auto words = WordsOf(key, value);
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint64_t difference = words_[i] - words[i];
    const std::uint64_t with = difference - borrow;
    borrow = (words_[i] < words[i] ? 1U : 0U) + (difference < borrow ? 1U : 0U);
    words_[i] = with;
  }
}

Bytes StateSum::Value() const {
  Bytes bytes;
  for (const auto word : words_) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::uint8_t>(word >> (8 * i)));
  }
  return bytes;
}

const StateFeed::Entry* StateFeed::Find(const StateKey& key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : &it->second;
}

std::vector<std::pair<const std::string*, const StateFeed::Entry*>> StateFeed::List(std::string_view kind) const {
  std::vector<std::pair<const std::string*, const Entry*>> found;
  for (auto it = entries_.lower_bound(StateKey{std::string(kind), ""}); it != entries_.end(); ++it) {
    if (it->first.kind != kind) break;
    if (!it->second.gone) found.emplace_back(&it->first.name, &it->second);
  }
  return found;
}

std::vector<StateKey> StateFeed::Keys() const {
  std::vector<StateKey> keys;
  for (const auto& [key, entry] : entries_) keys.push_back(key);
  return keys;
}

Result<void> StateFeed::CheckRoom(const StateKey& key, std::size_t more) const {
  const auto* known = Find(key);
  const std::size_t before = known == nullptr ? 0 : known->value.size();
  const bool one_more = known == nullptr || known->gone;
  if ((one_more && size() >= kMostThings) || bytes_ - before + more > kMostBytes) {
    return Fail(ErrorId::kBusy,
                fmt::format("{} {}: there are {} things of {} bytes already", key.kind, key.name, size(), bytes_));
  }
  return {};
}

Result<bool> StateFeed::Set(const StateKey& key, Bytes value) {
  OTE_CHECK(CheckKey(key));
  if (value.size() > kMostValue) {
    return Fail(ErrorId::kInputBadValue, fmt::format("{} {}: {} bytes", key.kind, key.name, value.size()));
  }
  if (const auto* known = Find(key); known != nullptr && !known->gone && known->value == value) return false;
  OTE_CHECK(CheckRoom(key, value.size()));
  Put(key, ++at_, std::move(value));
  return true;
}

bool StateFeed::Remove(const StateKey& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.gone) return false;
  Bury(it, ++at_);
  DigUp();
  return true;
}

void StateFeed::Put(const StateKey& key, std::int64_t seq, Bytes value) {
  const auto [it, added] = entries_.try_emplace(key);
  auto& entry = it->second;
  if (added) {
    bytes_ += key.kind.size() + key.name.size();
  } else {
    by_seq_.erase(entry.seq);
    if (entry.gone) {
      graves_.erase(entry.seq);
    } else {
      sum_.Subtract(key, entry.value);
      bytes_ -= entry.value.size();
    }
  }
  sum_.Add(key, value);
  bytes_ += value.size();
  entry = Entry{seq, false, std::move(value)};
  entry.value.shrink_to_fit();
  by_seq_[seq] = &it->first;
  unsaved_.insert(key);
}

void StateFeed::Bury(Entries::iterator it, std::int64_t seq) {
  auto& entry = it->second;
  by_seq_.erase(entry.seq);
  if (entry.gone) {
    graves_.erase(entry.seq);
  } else {
    sum_.Subtract(it->first, entry.value);
    bytes_ -= entry.value.size();
  }
  entry = Entry{seq, true, {}};
  by_seq_[seq] = &it->first;
  graves_[seq] = &it->first;
  unsaved_.insert(it->first);
}

void StateFeed::Erase(Entries::iterator it) {
  by_seq_.erase(it->second.seq);
  if (it->second.gone) {
    graves_.erase(it->second.seq);
  } else {
    sum_.Subtract(it->first, it->second.value);
  }
  bytes_ -= it->first.kind.size() + it->first.name.size() + it->second.value.size();
  unsaved_.insert(it->first);
  entries_.erase(it);
}

void StateFeed::DigUp() {
  while (graves_.size() > kMostGraves) {
    floor_ = std::max(floor_, graves_.begin()->first);
    Erase(entries_.find(*graves_.begin()->second));
  }
}

api::SourceReport StateFeed::Mark(const std::string& cluster) const {
  api::SourceReport report;
  report.cluster = cluster;
  report.epoch = BigId{epoch_};
  report.from = at_;
  report.to = at_;
  report.digest = Digest();
  return report;
}

api::SourceReport StateFeed::Report(const std::string& cluster, std::int64_t from, bool full, std::size_t most) const {
  api::SourceReport report;
  report.cluster = cluster;
  report.epoch = BigId{epoch_};
  report.from = from;
  report.to = from;
  report.full = full;
  std::size_t bytes = 0;
  auto it = by_seq_.upper_bound(from);
  for (; it != by_seq_.end(); ++it) {
    const auto& key = *it->second;
    const auto& entry = entries_.at(key);
    const std::size_t size = kAround + key.kind.size() + key.name.size() + entry.value.size();
    if (bytes > 0 && bytes + size > most) break;
    bytes += size;
    report.to = it->first;
    if (entry.gone) {
      report.removed.push_back({key.kind, key.name, entry.seq});
    } else {
      report.set.push_back({key.kind, key.name, entry.seq, entry.value});
    }
  }
  if (it == by_seq_.end()) {
    report.to = at_;
    report.digest = Digest();
  }
  return report;
}

Result<void> StateFeed::Check(const api::SourceReport& report) {
  const auto bad = [&](std::string_view what) {
    return Fail(ErrorId::kInputBadValue, fmt::format("report of {}: {}", report.cluster, what));
  };
  if (report.from < 0 || report.to < report.from) return bad("its numbers run backwards");
  std::set<std::int64_t> numbers;
  std::set<std::pair<std::string_view, std::string_view>> keys;
  const auto check = [&](const std::string& kind, const std::string& name, std::int64_t seq) -> Result<void> {
    OTE_CHECK(CheckKey(StateKey{kind, name}));
    if (seq <= report.from || seq > report.to) return bad("a number that is outside of it");
    if (!numbers.insert(seq).second || !keys.emplace(kind, name).second) return bad("the same thing twice");
    return {};
  };
  for (const auto& thing : report.set) {
    OTE_CHECK(check(thing.kind, thing.name, thing.seq));
    if (thing.value.size() > kMostValue) return bad("a thing that is too large");
  }
  for (const auto& gone : report.removed) OTE_CHECK(check(gone.kind, gone.name, gone.seq));
  return {};
}

Result<StateFeed::Took> StateFeed::Apply(const api::SourceReport& report, std::vector<StateKey>* changed) {
  OTE_CHECK(Check(report));
  if (report.full) return ApplyFull(report, changed);
  staged_.reset();
  if (report.epoch.value != epoch_ || report.to < at_) return Took::kWantFull;
  if (report.from > at_) return Took::kGap;
  OTE_CHECK(TakeChanges(report, true, changed));
  if (report.digest.empty()) return Took::kMore;
  return report.digest == Digest() ? Took::kWhole : Took::kWantFull;
}

Result<void> StateFeed::TakeChanges(const api::SourceReport& report, bool bury, std::vector<StateKey>* changed) {
  // All of it is checked before any of it is taken.
  std::size_t bytes = bytes_;
  std::size_t count = entries_.size();
  for (const auto& thing : report.set) {
    const auto* known = Find(StateKey{thing.kind, thing.name});
    if (known == nullptr) ++count;
    bytes += thing.value.size() + (known == nullptr ? thing.kind.size() + thing.name.size() : 0);
    bytes -= known == nullptr ? 0 : known->value.size();
  }
  if (count > kMostThings + kMostGraves || bytes > kMostBytes) {
    return Fail(ErrorId::kBusy, fmt::format("report of {}: too many things", report.cluster));
  }
  const auto other = [this](std::int64_t seq, const StateKey& key) {
    const auto it = by_seq_.find(seq);
    return it != by_seq_.end() && *it->second != key;
  };
  for (const auto& thing : report.set) {
    const StateKey key{thing.kind, thing.name};
    const auto* known = Find(key);
    // What is newer here came with a report whose answer was lost.
    if (known != nullptr && known->seq >= thing.seq) continue;
    if (other(thing.seq, key)) continue;  // the digest tells
    const bool same = known != nullptr && !known->gone && known->value == thing.value;
    if (!same && changed != nullptr) changed->push_back(key);
    Put(key, thing.seq, thing.value);
  }
  for (const auto& gone : report.removed) {
    const StateKey key{gone.kind, gone.name};
    const auto it = entries_.find(key);
    if (it != entries_.end() && it->second.seq >= gone.seq) continue;
    if (other(gone.seq, key)) continue;
    if (it != entries_.end() && !it->second.gone && changed != nullptr) changed->push_back(key);
    if (!bury) {
      if (it != entries_.end()) Erase(it);
      continue;
    }
    const auto [grave, added] = entries_.try_emplace(key);
    if (added) {
      bytes_ += key.kind.size() + key.name.size();
      grave->second.gone = true;
    }
    Bury(grave, gone.seq);
  }
  at_ = std::max(at_, report.to);
  DigUp();
  return {};
}

Result<StateFeed::Took> StateFeed::ApplyFull(const api::SourceReport& report, std::vector<StateKey>* changed) {
  if (report.from == 0) {
    staged_ = std::make_unique<StateFeed>(report.epoch.value);
  } else if (!staged_ || staged_->epoch_ != report.epoch.value || staged_->at_ != report.from) {
    staged_.reset();
    return Took::kWantFull;
  }
  if (auto taken = staged_->TakeChanges(report, false, nullptr); !taken) {
    staged_.reset();
    return Fail(std::move(taken).error());
  }
  if (report.digest.empty()) return Took::kMore;
  const auto staged = std::move(staged_);
  if (staged->Digest() != report.digest) return Took::kWantFull;
  Become(std::move(*staged), changed);
  return Took::kWhole;
}

void StateFeed::Become(StateFeed staged, std::vector<StateKey>* changed) {
  auto unsaved = std::move(staged.unsaved_);
  unsaved.merge(unsaved_);
  for (const auto& [key, entry] : entries_) {
    unsaved.insert(key);
    const auto* now = staged.Find(key);
    if (!entry.gone && now == nullptr && changed != nullptr) changed->push_back(key);
  }
  for (const auto& [key, entry] : staged.entries_) {
    const auto* before = Find(key);
    const bool same = before != nullptr && !before->gone && before->value == entry.value;
    if (!same && changed != nullptr) changed->push_back(key);
  }
  *this = std::move(staged);
  unsaved_ = std::move(unsaved);
  floor_ = at_;  // what went since then is not known one by one
}

void StateFeed::Load(std::uint64_t epoch, std::int64_t at, std::int64_t floor) {
  epoch_ = epoch;
  at_ = at;
  floor_ = floor;
}

void StateFeed::Load(const StateKey& key, Entry entry) {
  const auto seq = entry.seq;
  if (seq > at_ || by_seq_.contains(seq) || !CheckKey(key)) return;  // the digest tells
  const bool gone = entry.gone;
  Put(key, seq, std::move(entry.value));
  if (gone) Bury(entries_.find(key), seq);
  unsaved_.erase(key);
}

}  // namespace ote::tree
