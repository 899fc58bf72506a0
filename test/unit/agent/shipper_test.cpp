#include "agent/watch/shipper.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <sstream>

#include "agent/watch/bulk_answer.h"
#include "agent/watch/gzip.h"
#include "test/unit/store/scratch.h"

namespace ote::agent {
namespace {

using namespace std::chrono_literals;

std::string Inflate(const std::string& body) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(4 << 20, '\0');
  std::string in = body;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// The other side: does as the script says, and keeps what it takes by id.
class BulkServer {
 public:
  using Answer = std::function<BulkReply(const std::vector<std::string>& ids)>;

  void Script(Answer answer) { script_.push_back(std::move(answer)); }
  BulkSender Sender() {
    return [this](const std::string& body, std::stop_token) { return Post(body); };
  }
  static BulkReply Statuses(const std::vector<int>& statuses) {
    Json items = Json::array();
    for (const int status : statuses) {
      Json answer{{"status", status}};
      if (status >= 300) answer["error"] = {{"type", "some_exception"}, {"reason", "because"}};
      items.push_back({{"create", std::move(answer)}});
    }
    return {200, DumpJson(Json{{"errors", true}, {"items", std::move(items)}}), {}, {}};
  }
  static BulkReply All(const std::vector<std::string>& ids, int status) {
    return Statuses(std::vector<int>(ids.size(), status));
  }

  // Whether so many different records were taken in time.
  bool Took(std::size_t count) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, 20s, [&] { return taken_.size() >= count; });
  }
  bool Asked(std::size_t count) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, 20s, [&] { return asked_ >= count; });
  }
  std::multiset<std::string> Taken() {
    const std::lock_guard guard(mutex_);
    return taken_;
  }
  std::string last_index;

 private:
  BulkReply Post(const std::string& body) {
    std::istringstream lines(Inflate(body));
    std::vector<std::string> ids;
    for (std::string action, doc; std::getline(lines, action) && std::getline(lines, doc);) {
      const Json json = ParseJson(action).value();
      ids.push_back(json["create"]["_id"].get<std::string>());
      last_index = json["create"]["_index"].get<std::string>();
      REQUIRE(ParseJson(doc).value().contains("@timestamp"));
    }
    const std::lock_guard guard(mutex_);
    BulkReply reply = script_.empty() ? All(ids, 201) : script_.front()(ids);
    if (!script_.empty()) script_.pop_front();
    ++asked_;
    if (const auto verdict = ReadBulkAnswer(reply.body, ids.size()); reply.status == 200 && verdict) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (verdict->items[i] == ItemVerdict::kTaken) taken_.insert(ids[i]);
      }
    }
    wake_.notify_all();
    return reply;
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Answer> script_;
  std::multiset<std::string> taken_;
  std::size_t asked_ = 0;
};

api::ShipSettings Settings() {
  api::ShipSettings settings;
  settings.url = "https://logs.example:9200";
  return settings;
}
constexpr Shipper::Pace kQuick{500, 1 << 20, 20ms, 1ms, 5ms};

std::unique_ptr<Shipper> StartShipper(const test::Scratch& scratch, BulkServer& server, Shipper::Pace pace = kQuick) {
  return Shipper::Start(scratch.path, "clinic-a", Settings(), server.Sender(), pace).value();
}
void Log(Shipper& shipper, int count) {
  for (int i = 0; i < count; ++i) {
    const std::vector<log::Field> fields{{"n", i}};
    shipper.Take({1'795'465'560'000, log::Level::kInfo, "something", fields});
  }
}
bool Distinct(const std::multiset<std::string>& taken) {
  return std::set<std::string>(taken.begin(), taken.end()).size() == taken.size();
}

}  // namespace

TEST_CASE("records are sent to the index of their day") {
  const test::Scratch scratch;
  BulkServer server;
  const auto shipper = StartShipper(scratch, server);
  Log(*shipper, 3);
  REQUIRE(server.Took(3));
  CHECK(server.last_index == "ote-logs-2026.11.23");
}

TEST_CASE("what a record becomes has the names that are usual there") {
  const std::vector<log::Field> fields{{"cluster", "clinic-b"}, {"quote", "a\"b\nc"}};
  const Json doc = ShippedDocument({1'795'465'560'000, log::Level::kWarn, "odd", fields}, "hq");
  CHECK(doc["@timestamp"] == "2026-11-23T20:26:00.000Z");
  CHECK(doc["log"]["level"] == "warn");
  CHECK(doc["message"] == "odd");
  CHECK(doc["ote"]["cluster"] == "hq");
  CHECK(doc["labels"]["quote"] == "a\"b\nc");
  CHECK(doc["service"]["name"] == "ote-agent");
}

