// One struct, three spellings, and what is said when a document does not fit it.
#include "core/base/codec.h"

#include <catch2/catch.hpp>

using ote::BigId;
using ote::Bytes;
using ote::ErrorId;
using ote::Json;

namespace {

enum class Kind { kLinear, kPerceptron };

struct Layer {
  std::int64_t width = 1;
  std::optional<double> dropout;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("width", self.width, ote::kRequired);
    v("dropout", self.dropout);
  }
  friend bool operator==(const Layer&, const Layer&) = default;
};

struct Thing {
  std::string name;
  Kind kind = Kind::kLinear;
  BigId serial;
  bool open = false;
  std::uint8_t small = 0;
  float rate = 0;
  Bytes key;
  std::vector<Layer> layers;
  std::map<std::string, std::string> labels;
  Json extra;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, ote::kRequired);
    v("kind", self.kind);
    v("serial", self.serial);
    v("open", self.open);
    v("small", self.small);
    v("rate", self.rate);
    v("key", self.key);
    v("layers", self.layers);
    v("labels", self.labels);
    v("extra", self.extra);
  }
  friend bool operator==(const Thing&, const Thing&) = default;
};

Thing Example() {
  Thing thing;
  thing.name = "a";
  thing.kind = Kind::kPerceptron;
  thing.serial = {UINT64_MAX};
  thing.open = true;
  thing.small = 255;
  thing.rate = 0.5F;
  thing.key = {0xfb, 0xff};
  thing.layers = {{64, 0.25}, {32, std::nullopt}};
  thing.labels = {{"region", "eu"}};
  thing.extra = {{"k", {1, 2}}};
  return thing;
}

ote::Error YamlError(std::string_view text) {
  auto thing = ote::FromYaml<Thing>(text, "run.yaml");
  INFO(text);
  REQUIRE_FALSE(thing.has_value());
  return thing.error();
}

}  // namespace

template <>
struct ote::EnumNames<Kind> {
  static constexpr std::pair<Kind, std::string_view> kNames[] = {{Kind::kLinear, "linear"}, {Kind::kPerceptron, "mlp"}};
};

TEST_CASE("a struct comes back from JSON, YAML and CBOR as it was") {
  const Thing thing = Example();
  CHECK(ote::FromCbor<Thing>(ote::ToCbor(thing)).value() == thing);
  CHECK(ote::FromYaml<Thing>(ote::DumpYaml(ote::ToJson(thing)), "x").value() == thing);
  CHECK(ote::FromJson<Thing>(ote::ParseJson(ote::DumpJson(ote::ToJson(thing))).value()).value() == thing);
}

TEST_CASE("64-bit ids are strings, bytes are base64url, an empty optional is absent") {
  const Json json = ote::ParseJson(ote::DumpJson(ote::ToJson(Example()))).value();
  CHECK(json["serial"] == "18446744073709551615");
  CHECK(json["key"] == "-_8");
  CHECK(json["layers"] == Json::parse(R"([{"width":64,"dropout":0.25},{"width":32}])"));
}

TEST_CASE("a field that is not known is told with file, line and the nearest one") {
  const ote::Error error = YamlError("name: a\nlayers:\n  - width: 1\n    droput: 0.5\n");
  CHECK(error.id == ErrorId::kInputUnknownField);
  CHECK(error.message == "run.yaml:4: layers[0].droput: no such field; did you mean dropout?");
  CHECK(YamlError("name: a\nlayers:\n  - width: 1\n    zzzzzzzzzzzz: 0.5\n").message ==
        "run.yaml:4: layers[0].zzzzzzzzzzzz: no such field; known here are width, dropout");
  CHECK(YamlError("nam: a\n").id == ErrorId::kInputMissingField);
}

TEST_CASE("a wrong value is told with what it is and what it must be") {
  const ote::Error error = YamlError("name: a\nsmall: 256\n");
  CHECK(error.id == ErrorId::kInputBadValue);
  CHECK(error.message == "run.yaml:2: small: it is 256, and must be a whole number from 0 to 255");
  CHECK(YamlError("name: 12\n").message == "run.yaml:1: name: it is 12, and must be a string");
  CHECK(YamlError("name: a\nkind: mpl\n").message ==
        "run.yaml:2: kind: it is \"mpl\", and must be one of linear, mlp; did you mean mlp?");
  CHECK(YamlError("name: a\nlayers: {}\n").message == "run.yaml:2: layers: it is a map, and must be a list");
  CHECK(YamlError("name: a\nopen: yes\n").message == "run.yaml:2: open: it is \"yes\", and must be true or false");
  CHECK(YamlError("name: a\nkey: '=='\n").id == ErrorId::kInputBadValue);
  CHECK(YamlError("name: a\nserial: '18446744073709551616'\n").id == ErrorId::kInputBadValue);
  CHECK(YamlError("- a\n").message == "run.yaml: the document: it is a list, and must be an object");
  CHECK(YamlError("").message == "run.yaml: the document: it is nothing, and must be an object");
}

TEST_CASE("a missing field is told with the line of what lacks it") {
  const ote::Error error = YamlError("name: a\nlayers:\n  - dropout: 0.5\n");
  CHECK(error.id == ErrorId::kInputMissingField);
  CHECK(error.message == "run.yaml:3: layers[0].width: the field is missing");
}

TEST_CASE("an optional field that is null counts as absent") {
  CHECK(ote::FromYaml<Thing>("name: a\nlayers:\n  - width: 2\n    dropout:\n", "x").value().layers ==
        std::vector<Layer>{{2, std::nullopt}});
  CHECK(YamlError("name:\n").id == ErrorId::kInputMissingField);
}

TEST_CASE("fields that a newer peer adds are passed over, wrong ones are not") {
  Json json = ote::ToJson(Example());
  json["invented"] = 1;
  CHECK(ote::FromWire<Thing>(json).value() == Example());
  CHECK(ote::FromJson<Thing>(json).error().id == ErrorId::kInputUnknownField);
  json["small"] = -1;
  CHECK(ote::FromWire<Thing>(json).error().id == ErrorId::kInputBadValue);
}
