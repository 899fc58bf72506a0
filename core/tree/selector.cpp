#include "core/tree/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace ote::tree {
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxTerms = 64;
constexpr std::string_view kGlob = "glob:";
constexpr std::string_view kName = "name";

bool IsWordByte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' || c == '/' || c == '*' ||
         c == '?' || c == ':';
}

bool ValueMatches(std::string_view wanted, std::string_view value) {
  if (wanted.starts_with(kGlob)) return GlobMatches(wanted.substr(kGlob.size()), value);
  return wanted == value;
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after = 0;  // where the text behind the last star begins, as tried now
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++after;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

class Selector::Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<std::vector<Term>> Read() {
    std::vector<Term> terms;
    Space();
    if (at_ == text_.size())
      return Fail(ErrorId::kSelectorEmpty, "the selector is empty", "name whom you mean, or say --all");
    for (;;) {
      OTE_TRY(auto term, OneTerm());
      terms.push_back(std::move(term));
      if (terms.size() > kMaxTerms) return Bad(fmt::format("more than {} terms", kMaxTerms));
      Space();
      if (at_ == text_.size()) return terms;
      if (!Take(",")) return Bad("a comma is missing between two terms");
    }
  }

 private:
  tl::unexpected<Error> Bad(const std::string& why) const {
    return Fail(ErrorId::kSelectorInvalid, fmt::format("selector, at column {}: {}", at_ + 1, why));
  }
  void Space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool Take(std::string_view token) {
    Space();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string Word() {
    Space();
    const auto begin = at_;
    while (at_ < text_.size() && IsWordByte(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }
  Result<std::string> Key() {
    const auto begin = at_;
    auto key = Word();
    const auto fits = key.empty() ? Fail(ErrorId::kUsage, "no key") : api::CheckLabels({{key, ""}});
    if (!fits) {
      at_ = begin;
      return Bad(key.empty() ? "a key is missing" : fmt::format("'{}' cannot be a key", key));
    }
    return key;
  }
  Result<std::string> Value(const std::string& key) {
    const auto begin = at_;
    auto value = Word();
    const bool glob = value.starts_with(kGlob);
    auto plain = glob ? value.substr(kGlob.size()) : value;
    if (glob) std::erase_if(plain, [](char c) { return c == '*' || c == '?'; });
    const bool fits = key == kName || glob ? plain.find_first_of("*?:") == std::string::npos
                                           : api::CheckLabels({{"key", plain}}).has_value();
    if (!fits) {
      at_ = begin;
      const bool meant_glob = !glob && value.find_first_of("*?") != std::string::npos;
      return Bad(meant_glob ? fmt::format("a pattern is written {}={}{}", key, kGlob, value)
                            : fmt::format("'{}' cannot be a value", value));
    }
    if (key == kName && value.empty()) return Bad("a name is missing");
    return value;
  }
  Result<Term> OneTerm() {
    Term term;
    OTE_TRY(term.key, Key());
    if (Take("!=")) {
      term.op = Op::kNotIn;
    } else if (!Take("==") && !Take("=")) {
      return WordTerm(std::move(term));
    }
    OTE_TRY(auto value, Value(term.key));
    term.values.push_back(std::move(value));
    return term;
  }
  Result<Term> WordTerm(Term term) {
    const auto begin = at_;
    const auto word = Word();
    if (word == "exists" || word == "absent") {
      term.op = word == "exists" ? Op::kExists : Op::kAbsent;
      return term;
    }
    if (word != "in" && word != "notin") {
      at_ = begin;
      return Bad(fmt::format("after '{}' comes =, !=, in, notin, exists or absent", term.key));
    }
    term.op = word == "in" ? Op::kIn : Op::kNotIn;
    if (!Take("(")) return Bad(fmt::format("after '{}' comes a list: ({}, …)", word, "one"));
    do {
      OTE_TRY(auto value, Value(term.key));
      term.values.push_back(std::move(value));
    } while (Take(","));
    if (!Take(")")) return Bad("the list does not end");
    std::ranges::sort(term.values);
    term.values.erase(std::unique(term.values.begin(), term.values.end()), term.values.end());
    return term;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Selector> Selector::Parse(std::string_view text) {
  if (text.size() > kMaxText) return Fail(ErrorId::kSelectorInvalid, "selector: longer than 4 KiB");
  if (text == "*") return All();
  Selector selector;
  OTE_TRY(selector.terms_, Reader(text).Read());
  return selector;
}

Selector Selector::All() {
  Selector selector;
  selector.all_ = true;
  return selector;
}

Selector Selector::Of(const api::Labels& labels) {
  Selector selector;
  selector.all_ = labels.empty();
  for (const auto& [key, value] : labels) selector.terms_.push_back({key, Op::kIn, {value}});
  return selector;
}

bool Selector::Matches(std::string_view name, const api::Labels& labels) const {
  if (all_) return true;
  return !terms_.empty() && std::ranges::all_of(terms_, [&](const Term& term) {
    const auto label = labels.find(term.key);
    const bool is_name = term.key == kName;
    const bool has = is_name || label != labels.end();
    const std::string_view value = is_name ? name : has ? std::string_view(label->second) : std::string_view();
    const bool among =
        has && std::ranges::any_of(term.values, [&](const auto& wanted) { return ValueMatches(wanted, value); });
    switch (term.op) {
      case Op::kIn:
        return among;
      case Op::kNotIn:
        return !among;
      case Op::kExists:
        return has;
      case Op::kAbsent:
        return !has;
    }
    return false;
  });
}

std::string Selector::Text() const {
  if (all_) return "*";
  std::string text;
  for (const auto& term : terms_) {
    if (!text.empty()) text += ',';
    text += term.key;
    if (term.op == Op::kExists || term.op == Op::kAbsent) {
      text += term.op == Op::kExists ? " exists" : " absent";
    } else if (term.values.size() == 1) {
      text += (term.op == Op::kIn ? "=" : "!=") + term.values.front();
    } else {
      text += fmt::format(" {} ({})", term.op == Op::kIn ? "in" : "notin", fmt::join(term.values, ","));
    }
  }
  return text;
}

}  // namespace ote::tree