TEST_CASE("an item that is too many is sent again, the others are not") {
  const test::Scratch scratch;
  BulkServer server;
  std::vector<std::string> second;
  server.Script([](const auto& ids) {
    auto statuses = std::vector<int>(ids.size(), 201);
    statuses[1] = 429;
    return BulkServer::Statuses(statuses);
  });
  server.Script([&](const auto& ids) {
    second = ids;
    return BulkServer::All(ids, 201);
  });
  Shipper::Pace pace = kQuick;
  pace.most = 3;
  const auto shipper = StartShipper(scratch, server, pace);
  Log(*shipper, 3);
  REQUIRE(server.Took(3));
  CHECK(second.size() == 1);
  CHECK(Distinct(server.Taken()));
}

TEST_CASE("an item that will never be taken is given up and counted") {
  const test::Scratch scratch;
  BulkServer server;
  server.Script([](const auto& ids) { return BulkServer::All(ids, 400); });
  const auto shipper = StartShipper(scratch, server);
  Log(*shipper, 1);
  REQUIRE(server.Asked(1));
  Log(*shipper, 1);
  REQUIRE(server.Took(1));
  CHECK(shipper->Status().refused == 1);
}

TEST_CASE("a batch whose answer was lost is sent again under the same ids, and a duplicate counts as taken") {
  const test::Scratch scratch;
  BulkServer server;
  std::vector<std::string> first, second;
  server.Script([&](const auto& ids) {
    first = ids;
    return BulkReply{0, {}, "connection reset", {}};
  });
  server.Script([&](const auto& ids) {
    second = ids;
    return BulkServer::All(ids, 409);
  });
  const auto shipper = StartShipper(scratch, server);
  Log(*shipper, 1);
  REQUIRE(server.Took(1));
  CHECK(first == second);
}

TEST_CASE("a server that is away for a while gets everything once it is back") {
  const test::Scratch scratch;
  BulkServer server;
  for (int i = 0; i < 6; ++i) server.Script([](const auto&) { return BulkReply{503, {}, {}, 0ms}; });
  const auto shipper = StartShipper(scratch, server);
  Log(*shipper, 40);
  REQUIRE(server.Took(40));
  CHECK(Distinct(server.Taken()));
  CHECK(shipper->Status().failures >= 6);
  CHECK(shipper->Status().dropped == 0);
}

TEST_CASE("what was not sent is sent by the next shipper, under the same ids") {
  const test::Scratch scratch;
  std::vector<std::string> first;
  {
    BulkServer server;
    for (int i = 0; i < 1000; ++i) {
      server.Script([&](const auto& ids) {
        if (first.empty()) first = ids;
        return BulkReply{503, {}, {}, 0ms};
      });
    }
    const auto shipper = StartShipper(scratch, server);
    Log(*shipper, 5);
    REQUIRE(server.Asked(1));
  }
  BulkServer server;
  const auto shipper = StartShipper(scratch, server);
  REQUIRE(server.Took(5));
  for (const auto& id : first) CHECK(server.Taken().count(id) == 1);
}

TEST_CASE("a batch that is too large is sent in halves") {
  const test::Scratch scratch;
  BulkServer server;
  for (int i = 0; i < 3; ++i) {
    server.Script([](const auto& ids) {
      return ids.size() > 2 ? BulkReply{413, {}, {}, {}} : BulkServer::All(ids, 201);
    });
  }
  Shipper::Pace pace = kQuick;
  pace.most = 8;
  const auto shipper = StartShipper(scratch, server, pace);
  Log(*shipper, 8);
  REQUIRE(server.Took(8));
  CHECK(Distinct(server.Taken()));
}

TEST_CASE("an answer that is none is no reason to forget a batch") {
  const test::Scratch scratch;
  BulkServer server;
  server.Script([](const auto&) { return BulkReply{200, "<html>", {}, {}}; });
  server.Script([](const auto&) { return BulkReply{200, R"({"items":[]})", {}, {}}; });
  const auto shipper = StartShipper(scratch, server);
  Log(*shipper, 2);
  REQUIRE(server.Took(2));
  CHECK(Distinct(server.Taken()));
}

TEST_CASE("the verdict on each item of a bulk answer") {
  const auto verdict = ReadBulkAnswer(
      R"({"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409}},{"create":{"status":429}},
         {"create":{"status":503}},{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"x"}}}]})",
      5);
  REQUIRE(verdict);
  CHECK(verdict->items == std::vector{ItemVerdict::kTaken, ItemVerdict::kTaken, ItemVerdict::kAgain,
                                      ItemVerdict::kAgain, ItemVerdict::kRefused});
  CHECK(verdict->reason == "status 429");
  CHECK_FALSE(ReadBulkAnswer(R"({"items":[{"create":{"status":201}}]})", 2));
  CHECK_FALSE(ReadBulkAnswer(R"({"items":[{"create":{}}]})", 1));
  CHECK_FALSE(ReadBulkAnswer("[]", 0));
}

}  // namespace ote::agent
