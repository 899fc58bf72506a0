#include "agent/watch/bulk_answer.h"

#include <fmt/format.h>

#include "core/base/codec.h"

namespace ote::agent {
namespace {

constexpr std::size_t kLongestReason = 200;

const Json* Field(const Json& json, const char* name) {
  if (!json.is_object()) return nullptr;
  const auto it = json.find(name);
  return it == json.end() ? nullptr : &*it;
}

// For people and for the log, whoever wrote it.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  }
  if (text.size() > kLongestReason) text.resize(kLongestReason);
  return text;
}

std::string ReasonOf(const Json& answer, std::int64_t status) {
  std::string words = fmt::format("status {}", status);
  const Json* error = Field(answer, "error");
  if (error == nullptr) return words;
  for (const char* name : {"type", "reason"}) {
    const Json* text = Field(*error, name);
    if (text != nullptr && text->is_string()) words += ": " + text->get<std::string>();
  }
  return Printable(std::move(words));
}

}  // namespace

Result<BulkVerdict> ReadBulkAnswer(std::string_view body, std::size_t sent) {
  const auto refuse = [](std::string_view why) {
    return Fail(ErrorId::kShipperFailed, fmt::format("the answer is none of the bulk API: {}", why));
  };
  const auto json = ParseJson(body);
  if (!json) return refuse("not JSON");
  const Json* items = Field(*json, "items");
  if (items == nullptr || !items->is_array()) return refuse("no items");
  if (items->size() != sent) return refuse(fmt::format("{} items for {}", items->size(), sent));
  BulkVerdict verdict;
  verdict.items.reserve(sent);
  for (const Json& item : *items) {
    // {"create": {"status": 201, …}}
    if (!item.is_object() || item.size() != 1) return refuse("an item that is none");
    const Json& answer = *item.begin();
    const Json* status = Field(answer, "status");
    if (status == nullptr || !status->is_number_integer()) return refuse("an item without a status");
    const auto code = status->get<std::int64_t>();
    ItemVerdict what = ItemVerdict::kRefused;
    if ((code >= 200 && code < 300) || code == 409) {
      what = ItemVerdict::kTaken;  // 409: the id is there, from before the answer was lost
    } else if (code == 429 || code >= 500) {
      what = ItemVerdict::kAgain;
    }
    if (what != ItemVerdict::kTaken && verdict.reason.empty()) verdict.reason = ReasonOf(answer, code);
    verdict.items.push_back(what);
  }
  return verdict;
}

}  // namespace ote::agent
