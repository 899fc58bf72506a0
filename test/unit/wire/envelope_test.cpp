#include "core/wire/envelope.h"

#include <catch2/catch.hpp>

namespace ote::wire {
namespace {

ErrorId Refusal(const Json& map) {
  auto decoded = DecodeHeader(DumpCbor(map));
  return decoded ? ErrorId::kInternal : decoded.error().id;
}

Json Whole() {
  return {{"v", 1}, {"k", "req"}, {"id", 5U}, {"verb", "fl.task"}, {"body", {{"run", "run-1"}}}, {"last", true}};
}

}  // namespace

TEST_CASE("a header that was written is read back as it was") {
  Envelope envelope = MakeRequest(UINT64_MAX, "fl.offer", {{"weights", Json::binary({1, 2, 3})}, {"n", -4}});
  envelope.last = false;
  const auto back = DecodeHeader(EncodeHeader(envelope));
  REQUIRE(back);
  CHECK(back->kind == MessageKind::kRequest);
  CHECK(back->id == UINT64_MAX);
  CHECK(back->verb == "fl.offer");
  CHECK(back->body == envelope.body);
  CHECK_FALSE(back->last);
  CHECK(back->blob.empty());
}

TEST_CASE("a header has exactly these bytes") {
  // {"body": {}, "id": 5, "k": "req", "last": true, "v": 1, "verb": "x"}, RFC 8949
  const std::string hex =
      "a6"
      "64626f6479"
      "a0"
      "626964"
      "05"
      "616b"
      "63726571"
      "646c617374"
      "f5"
      "6176"
      "01"
      "6476657262"
      "6178";
  CHECK(HexEncode(EncodeHeader(MakeRequest(5, "x", Json::object()))) == hex);
  CHECK(DecodeHeader(HexDecode(hex).value()).value().id == 5);
}

TEST_CASE("a body may be left out and keys that are not known are passed over") {
  Json map = Whole();
  map.erase("body");
  map.erase("last");
  map["trace"] = "abc";
  const auto decoded = DecodeHeader(DumpCbor(map));
  REQUIRE(decoded);
  CHECK(decoded->body == Json::object());
  CHECK(decoded->last);
}

TEST_CASE("every departure from the form of a header is refused") {
  CHECK(Refusal(Whole()) == ErrorId::kInternal);  // that is, not refused
  const auto with = [](const char* key, Json value) {
    Json map = Whole();
    map[key] = std::move(value);
    return Refusal(map);
  };
  for (const char* key : {"v", "k", "id", "verb"}) {
    Json map = Whole();
    map.erase(key);
    INFO(key);
    CHECK(Refusal(map) == ErrorId::kProtocol);
  }
  CHECK(with("v", 2) == ErrorId::kVersionMismatch);
  CHECK(with("v", "1") == ErrorId::kProtocol);
  CHECK(with("k", "ask") == ErrorId::kProtocol);
  CHECK(with("id", -1) == ErrorId::kProtocol);
  CHECK(with("id", 1.0) == ErrorId::kProtocol);
  CHECK(with("verb", "") == ErrorId::kProtocol);
  CHECK(with("verb", "rm -rf") == ErrorId::kProtocol);
  CHECK(with("verb", std::string(kMaxVerb + 1, 'a')) == ErrorId::kProtocol);
  CHECK(with("body", Json::array({1})) == ErrorId::kProtocol);
  CHECK(with("last", 1) == ErrorId::kProtocol);
  CHECK(Refusal(Json::array()) == ErrorId::kProtocol);
  Json deep = 1;
  for (int i = 0; i < 40; ++i) deep = Json{{"d", deep}};
  CHECK(with("body", deep) == ErrorId::kProtocol);
}

TEST_CASE("a header that is cut short anywhere, or goes on, is refused") {
  Bytes whole = EncodeHeader(MakeRequest(300, "member.hello", {{"a", {1, 2, 3}}}));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(DecodeHeader(ByteView(whole).first(size)));
  }
  whole.push_back(0);
  CHECK_FALSE(DecodeHeader(whole));
  CHECK_FALSE(DecodeHeader(Bytes(kMaxHeader + 1, 0)));
}

TEST_CASE("an error travels with its number, message and hint") {
  const Envelope request = MakeRequest(9, "enrol.request", Json::object());
  const Envelope answer =
      MakeError(request, {ErrorId::kTokenExpired, "token abc: expired", "ote cluster token create"});
  const auto back = DecodeHeader(EncodeHeader(answer));
  REQUIRE(back);
  CHECK(back->id == 9);
  CHECK(back->verb == "enrol.request");
  const Error error = ErrorOf(*back);
  CHECK(error.id == ErrorId::kTokenExpired);
  CHECK(error.message == "token abc: expired");
  CHECK(error.hint == "ote cluster token create");
}

TEST_CASE("an error of a newer or a broken peer keeps its text and becomes a plain failure") {
  Envelope envelope;
  envelope.kind = MessageKind::kError;
  envelope.body = {{"code", 60'000U}, {"message", "what is to come"}};
  CHECK(ErrorOf(envelope).id == ErrorId::kFailed);
  CHECK(ErrorOf(envelope).message == "what is to come");
  envelope.body = {{"code", "x"}, {"message", 5}};
  CHECK(ErrorOf(envelope).id == ErrorId::kFailed);
  CHECK_FALSE(ErrorOf(envelope).message.empty());
}

TEST_CASE("a long error is cut between characters") {
  std::string text = "x";
  while (text.size() < 10'000) text += "\u00e9";
  const Error error = ErrorOf(MakeError({}, {ErrorId::kFailed, text, {}}));
  CHECK(error.message.size() == 4095);
  CHECK(text.starts_with(error.message));
}

}  // namespace ote::wire
