#include "core/learn/safetensors.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/learn/npy.h"

using namespace ote;
using namespace ote::learn;

namespace {

const Layout kLayout = {{"w", {2, 1}}, {"b", {1}}};
const std::vector<float> kValues = {1.0f, -2.0f, 0.5f};

Bytes File(std::string_view header, std::size_t data) {
  Bytes bytes(8);
  bytes[0] = static_cast<std::uint8_t>(header.size() & 0xff);
  bytes[1] = static_cast<std::uint8_t>(header.size() >> 8);
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + data);
  return bytes;
}

}  // namespace

TEST_CASE("a model is written to exactly these bytes") {
  std::string want(8, '\0');
  want += R"({"__metadata__":{"kind":"linear"},)";
  want += R"("b":{"data_offsets":[8,12],"dtype":"F32","shape":[1]},)";
  want += R"("w":{"data_offsets":[0,8],"dtype":"F32","shape":[2,1]}})";
  want.resize(8 + (want.size() - 8 + 7) / 8 * 8, ' ');
  want[0] = static_cast<char>(want.size() - 8);
  want += std::string("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\x00\x3f", 12);
  const Bytes got = WriteSafetensors(kLayout, kValues, {{"kind", "linear"}});
  CHECK(AsText(got) == want);
  const Bytes header = SafetensorsHeader(kLayout, {{"kind", "linear"}});
  CHECK(header.size() % 8 == 0);
  CHECK(std::equal(header.begin(), header.end(), got.begin()));
}

TEST_CASE("a model is read back in the order of its data, wherever it lies in memory") {
  const Bytes file = WriteSafetensors(kLayout, kValues, {{"a", "1"}, {"b", ""}});
  for (std::size_t shift = 0; shift < 4; ++shift) {
    Bytes moved(shift);
    moved.insert(moved.end(), file.begin(), file.end());
    const auto view = ReadSafetensors(ByteView(moved).subspan(shift));
    REQUIRE(view);
    CHECK(view->layout == kLayout);
    CHECK(view->metadata == Metadata{{"a", "1"}, {"b", ""}});
    CHECK(CopyValues(*view) == kValues);
  }
  // More than ten layers: the header sorts layers.10 before layers.2, the data does not.
  Layout many;
  for (int i = 0; i < 12; ++i) many.push_back({"layers." + std::to_string(i), {1}});
  const Bytes bytes = WriteSafetensors(many, std::vector<float>(12, 1.0f), {});
  CHECK(ReadSafetensors(bytes)->layout == many);
  CHECK(ReadSafetensors(File("{}", 0))->layout.empty());
  CHECK(ReadSafetensors(File(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )", 4))->layout[0].Count() ==
        1);
}

TEST_CASE("every kind of malformed model file is refused") {
  const auto tensor = [](std::string_view body) { return "{\"a\":{" + std::string(body) + "}}"; };
  const std::string good = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  REQUIRE(ReadSafetensors(File(tensor(good), 4)));
  const Bytes bad[] = {
      {},
      Bytes(7),
      Bytes(8),
      Bytes(8, 0xff),
      File("[]", 0),
      File(" {}", 0),
      File("{", 0),
      File("{}{}", 0),
      File("{}", 4),
      File(tensor(good), 3),
      File(tensor(good), 8),
      File(tensor(R"("dtype":"F16","shape":[1],"data_offsets":[0,4])"), 4),
      File(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4),
      File(tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,4])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,8])"), 8),
      File(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), 8),
      File(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615])"), 4),
      File(tensor(R"("dtype":"F32","shape":[1])"), 4),
      File(tensor(R"("dtype":"F32","data_offsets":[0,4])"), 4),
      File(tensor(good + R"(,"dtype":"F32")"), 4),
      File(tensor(good + R"(,"more":1)"), 4),
      File(tensor(good + R"(,"shape":{})"), 4),
      File(R"({"a":{)" + good + R"(},"a":{)" + good + "}}", 4),
      File(R"({"a":{)" + good + R"(},"b":{)" + good + "}}", 4),
      File(R"({"a":{)" + good + R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 6),
      File(R"({"a":{)" + good + R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})", 12),
      File(R"({"__metadata__":{"a":1}})", 0),
      File(R"({"__metadata__":{"a":"1","a":"2"}})", 0),
      File(R"({"__metadata__":[]})", 0),
      File(R"({"a":null})", 0),
      File(R"({"a":1})", 0),
      File(R"({"a":"F32"})", 0),
      File(std::string(5000, '['), 0),
      File("{\"\xff\":{" + good + "}}", 4),
  };
  for (const Bytes& file : bad) {
    const auto view = ReadSafetensors(file);
    INFO(AsText(file).substr(std::min<std::size_t>(8, file.size())));
    REQUIRE_FALSE(view);
    CHECK(view.error().id == ErrorId::kModelInvalid);
  }
  Bytes large(8 + (1 << 20) + 1, ' ');
  const std::uint64_t length = (1 << 20) + 1;
  std::memcpy(large.data(), &length, 8);
  large[8] = '{';
  CHECK(ReadSafetensors(large).error().id == ErrorId::kModelInvalid);
}

TEST_CASE("numpy reads what is exported") {
  if (std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    WARN("skipped: /usr/bin/python3 has no numpy");
    return;
  }
  const auto folder = std::filesystem::temp_directory_path() / ("ote-export-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const auto write = [&](const char* name, const Bytes& bytes) {
    std::ofstream(folder / name, std::ios::binary) << AsText(bytes);
  };
  write("w.npy", WriteNpy({"w", {2, 1}}, std::span(kValues).first(2)));
  write("b.npy", WriteNpy({"b", {1}}, std::span(kValues).subspan(2)));
  write("m.safetensors", WriteSafetensors(kLayout, kValues, {}));
  std::ofstream(folder / "check.py") << R"(
import json, numpy, os, sys
os.chdir(sys.argv[1])
w, b = numpy.load("w.npy"), numpy.load("b.npy")
assert w.dtype == numpy.float32 and w.tolist() == [[1.0], [-2.0]] and b.tolist() == [0.5]
raw = open("m.safetensors", "rb").read()
size = int.from_bytes(raw[:8], "little")
for name, t in json.loads(raw[8:8 + size]).items():
    begin, end = t["data_offsets"]
    array = numpy.frombuffer(raw[8 + size + begin:8 + size + end], "<f4").reshape(t["shape"])
    assert numpy.array_equal(array, {"w": w, "b": b}[name])
)";
  const std::string command = "/usr/bin/python3 '" + (folder / "check.py").string() + "' '" + folder.string() + "'";
  CHECK(std::system(command.c_str()) == 0);
  std::filesystem::remove_all(folder);
}
