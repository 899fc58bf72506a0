#include "test/unit/wire/zmq_fixture.h"

#include <stdlib.h>

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer does not see the lock-free queues inside libzmq, which is not built for it, hand memory from one
// thread to the other: what libzmq itself touches is left out, our own code is not.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libzmq.so.5\nrace:^DropBytes\nrace:*zmq_msg_*\n";
}
#endif

namespace ote::wire::testing {

ScratchFolder::ScratchFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "ote-wire-XXXXXX";
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path = pattern;
}
ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

void Stage::Until(const std::vector<Transport*>& all, const std::function<bool()>& done) {
  const SystemClock clock;
  const auto end = clock.SteadyNow() + 20s;
  while (!done()) {
    if (clock.SteadyNow() > end) FAIL("what was waited for did not happen within 20 s");
    for (Transport* one : all) {
      for (Event& event : one->Wait(all.size() == 1 ? 20ms : 2ms)) seen_.emplace_back(one, std::move(event));
    }
  }
}

std::vector<Event> Stage::Take(Transport* transport, EventKind kind) {
  std::vector<Event> out;
  for (auto it = seen_.begin(); it != seen_.end();) {
    if (it->first == transport && it->second.kind == kind) {
      out.push_back(std::move(it->second));
      it = seen_.erase(it);
    } else {
      ++it;
    }
  }
  return out;
}

std::size_t Stage::Count(Transport* transport, EventKind kind) const {
  std::size_t count = 0;
  for (const auto& [from, event] : seen_) count += from == transport && event.kind == kind ? 1U : 0U;
  return count;
}

Pair::Pair(const std::string& where, const ZmqOptions& options) {
  crypto::Init();
  book.callers[member_key.Public()] = member;
  server = MakeQuick(&server_key, &book, options);
  client = MakeQuick(nullptr, nullptr, options);
  auto bound = server->Bind(where);
  REQUIRE(bound);
  endpoint = *bound;
}

LinkId Pair::Link() {
  auto link = client->Connect(Where(), member_key);
  REQUIRE(link);
  stage.Until({server.get(), client.get()}, [&] { return stage.Count(client.get(), EventKind::kLinkUp) > 0; });
  const auto up = stage.Take(client.get(), EventKind::kLinkUp);
  REQUIRE(up.size() == 1);
  CHECK(up[0].link == *link);
  return *link;
}

}  // namespace ote::wire::testing
