#include "agent/shim/kubernetes/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/translate.h"

namespace ote::kube {
namespace {

constexpr std::size_t kAround = 3;
constexpr std::size_t kMaxTable = 4'000'000;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

struct Step {
  char mark;  // ' ', '-', '+'
  std::size_t a, b;
};

// The longest common subsequence by the textbook's table, of what is left between equal heads and tails.
std::vector<Step> Steps(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  const std::size_t n = a.size() - head - tail;
  const std::size_t m = b.size() - head - tail;
  std::vector<Step> steps;
  for (std::size_t i = 0; i < head; ++i) steps.push_back({' ', i, i});
  const std::size_t width = m + 1;
  std::vector<std::uint32_t> table;
  const bool small = (n + 1) * width <= kMaxTable;
  if (small) {
    table.assign((n + 1) * width, 0);
    for (std::size_t i = n; i-- > 0;) {
      for (std::size_t j = m; j-- > 0;) {
        table[i * width + j] = a[head + i] == b[head + j]
                                   ? table[(i + 1) * width + j + 1] + 1
                                   : std::max(table[(i + 1) * width + j], table[i * width + j + 1]);
      }
    }
  }
  for (std::size_t i = 0, j = 0; i < n || j < m;) {
    if (small && i < n && j < m && a[head + i] == b[head + j]) {
      steps.push_back({' ', head + i++, head + j++});
    } else if (i < n && (j == m || !small || table[(i + 1) * width + j] >= table[i * width + j + 1])) {
      steps.push_back({'-', head + i++, head + j});
    } else {
      steps.push_back({'+', head + i, head + j++});
    }
  }
  for (std::size_t i = 0; i < tail; ++i) steps.push_back({' ', a.size() - tail + i, b.size() - tail + i});
  return steps;
}

// Whether a value differs may be seen, and nothing else of it.
void Hide(Json& secret, const Json& other, const char* side) {
  for (const char* field : {"data", "stringData"}) {
    if (!secret.contains(field) || !secret[field].is_object()) continue;
    for (auto& [key, value] : secret[field].items()) {
      value = At(other, {field, key}) == value ? "(hidden)" : fmt::format("(hidden, {})", side);
    }
  }
}

Json Shown(const Json& object, const Json& other, const char* side) {
  if (!object.is_object()) return object;
  Json json = object;
  json.erase("status");
  Json& metadata = json["metadata"];
  if (metadata.is_object()) {
    for (const char* field : {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"}) {
      metadata.erase(field);
    }
    if (metadata.contains("annotations") && metadata["annotations"].is_object()) {
      metadata["annotations"].erase(kRevision);
      metadata["annotations"].erase(kDigest);
      metadata["annotations"].erase("deployment.kubernetes.io/revision");
    }
  }
  if (TextAt(json, {"kind"}) == "Secret") Hide(json, other, side);
  return json;
}

std::string TextOf(const Json& object, const Json& other, const char* side) {
  return object.is_null() ? std::string() : DumpYaml(Shown(object, other, side));
}

}  // namespace

std::string UnifiedDiff(const std::string& before, const std::string& after, const std::string& from,
                        const std::string& to) {
  const auto a = Lines(before);
  const auto b = Lines(after);
  const auto steps = Steps(a, b);
  std::string out;
  for (std::size_t at = 0; at < steps.size();) {
    if (steps[at].mark == ' ') {
      ++at;
      continue;
    }
    // A hunk: until no change follows within twice the lines around.
    std::size_t last = at;
    for (std::size_t i = at; i < steps.size() && i <= last + 2 * kAround; ++i) {
      if (steps[i].mark != ' ') last = i;
    }
    const std::size_t begin = at < kAround ? 0 : at - kAround;
    const std::size_t end = std::min(steps.size(), last + kAround + 1);
    std::size_t of_a = 0;
    std::size_t of_b = 0;
    std::string body;
    for (std::size_t i = begin; i < end; ++i) {
      of_a += steps[i].mark != '+' ? 1U : 0U;
      of_b += steps[i].mark != '-' ? 1U : 0U;
      body += fmt::format("{}{}\n", steps[i].mark, steps[i].mark == '+' ? b[steps[i].b] : a[steps[i].a]);
    }
    out += fmt::format("@@ -{},{} +{},{} @@\n{}", steps[begin].a + (of_a > 0 ? 1U : 0U), of_a,
                       steps[begin].b + (of_b > 0 ? 1U : 0U), of_b, body);
    at = last + 1;
  }
  if (out.empty()) return out;
  return fmt::format("--- {}\n+++ {}\n{}", from, to, out);
}

std::string DiffObjects(const std::string& what, const Json& before, const Json& after) {
  return UnifiedDiff(TextOf(before, after, "before"), TextOf(after, before, "after"),
                     before.is_null() ? "/dev/null" : what, after.is_null() ? "/dev/null" : what);
}

}  // namespace ote::kube
