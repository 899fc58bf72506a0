#include "agent/shim/program/protocol.h"

#include <fmt/format.h>

#include "core/base/json_builder.h"

namespace ote::agent::program {
namespace {

tl::unexpected<Error> Nonsense(std::string_view line, const std::string& why) {
  return Fail(ErrorId::kShimProtocol,
              fmt::format("the shim program said \"{}\": {}", codec::ForMessage(line, 120), why), "man 7 ote-shim");
}

}  // namespace

Result<Answer> ParseAnswer(std::string_view line) {
  auto json = ParseJson(line, "line");
  if (!json) return Nonsense(line, json.error().message);
  if (!json->is_object()) return Nonsense(line, "not an object");
  auto answer = FromWire<Answer>(*json);
  if (!answer) return Nonsense(line, answer.error().message);
  const int events =
      (answer->status ? 1 : 0) + (answer->cluster ? 1 : 0) + (answer->happened ? 1 : 0) + (answer->line ? 1 : 0);
  const int results = (answer->ok ? 1 : 0) + (answer->error ? 1 : 0);
  if (answer->id ? results != 1 || events != 0 : results != 0 || events != 1)
    return Nonsense(line, "neither an answer, with an id and one of ok and error, nor one event");
  return answer;
}

Result<std::string> DumpRequest(const Request& request) {
  auto text = DumpJson(ToJson(request));
  if (text.size() > kLongestLine)
    return Fail(ErrorId::kShimFailed,
                fmt::format("{} bytes for the shim program, more than the {} of a line", text.size(), kLongestLine));
  return text + "\n";
}

Error ErrorOf(const Failure& failure) {
  const auto* known = failure.code.empty() ? nullptr : FindError(failure.code);
  return {known == nullptr ? ErrorId::kShimFailed : known->id, codec::ForMessage(failure.message, 2000), {}};
}

}  // namespace ote::agent::program
