#include "agent/shim/kubernetes/transfer.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "agent/shim/kubernetes/json.h"
#include "core/base/version.h"

namespace ote::kube {
namespace {

constexpr long kConnectMillis = 10'000;
constexpr long kSilentSeconds = 30;

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view bytes(data, size * count);
  if (transfer.cancelled) return 0;
  long status = 0;
  curl_easy_getinfo(static_cast<CURL*>(transfer.easy), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.IsStream() && status == 200) {
    transfer.streamed = true;
    if (transfer.request.chunk(bytes)) return bytes.size();
    transfer.ended = true;
    return 0;
  }
  if (transfer.answer.body.size() + bytes.size() > transfer.request.limit) {
    transfer.too_large = true;
    return 0;
  }
  transfer.answer.body += bytes;
  return bytes.size();
}

std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  auto& answer = transfer.answer;
  const std::string_view line(data, size * count);
  if (line == "\r\n" && transfer.request.opened && !transfer.cancelled) {
    long status = 0;
    curl_easy_getinfo(static_cast<CURL*>(transfer.easy), CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) transfer.request.opened();
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return line.size();
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
  if (name == "content-type") answer.content_type = std::string(value);
  if (name == "retry-after") {  // the API sends seconds, never a date
    std::int64_t seconds = 0;
    for (const char c : value.substr(0, 6)) {
      if (c < '0' || c > '9') return line.size();
      seconds = seconds * 10 + (c - '0');
    }
    answer.retry_after = std::chrono::seconds(seconds);
  }
  return line.size();
}

struct Url {
  std::string scheme_host;  // https://HOST:PORT
  std::string host;
  std::string port;
};

Url Split(const std::string& server) {
  Url url;
  const std::size_t begin = std::strlen("https://");
  const std::size_t slash = std::min(server.find('/', begin), server.size());
  const std::string authority = server.substr(begin, slash - begin);
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != authority.npos && (bracket == authority.npos || colon > bracket);
  url.host = has_port ? authority.substr(0, colon) : authority;
  url.port = has_port ? authority.substr(colon + 1) : "443";
  return url;
}

bool IsLoopback(const std::string& host) { return host == "localhost" || host == "[::1]" || host.starts_with("127."); }

curl_blob Blob(ByteView bytes) {
  return curl_blob{const_cast<std::uint8_t*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
}

// One option after the other; remembers the first that was refused.
class Options {
 public:
  explicit Options(CURL* easy) : easy_(easy) {}
  template <class T>
  void Set(CURLoption option, T value) {
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (code != CURLE_OK && first_ == CURLE_OK) first_ = code;
  }
  CURLcode First() const { return first_; }

 private:
  CURL* easy_;
  CURLcode first_ = CURLE_OK;
};

void AddHeader(void*& list, const std::string& line) {
  if (auto* longer = curl_slist_append(static_cast<curl_slist*>(list), line.c_str()); longer != nullptr) list = longer;
}

void AddToken(void*& list, const crypto::SecretBytes& token) {
  std::string line = "Authorization: Bearer ";
  const std::size_t size = line.size() + token.size();
  line.reserve(size + 1);
  line += AsText(token.View());
  AddHeader(list, line);
  crypto::Wipe({reinterpret_cast<std::uint8_t*>(line.data()), line.size()});
}

void SetTls(Options& options, const Credentials& credentials, const Auth& auth) {
  options.Set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  options.Set(CURLOPT_SSL_VERIFYPEER, 1L);
  options.Set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!credentials.ca.empty()) {
    auto ca = Blob(AsBytes(credentials.ca));
    options.Set(CURLOPT_CAINFO_BLOB, &ca);
    options.Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  if (!auth.key.empty()) {
    auto certificate = Blob(AsBytes(auth.certificate));
    auto key = Blob(auth.key.View());
    options.Set(CURLOPT_SSLCERT_BLOB, &certificate);
    options.Set(CURLOPT_SSLCERTTYPE, "PEM");
    options.Set(CURLOPT_SSLKEY_BLOB, &key);
    options.Set(CURLOPT_SSLKEYTYPE, "PEM");
  }
}

}  // namespace

std::chrono::milliseconds TokenBucket::Take(std::chrono::milliseconds now) {
  left_ = std::min(burst_, left_ + rate_ * static_cast<double>((now - last_).count()) / 1000.0);
  last_ = now;
  if (left_ >= 1) {
    left_ -= 1;
    return std::chrono::milliseconds(0);
  }
  return std::chrono::milliseconds(1 + static_cast<std::int64_t>((1 - left_) / rate_ * 1000.0));
}

std::chrono::milliseconds BackOff(int tries, std::mt19937& random) {
  const std::int64_t most = std::min<std::int64_t>(10'000, 250LL << std::min(tries, 10));
  return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(most / 2, most)(random));
}

Result<void> Transfer::Open(const Credentials& credentials, const Auth& auth, Millis now) {
  CURL* handle = curl_easy_init();
  if (handle == nullptr) return Fail(ErrorId::kKubeFailed, "libcurl: out of memory");
  easy = handle;
  answer = {};
  error[0] = '\0';
  ++tries;
  Options options(handle);
  const Url url = Split(credentials.server);
  std::string server = credentials.server;
  AddHeader(headers, "Accept: " + request.accept);
  if (!credentials.server_name.empty() && credentials.server_name != url.host) {
    // The certificate is checked against the name of the URL: that of the certificate, connected to the real host.
    const std::string named = credentials.server_name + ":" + url.port;
    const std::string prefix = server.substr(std::min(server.find('/', std::strlen("https://")), server.size()));
    server = "https://" + named + prefix;
    void* to = nullptr;
    AddHeader(to, fmt::format("{}:{}:{}", named, url.host, url.port));
    options.Set(CURLOPT_CONNECT_TO, static_cast<curl_slist*>(to));
    connect_to = to;
    AddHeader(headers, fmt::format("Host: {}:{}", url.host, url.port));
  }
  options.Set(CURLOPT_URL, (server + request.path).c_str());
  options.Set(CURLOPT_PROTOCOLS_STR, "https");
  options.Set(CURLOPT_NOSIGNAL, 1L);
  options.Set(CURLOPT_ERRORBUFFER, error);
  options.Set(CURLOPT_PRIVATE, static_cast<void*>(this));
  options.Set(CURLOPT_WRITEFUNCTION, &TakeBody);
  options.Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  options.Set(CURLOPT_HEADERFUNCTION, &TakeHeader);
  options.Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  options.Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  options.Set(CURLOPT_ACCEPT_ENCODING, "");
  options.Set(CURLOPT_USERAGENT, fmt::format("ote/{}", Version()).c_str());
  options.Set(CURLOPT_CONNECTTIMEOUT_MS, kConnectMillis);
  options.Set(CURLOPT_TCP_KEEPALIVE, 1L);
  options.Set(CURLOPT_TCP_KEEPIDLE, 20L);
  options.Set(CURLOPT_TCP_KEEPINTVL, 5L);
  // A connection for each that runs: with HTTP/2 one that is half open would hold up all of them, and again those that
  // try again.
  options.Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  options.Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  if (IsStream()) {
    options.Set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(std::max<std::int64_t>(1, request.patience.count() / 1000)));
  } else {
    options.Set(CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
    options.Set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(1, (deadline - now).count())));
  }
  if (!credentials.proxy.empty()) {
    options.Set(CURLOPT_PROXY, credentials.proxy.c_str());
  } else if (IsLoopback(url.host)) {
    options.Set(CURLOPT_PROXY, "");
  }
  SetTls(options, credentials, auth);
  if (!auth.token.empty()) AddToken(headers, auth.token);
  if (request.method != "GET") {
    options.Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    options.Set(CURLOPT_POSTFIELDS, request.body.data());
    options.Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    AddHeader(headers, "Content-Type: " + request.content_type);
    AddHeader(headers, "Expect:");
  }
  options.Set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(headers));
  if (options.First() == CURLE_OK) return {};
  return Fail(ErrorId::kKubeConfig,
              fmt::format("{}: libcurl: {}", credentials.from, curl_easy_strerror(options.First())));
}

