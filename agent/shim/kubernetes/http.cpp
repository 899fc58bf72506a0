#include "agent/shim/kubernetes/http.h"

#include <fmt/format.h>

#include <future>
#include <memory>

#include "agent/shim/kubernetes/json.h"

namespace ote::kube {
namespace {

// What is no code of the API: an object that does not fit its schema, when it is applied.
bool IsMisfit(int code, const Json& status) {
  return code == 500 && TextAt(status, {"message"}).starts_with("failed to create typed patch object");
}

ErrorId IdOf(int code) {
  if (code == 401 || code == 403) return ErrorId::kKubeRefused;
  if (code == 404) return ErrorId::kNotFound;
  if (code == 409) return ErrorId::kKubeConflict;
  if (code == 400 || code == 413 || code == 415 || code == 422) return ErrorId::kKubeInvalid;
  if (code == 429 || code == 503 || code == 504) return ErrorId::kKubeUnreachable;
  return ErrorId::kKubeFailed;
}

// What a server says goes to people's terminals: one line, bounded, printable.
std::string Words(std::string_view text, std::size_t limit = 600) {
  std::string out;
  for (const char c : text.substr(0, limit)) {
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  }
  for (int i = 0; i < 3 && text.size() > limit && !IsUtf8(out); ++i) out.pop_back();  // a cut character
  while (out.ends_with(' ')) out.pop_back();
  return IsUtf8(out) ? out : std::string("words that are not UTF-8");
}

// Without the dump of a whole object that a server puts before what is wrong with it.
std::string WithoutDump(const std::string& text) {
  constexpr std::size_t kLong = 200;
  const std::size_t begin = text.find("Invalid value: ");
  const std::size_t end = text.rfind("}: ");
  if (text.size() <= kLong || begin == text.npos || end == text.npos || end < begin) return text;
  return text.substr(0, text.find(": ", begin) + 2) + "{...}" + text.substr(end + 1);
}

std::string Hint(int code) {
  if (code == 401) return "the credentials are not taken: see CREDENTIALS in ote-kubernetes(7)";
  if (code == 403) return "the agent's role lacks a right: see RIGHTS in ote-kubernetes(7)";
  return {};
}

}  // namespace

Error StatusError(int code, const Json& status, const std::string& what) {
  std::string message = TextAt(status, {"message"});
  if (message.empty()) message = fmt::format("the server answered with status {}", code);
  std::string fields;
  int told = 0;
  bool managers = false;
  const Json& causes = At(status, {"details", "causes"});
  if (causes.is_array()) {
    for (const Json& cause : causes) {
      if (++told > 16) break;
      const bool manager = TextAt(cause, {"reason"}) == "FieldManagerConflict";
      managers = managers || manager;
      const auto one = fmt::format("{}: {}", TextAt(cause, {"field"}), WithoutDump(TextAt(cause, {"message"})));
      if (fields.find(one) == fields.npos) fields += (fields.empty() ? "" : "; ") + one;
    }
  }
  // The server's own message says the same as the causes, at length.
  if (managers) message = "another manager owns what it sets";
  constexpr std::string_view kInvalid = " is invalid: ";
  if (const auto at = message.find(kInvalid); at != message.npos && message.size() > 600 && !fields.empty())
    message.resize(at + kInvalid.size() - 2);
  if (!fields.empty() && (managers || message.find(fields) == message.npos)) message += " (" + fields + ")";
  std::string hint = Hint(code);
  if (managers) hint = "leave the field out, or let the other manager give it up";
  if (fields.find("field is immutable") != fields.npos || fields.find("Forbidden: updates to") != fields.npos)
    hint = "what cannot be changed takes an object of another name";
  const ErrorId id = IsMisfit(code, status) ? ErrorId::kKubeInvalid : IdOf(code);
  return Error{id, fmt::format("{}: {}", what, Words(message, 2000)), hint};
}

bool MayPass(const Answer& answer) {
  const int status = answer.status;
  if (status != 500) return status == 429 || status == 502 || status == 503 || status == 504;
  const auto json = ParseAnswer(answer.body);
  return !json || !IsMisfit(status, *json);
}

Result<void> CheckAnswer(const Answer& answer, const std::string& what) {
  if (answer.status >= 200 && answer.status < 300) return {};
  const auto status = ParseAnswer(answer.body);
  if (status && TextAt(*status, {"kind"}) == "Status") return Fail(StatusError(answer.status, *status, what));
  return Fail(IdOf(answer.status),
              fmt::format("{}: the server answered with status {}{}{}", what, answer.status,
                          answer.body.empty() ? "" : ": ", Words(answer.body, 200)),
              Hint(answer.status));
}

Result<Answer> Call(Api& api, Request request) {
  // Shared with the answer: it may come after we stopped to wait.
  auto promise = std::make_shared<std::promise<Result<Answer>>>();
  auto future = promise->get_future();
  const auto patience = request.patience + std::chrono::seconds(10);
  const auto id = api.Send(std::move(request), [promise](Result<Answer> r) { promise->set_value(std::move(r)); });
  if (future.wait_for(patience) != std::future_status::ready) {
    api.Cancel(id);
    return Fail(ErrorId::kKubeUnreachable, "the API server does not answer");
  }
  return future.get();
}

Result<Json> CallJson(Api& api, Request request, const std::string& what) {
  auto answer = Call(api, std::move(request));
  if (!answer) return Fail(std::move(answer).error().Context(what));
  OTE_CHECK(CheckAnswer(*answer, what));
  auto json = ParseAnswer(answer->body);
  if (!json) return Fail(std::move(json).error().Context(what));
  return json;
}

}  // namespace ote::kube
