// The bulk API by libcurl. Its handle, and with it the connection, is kept from one batch to the next.
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "agent/watch/shipper.h"
#include "core/base/bytes.h"
#include "core/base/files.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLongestAnswer = 1 << 20;
constexpr long kConnectMs = 10'000;
constexpr long kWholeMs = 60'000;

// Everything that curl calls back for, in one attempt.
struct Attempt {
  std::string body;
  bool too_long = false;
  std::stop_token stop;
};

std::size_t OnBody(char* data, std::size_t, std::size_t size, void* to) {
  auto& attempt = *static_cast<Attempt*>(to);
  if (attempt.body.size() + size > kLongestAnswer) {
    attempt.too_long = true;
    return 0;
  }
  attempt.body.append(data, size);
  return size;
}

int OnProgress(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Attempt*>(to)->stop.stop_requested() ? 1 : 0;
}

struct Curl {
  Curl() : handle(curl_easy_init()) {}
  ~Curl() { curl_easy_cleanup(handle); }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;
  CURL* handle;
};

// The one line of a file that holds a secret.
Result<std::string> ReadSecret(const std::string& file) {
  OTE_TRY(const Bytes bytes, ReadPrivateFile(file));
  std::string text(AsText(bytes));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  const bool plain =
      std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (text.empty() || !plain) return Fail(ErrorId::kShipperFailed, fmt::format("{}: not one line of text", file));
  return text;
}

class Sender {
 public:
  explicit Sender(api::ShipSettings settings) : settings_(std::move(settings)) {}

  BulkReply Send(const std::string& body, std::stop_token stop) {
    BulkReply reply;
    CURL* curl = curl_.handle;
    if (curl == nullptr || body.empty()) {
      reply.message = "out of memory";
      return reply;
    }
    // Read anew each time: they may have been replaced.
    std::string key, user;
    for (const auto& [file, out] : {std::pair{&settings_.key_file, &key}, std::pair{&settings_.user_file, &user}}) {
      if (file->empty()) continue;
      auto secret = ReadSecret(*file);
      if (!secret) {
        reply.message = secret.error().message;
        return reply;
      }
      *out = std::move(*secret);
    }
    Attempt attempt;
    attempt.stop = std::move(stop);
    std::string url = settings_.url;
    while (url.ends_with('/')) url.pop_back();
    url += "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
    curl_slist* headers = nullptr;
    for (const std::string& line :
         {std::string("Content-Type: application/x-ndjson"), std::string("Content-Encoding: gzip"),
          std::string("Expect:"),
          key.empty() ? std::string("Accept: application/json") : "Authorization: ApiKey " + key}) {
      headers = curl_slist_append(headers, line.c_str());
    }
    char words[CURL_ERROR_SIZE] = "";
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, url.starts_with("https://") ? "https" : "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);  // where to is not what was agreed on
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kWholeMs);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &attempt);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &OnProgress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &attempt);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
    if (!settings_.ca_file.empty()) {
      curl_easy_setopt(curl, CURLOPT_CAINFO, settings_.ca_file.c_str());
      curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
    }
    if (!user.empty()) {
      curl_easy_setopt(curl, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      curl_easy_setopt(curl, CURLOPT_USERPWD, user.c_str());
    }
    const CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
      long status = 0;
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
      reply.status = static_cast<int>(status);
      reply.body = std::move(attempt.body);
      curl_off_t seconds = 0;  // curl reads both forms of Retry-After
      curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
      reply.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(seconds, 0, 24 * 3600));
    } else {
      reply.message = attempt.too_long ? "the answer is too long" : words[0] != '\0' ? words : curl_easy_strerror(code);
    }
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    curl_slist_free_all(headers);
    return reply;
  }

 private:
  api::ShipSettings settings_;
  Curl curl_;
};

}  // namespace

BulkSender MakeBulkSender(const api::ShipSettings& settings) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(once);
  // Shared only because std::function wants to be copied.
  return [sender = std::make_shared<Sender>(settings)](const std::string& body, std::stop_token stop) {
    return sender->Send(body, std::move(stop));
  };
}

}  // namespace ote::agent
