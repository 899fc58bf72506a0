// JSON, YAML and CBOR as they come from people and from peers.
#include <catch2/catch.hpp>

#include "core/base/codec.h"

using ote::Bytes;
using ote::ErrorId;
using ote::Json;
using ote::ParseCbor;
using ote::ParseJson;
using ote::SourceMap;

namespace {

Json Yaml(std::string_view text) {
  auto json = ote::ParseYaml(text, "run.yaml", nullptr);
  INFO(text);
  if (!json) FAIL(json.error().message);
  return *json;
}
std::string YamlError(std::string_view text) {
  const auto json = ote::ParseYaml(text, "run.yaml", nullptr);
  INFO(text);
  if (json) return "no error: " + json->dump();
  CHECK(json.error().id == ErrorId::kInputSyntax);
  return json.error().message;
}
std::string JsonError(std::string_view text) {
  const auto json = ParseJson(text, "a.json");
  if (json) return "no error";
  CHECK(json.error().id == ErrorId::kInputSyntax);
  return json.error().message;
}
std::string CborError(const Bytes& bytes) {
  const auto json = ParseCbor(bytes);
  if (json) return "no error: " + ote::DumpJson(*json);
  CHECK(json.error().id == ErrorId::kProtocol);
  return json.error().message;
}
std::string Repeat(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("JSON text becomes the value that it spells") {
  CHECK(ParseJson(R"({"a":[1,-2,3.5,true,null,"é"],"b":{}})").value() ==
        Json{{"a", {1, -2, 3.5, true, nullptr, "é"}}, {"b", Json::object()}});
  CHECK(ParseJson("18446744073709551615").value().get<std::uint64_t>() == UINT64_MAX);
}

TEST_CASE("wrong JSON is told with file, line and column") {
  CHECK(JsonError("{\n  \"a\": 1,\n  \"b\": }").starts_with("a.json:3:8: syntax error"));
  CHECK(JsonError("").starts_with("a.json:1:1: syntax error"));
  CHECK(JsonError("{} x").starts_with("a.json:1:4: syntax error"));
  CHECK(JsonError("{\"a\":1,\n\"a\":2}") == "a.json:2:3: the key \"a\" stands twice in one object");
  CHECK(JsonError("1e999").find("number overflow") != std::string::npos);
  CHECK(ParseJson("[").error().message.starts_with("line 1, column 2: "));
}

TEST_CASE("JSON is bounded in depth and size") {
  CHECK(ParseJson(Repeat("[", 32) + Repeat("]", 32)).has_value());
  CHECK(JsonError(Repeat("[", 33) + Repeat("]", 33)) == "a.json:1:33: it is nested more than 32 levels deep");
  CHECK(JsonError(Repeat("{\"a\":", 100'000)).ends_with("it is nested more than 32 levels deep"));
  CHECK(JsonError("\"" + Repeat("x", 1 << 20) + "\"") ==
        "a.json: it has 1048578 bytes, more than the 1048576 that a document may have");
}

TEST_CASE("JSON output never fails, and spells bytes as base64url") {
  CHECK(ote::DumpJson(Json{{"a", Json::binary({0xfb, 0xff})}, {"b", {Json::binary({})}}}) == R"({"a":"-_8","b":[""]})");
  CHECK(ote::DumpJson(Json("a\xff")) == "\"a\xef\xbf\xbd\"");
  CHECK(ote::DumpJson(Json{{"a", 1}}, 2) == "{\n  \"a\": 1\n}");
}

TEST_CASE("plain YAML scalars follow the core schema of YAML 1.2") {
  CHECK(Yaml("[null, Null, NULL, ~, ]") == Json{nullptr, nullptr, nullptr, nullptr});
  CHECK(Yaml("[true, True, TRUE, false, False, FALSE]") == Json{true, true, true, false, false, false});
  CHECK(Yaml("[0, 12, -3, +4, 0x1F, 0o17, 007]") == Json{0, 12, -3, 4, 31, 15, 7});
  CHECK(Yaml("[1.5, -.5, 1., 1e3, +1.5E-2]") == Json{1.5, -0.5, 1.0, 1000.0, 0.015});
  CHECK(Yaml("[-9223372036854775808, 18446744073709551615]") == Json{INT64_MIN, UINT64_MAX});
  // Not the booleans, octals, sexagesimals and dates of YAML 1.1.
  CHECK(Yaml("[yes, no, on, off, 1:30, 2026-11-23, 1_000, 0b1, 0xZ, e3, ., -, 1e, tRUE]") ==
        Json{"yes", "no", "on", "off", "1:30", "2026-11-23", "1_000", "0b1", "0xZ", "e3", ".", "-", "1e", "tRUE"});
}

TEST_CASE("quoted YAML scalars are strings") {
  CHECK(Yaml("['true', \"12\", 'null', '', \"\\u00e9\\n\"]") == Json{"true", "12", "null", "", "é\n"});
  CHECK(Yaml("a: |\n  true\n") == Json{{"a", "true\n"}});
}

TEST_CASE("YAML maps and lists nest, in both styles") {
  CHECK(Yaml("model:\n  kind: mlp\n  hidden: [64, 32]\nsites:\n- a\n- b: 1\n  c: 2\n1: x\n") ==
        Json{{"model", {{"kind", "mlp"}, {"hidden", {64, 32}}}}, {"sites", {"a", {{"b", 1}, {"c", 2}}}}, {"1", "x"}});
  CHECK(Yaml("").is_null());
  CHECK(Yaml("# only a comment\n").is_null());
  CHECK(Yaml("---\na:\n...\n") == Json{{"a", nullptr}});
  CHECK(Yaml("\xef\xbb\xbf"
             "a: 1") == Json{{"a", 1}});
  CHECK(Yaml("{\"a\":[1,{\"b\":null}]}") == Json{{"a", {1, {{"b", nullptr}}}}});
}

TEST_CASE("YAML that is more than a plain document is refused, with its place") {
  CHECK(YamlError("a: &x 1\nb: *x\n") == "run.yaml:1:4: anchors are not supported");
  CHECK(YamlError("a: [*x]\n").starts_with("run.yaml:1:5: "));
  CHECK(YamlError("a: !!str 1\n") == "run.yaml:1:4: tags are not supported");
  CHECK(YamlError("a: 1\n---\nb: 2\n") == "run.yaml:2:1: a second document begins; one file is one document");
  CHECK(YamlError("a: 1\nb:\n  c: 1\n  c: 2\n") == "run.yaml:4:3: the key \"c\" stands twice in one object");
  CHECK(YamlError("[a]: 1\n").ends_with("a key is not a scalar"));
  CHECK(YamlError(": 1\n").ends_with("a key is missing"));
  CHECK(YamlError("a: \"\\N\"\n") == "run.yaml:1:4: an escape is not supported; write \\u and four hex digits");
  CHECK(YamlError("a: .nan\n") == "run.yaml:1:4: a number is not finite");
  CHECK(YamlError("a: 18446744073709551616\n").starts_with("run.yaml:1:4: a whole number is beyond 64 bits"));
  CHECK(YamlError("a: 1e999\n").starts_with("run.yaml:1:4: a number is beyond"));
}

TEST_CASE("YAML that is no YAML is told with file, line and column") {
  CHECK(YamlError("a: 1\nb: [1, 2\n").starts_with("run.yaml:3:1: "));
  CHECK(YamlError("a: 1\n  b: 2\n").starts_with("run.yaml:2:4: "));
  CHECK(YamlError("a: 'x\n").starts_with("run.yaml:2:"));
  CHECK(YamlError("a: \"x") == "run.yaml:2:1: a quoted scalar is not closed");
  CHECK(YamlError(std::string_view("a: \0b", 5)) == "run.yaml:1:4: a control character, 0x00");
  CHECK(YamlError("a: 1\nb: \x04\n") == "run.yaml:2:4: a control character, 0x04");
  CHECK(YamlError("a: 1\nb: \xff\n") == "run.yaml:2:1: the line is not UTF-8");
}

TEST_CASE("YAML is bounded in depth and size") {
  CHECK(ote::ParseYaml(Repeat("[", 32) + Repeat("]", 32), "run.yaml", nullptr).has_value());
  const std::pair<const char*, const char*> nests[] = {
      {"[", "]"}, {"{a: ", "}"}, {"- ", "\n"}, {"[{a: ", "}]"}, {"a: [", "]"}};
  for (const auto& [open, close] : nests) {
    INFO(open);
    CHECK(YamlError(Repeat(open, 5000) + "1" + Repeat(close, 5000)).find("nested more than 32 levels deep") !=
          std::string::npos);
    CHECK(YamlError(Repeat(open, 5000)).starts_with("run.yaml:1:"));
  }
  std::string indented;
  for (std::size_t i = 0; i < 200; ++i) indented += std::string(i, ' ') + "a:\n";
  CHECK(YamlError(indented) == "run.yaml:33:33: it is nested more than 32 levels deep");
  CHECK(YamlError(Repeat("# comment\n", 120'000)).find("more than the 1048576") != std::string::npos);
}

TEST_CASE("the source map knows the line of every value") {
  SourceMap map;
  REQUIRE(ote::ParseYaml("# head\nmodel:\n  kind: mlp\n  hidden:\n    - 64\n    - 32\nsites: [a,\n  {b: 1}]\n",
                         "run.yaml", &map)
              .has_value());
  CHECK(map.At("/model") == "run.yaml:2");
  CHECK(map.At("/model/kind") == "run.yaml:3");
  CHECK(map.At("/model/hidden") == "run.yaml:4");
  CHECK(map.At("/model/hidden/1") == "run.yaml:6");
  CHECK(map.At("/sites/0") == "run.yaml:7");
  CHECK(map.At("/sites/1/b") == "run.yaml:8");
  CHECK(map.At("/model/missing") == "run.yaml:2");
  CHECK(map.At("/other") == "run.yaml");
  CHECK(SourceMap{}.At("/model").empty());
}

TEST_CASE("YAML output is read back as the same value") {
  const Json value{{"plain", "clinic-a"},
                   {"odd",
                    {"true", "12", "", " x ", "a: b", "# c", "- d", "é\n\t\x01\x7f\"\\", "null", "~", "1e3", "0x1f",
                     "no", "y", "x y", "\xe2\x80\xa8", "\xc2\x85"}},
                   {"numbers", {1, -1, 0.1, 1e300, UINT64_MAX, INT64_MIN, 1.0}},
                   {"flags", {true, false, nullptr}},
                   {"empty", {{"map", Json::object()}, {"list", Json::array()}}},
                   {"nested", {{{"a", {{"b", {1, {2, {3}}}}}}, {"c", 1}}}},
                   {"key with: colon", 1},
                   {"", 2},
                   {std::string(2000, 'k'), {{"deep", {1}}}}};
  const std::string text = ote::DumpYaml(value);
  INFO(text);
  CHECK(Yaml(text) == value);
  for (const Json& alone : {Json(1), Json("x"), Json("true"), Json(nullptr), Json::array(), Json{1, {2}}})
    CHECK(Yaml(ote::DumpYaml(alone)) == alone);
}

TEST_CASE("YAML output reads as people write it") {
  CHECK(ote::DumpYaml(Json{{"name", "a"},
                           {"sites", {"x", {{"k", "v"}, {"n", 2}}}},
                           {"labels", Json::object()},
                           {"key", Json::binary({1, 2})}}) ==
        "key: AQI\nlabels: {}\nname: a\nsites:\n  - x\n  - k: v\n    \"n\": 2\n");
}

TEST_CASE("CBOR gives back what was written") {
  const Json value{{"a", {1, -1, 0.5, UINT64_MAX, INT64_MIN, true, nullptr, "é"}},
                   {"b", Json::binary({0, 255})},
                   {"c", std::string(70'000, 'x')}};
  CHECK(ParseCbor(ote::DumpCbor(value)).value() == value);
  CHECK(ParseCbor(Bytes{0xf9, 0x3c, 0x00}).value() == 1.0);
}

TEST_CASE("CBOR that ote does not write is refused") {
  CHECK(CborError({}) == "CBOR: byte 0: it ends in the middle");
  CHECK(CborError({0x01, 0x02}) == "CBOR: byte 1: bytes follow after its end");
  CHECK(CborError({0xc1, 0x01}).ends_with("it has a tag"));
  CHECK(CborError({0xa2, 0x61, 'a', 0x01, 0x61, 'a', 0x02}) == "CBOR: the key \"a\" stands twice in one object");
  CHECK(CborError({0xa1, 0x01, 0x02}).ends_with("a key is not text"));
  CHECK(CborError({0x9f, 0xff}).ends_with("indefinite length"));
  CHECK(CborError({0x7f, 0x61, 'a', 0xff}).ends_with("indefinite length"));
  CHECK(CborError({0x1c}).ends_with("reserved head"));
  CHECK(CborError({0xf7}).ends_with("simple value that is not known"));
  CHECK(CborError({0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}).ends_with("beyond 64 bits"));
}

TEST_CASE("a length that a peer claims is not believed") {
  CHECK(CborError({0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}).ends_with("it ends in the middle"));
  CHECK(CborError({0xbb, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff}).ends_with("it ends in the middle"));
  CHECK(CborError({0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00}).ends_with("it ends in the middle"));
  CHECK(CborError({0x7a, 0x00, 0x00, 0x00, 0x05, 'a'}).ends_with("it ends in the middle"));
}

TEST_CASE("CBOR is bounded in depth") {
  Bytes deep(32, 0x81);
  deep.push_back(0x01);
  CHECK(ParseCbor(deep).has_value());
  deep.insert(deep.begin(), 0x81);
  CHECK(CborError(deep) == "CBOR: byte 33: it is nested too deep");
  CHECK(CborError(Bytes(1'000'000, 0x81)).ends_with("it is nested too deep"));
  CHECK(CborError(Bytes(1'000'000, 0x7f)).ends_with("indefinite length"));
}

TEST_CASE("every prefix of a CBOR document is refused") {
  const Bytes whole = ote::DumpCbor(Json{{"list", {1, 300, 70'000, "text", 1.5}}, {"bytes", Json::binary({1, 2, 3})}});
  for (std::size_t n = 0; n < whole.size(); ++n)
    CHECK_FALSE(ParseCbor(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))).has_value());
}