void Transfer::Close() {
  if (easy != nullptr) curl_easy_cleanup(static_cast<CURL*>(easy));
  easy = nullptr;
  for (auto* item = static_cast<curl_slist*>(headers); item != nullptr; item = item->next) {
    crypto::Wipe({reinterpret_cast<std::uint8_t*>(item->data), std::strlen(item->data)});
  }
  curl_slist_free_all(static_cast<curl_slist*>(headers));
  curl_slist_free_all(static_cast<curl_slist*>(connect_to));
  headers = connect_to = nullptr;
}

Result<void> Transfer::Outcome(int code, const Credentials& credentials) const {
  if (code == CURLE_OK || ended) return {};
  if (too_large) {
    return Fail(ErrorId::kKubeFailed, fmt::format("the answer has more than {} bytes", request.limit));
  }
  const char* why = error[0] != '\0' ? error : curl_easy_strerror(static_cast<CURLcode>(code));
  const std::string message = fmt::format("{}: {}", credentials.server, why);
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return Fail(ErrorId::kKubeConfig, message, "the server's CA or name is another: see certificate-authority-data");
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
      return Fail(ErrorId::kKubeConfig, message);
    default:
      return Fail(ErrorId::kKubeUnreachable, message);
  }
}

}  // namespace ote::kube
