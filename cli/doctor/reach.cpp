// What others reach this machine by, and what it reaches: ports, and the way to the parent.
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/doctor/checks.h"
#include "core/api/watch.h"
#include "core/base/descriptor.h"
#include "core/base/units.h"
#include "core/store/watch_file.h"
#include "core/wire/client.h"
#include "core/wire/zmq_endpoint.h"
#include "core/wire/zmq_transport.h"

namespace ote::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStepWait{5'000};

struct Addresses {
  Addresses() = default;
  ~Addresses() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;
  addrinfo* first = nullptr;
};

std::string Bare(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

// "" when it can be listened on.
std::string Obstacle(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  Addresses found;
  const int failed = ::getaddrinfo(host == "*" ? nullptr : host.c_str(), port.c_str(), &hints, &found.first);
  if (failed != 0) return ::gai_strerror(failed);
  const int fd = ::socket(found.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  std::string why;
  if (::bind(fd, found.first->ai_addr, found.first->ai_addrlen) != 0 || ::listen(fd, 1) != 0)
    why = std::strerror(errno);
  ::close(fd);
  return why;
}

// "" when a TCP connection comes about; else which step failed, and why.
std::string NoConnection(const std::string& host, const std::string& port, milliseconds patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  Addresses found;
  if (const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found.first); failed != 0)
    return fmt::format("the name {} is not found: {}", host, ::gai_strerror(failed));
  std::string why;
  for (const addrinfo* each = found.first; each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) continue;
    int error = ::connect(fd, each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd waiting{fd, POLLOUT, 0};
      if (::poll(&waiting, 1, static_cast<int>(patience.count())) == 1) {
        socklen_t size = sizeof error;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
      } else {
        error = ETIMEDOUT;
      }
    }
    ::close(fd);
    if (error == 0) return {};
    why = fmt::format("no TCP connection: {}", std::strerror(error));
  }
  return why.empty() ? "no TCP connection" : why;
}

Finding ParentFinding(const Context& context, const store::StateFolder& folder, const store::ParentRef& parent,
                      const std::string& endpoint) {
  const auto bad = [&](std::string what, std::string why, std::string todo) {
    return Finding{"parent", FindingLevel::kProblem, std::move(what), std::move(why), std::move(todo)};
  };
  const auto parsed = wire::ParseEndpoint(endpoint);
  if (!parsed) return bad(endpoint + ": not an endpoint", parsed.error().message, "join again with a new token");
  const auto patience = context.Patience(kStepWait);
  if (parsed->scheme == wire::Scheme::kTcp) {
    if (const auto why = NoConnection(Bare(parsed->host), parsed->port, patience); !why.empty()) {
      return bad(endpoint + ": not reached", why,
                 "look whether the parent runs (ote cluster status there), and at routes and firewalls in between");
    }
  }
  const auto key = crypto::LoadTransportKey(folder.TransportKeyFile());
  if (!key) return bad(endpoint + ": answers, but this cluster's key cannot be read", key.error().message, "");
  auto transport = wire::MakeZmqTransport(nullptr, nullptr);
  if (!transport) return bad(endpoint + ": not tried", transport.error().message, "");
  const auto client =
      wire::Client::Open(std::move(*transport), {endpoint, {crypto::AsKey(parent.transport_key)}}, *key, patience);
  if (client) return {"parent", FindingLevel::kOk, endpoint + ": answers, and takes this cluster's key", "", ""};
  const auto& error = client.error();
  if (error.id == ErrorId::kPermission) {
    return bad(endpoint + ": answers, but does not take this cluster's key", error.message,
               "ote cluster list at the parent tells whether it was removed, or its certificate expired");
  }
  return bad(endpoint + ": a TCP connection comes about, but no handshake", error.message,
             error.id == ErrorId::kPinMismatch
                 ? "another program or another root has that port; join again if the root is new"
                 : "look what listens there");
}

}  // namespace

void CheckPorts(const store::StateFolder& folder, const store::Membership& member, const AgentSaid& agent,
                FindingList& out) {
  const std::size_t before = out.size();
  const auto taken = [&](const std::string& where, const std::string& port, const std::string& why) {
    out.push_back({"ports", FindingLevel::kProblem, fmt::format("{}: cannot be listened on", where), why,
                   fmt::format("ss -ltnp 'sport = :{}' shows who has it", port)});
  };
  for (const std::string& endpoint : member.listen) {
    const auto parsed = wire::ParseEndpoint(endpoint);
    if (!parsed || parsed->scheme != wire::Scheme::kTcp) continue;
    if (agent.status) {
      const auto& bound = agent.status->listen;
      if (std::find(bound.begin(), bound.end(), endpoint) == bound.end())
        taken(endpoint, parsed->port, "the agent that runs does not listen on it");
    } else if (!agent.held) {
      if (const auto why = Obstacle(Bare(parsed->host), parsed->port); !why.empty()) taken(endpoint, parsed->port, why);
    }
  }
  const auto watch = store::LoadWatch(folder);
  if (watch && !watch->metrics.empty() && !agent.held) {
    const auto at = api::ParseHostPort(watch->metrics);
    const auto port = at ? std::to_string(at->port) : std::string();
    const auto why = at ? Obstacle(at->host, port) : at.error().message;
    if (!why.empty()) taken("metrics at " + watch->metrics, port, why);
  } else if (watch && !watch->metrics.empty() && agent.findings && agent.findings->metrics.empty()) {
    out.push_back({"ports", FindingLevel::kWarning, "metrics are not served yet",
                   "they were asked for after the agent started",
                   "start it again: ote cluster stop, ote cluster start"});
  }
  if (out.size() > before || (!agent.status && agent.held)) return;
  const auto words = member.listen.empty() ? "nothing is listened on"
                     : agent.status        ? "the agent has them"
                                           : "free for the agent";
  out.push_back({"ports", FindingLevel::kOk, words, "", ""});
}

void CheckParent(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                 const AgentSaid& agent, FindingList& out) {
  if (!member.parent || (agent.status && agent.status->connected)) return;  // the agent tells
  FindingList tried;
  for (const std::string& endpoint : member.parent->endpoints) {
    auto finding = ParentFinding(context, folder, *member.parent, endpoint);
    if (finding.level == FindingLevel::kOk) {
      out.push_back(std::move(finding));
      return;
    }
    tried.push_back(std::move(finding));
  }
  out.insert(out.end(), std::make_move_iterator(tried.begin()), std::make_move_iterator(tried.end()));
}

}  // namespace ote::cli
