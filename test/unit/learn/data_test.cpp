#include "core/learn/data.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>

#include "core/learn/classes.h"
#include "core/learn/formats.h"
#include "core/learn/npy.h"
#include "core/learn/number.h"
#include "learn_fixture.h"

using namespace ote;
using namespace ote::learn;
using api::DataFormat;
using api::DataTask;
using Catch::Matchers::Contains;

namespace {

DataSource Source(DataFormat format, DataTask task = DataTask::kClassification) {
  DataSource source;
  source.format = format;
  source.task = task;
  source.label = format == DataFormat::kCsv ? "y" : "";
  return source;
}

Table Read(std::string_view text, const DataSource& source) {
  auto table = ParseTable(AsBytes(text), {}, source, "t.csv");
  if (!table) FAIL(table.error().message);
  return *table;
}

Error Refused(std::string_view text, const DataSource& source) {
  auto table = ParseTable(AsBytes(text), {}, source, "t.csv");
  REQUIRE_FALSE(table);
  return table.error();
}

Bytes Gzip(ByteView plain) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(plain.size() + 1000);
  stream.next_in = const_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Bytes Raw(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

TEST_CASE("a csv is read with quotes, blanks, a byte order mark and either line end") {
  auto source = Source(DataFormat::kCsv);
  source.ignore = {"id"};
  const Table table = Read(
      "\xef\xbb\xbfid,\"a \"\"1\"\"\", y ,b\r\n"
      "7,1.5,\"no, never\",-2e3\r\n"
      "\"8\nnine\", +.25 ,yes,\"4\"\n"
      "9,0.1,yes,16777217",
      source);
  CHECK(table.rows == 3);
  CHECK(table.columns == 2);
  CHECK(table.feature_names == std::vector<std::string>{"a \"1\"", "b"});
  CHECK(table.features == std::vector<float>{1.5f, -2000, 0.25f, 4, 0.1f, 16777216});
  CHECK(table.class_names == std::vector<std::string>{"no, never", "yes"});
  CHECK(table.targets == std::vector<float>{0, 1, 1});
}

TEST_CASE("classes stand by value when all are whole numbers, by bytes otherwise") {
  const auto source = Source(DataFormat::kCsv);
  CHECK(Read("y,x\n10,1\n9,1\n-1,1\n", source).class_names == std::vector<std::string>{"-1", "9", "10"});
  CHECK(Read("y,x\n10,1\n9,1\nb,1\n", source).class_names == std::vector<std::string>{"10", "9", "b"});
  CHECK(Read("y,x\n10,1\n9,1\n10,1\n", source).targets == std::vector<float>{1, 0, 1});
}

TEST_CASE("a bad row of a csv is reported with file, line and column") {
  const auto source = Source(DataFormat::kCsv);
  struct Case {
    std::string_view text;
    std::string_view where;
    std::string_view why;
  };
  const Case cases[] = {
      {"a,y,b\n1,0,2\n1,0\n", "t.csv:3:3: column \"b\"", "2 of 3 fields"},
      {"a,y,b\n1,0,2,3\n", "t.csv:2:4", "more fields"},
      {"a,y,b\n1,0,\n", "t.csv:2:3: column \"b\"", "empty"},
      {"a,y,b\n1,,2\n", "t.csv:2:2: column \"y\"", "empty"},
      {"a,y,b\n1,0,2\n\n1,0,2\n", "t.csv:3:1", "empty line"},
      {"a,y,b\n1,0,abc\n", "t.csv:2:3", "not a number"},
      {"a,y,b\n1,0,1.5x\n", "t.csv:2:3", "not a number"},
      {"a,y,b\n1,0,+-1\n", "t.csv:2:3", "not a number"},
      {"a,y,b\n1,0,.\n", "t.csv:2:3", "not a number"},
      {"a,y,b\n1,0,nan\n", "t.csv:2:3", "not finite"},
      {"a,y,b\n-inf,0,1\n", "t.csv:2:1", "not finite"},
      {"a,y,b\n1e39,0,1\n", "t.csv:2:1", "out of the range"},
      {"a,y,b\n1e999,0,1\n", "t.csv:2:1", "out of the range"},
      {"a,y,b\n1,\"0,2\n", "t.csv:2:2", "not closed"},
      {"a,y,b\n1,\"0\"x,2\n", "t.csv:2:2", "after the closing quote"},
      {"a,y,b\n1,0\r5,2\n", "t.csv:2:2", "carriage return"},
      {"a,y,b\n1,\"0\n0\",2\n1,0,x\n", "t.csv:4:3", "not a number"},
  };
  for (const Case& c : cases) {
    const Error error = Refused(c.text, source);
    CHECK(error.id == ErrorId::kDataBadRow);
    CHECK_THAT(error.message, Contains(std::string(c.where)) && Contains(std::string(c.why)));
    CHECK_THAT(error.message, !Contains("abc"));  // a value of the data goes nowhere
  }
}

TEST_CASE("a csv that is none is refused") {
  auto source = Source(DataFormat::kCsv);
  CHECK(Refused("", source).id == ErrorId::kDataBadFormat);
  CHECK(Refused("a,y,a\n", source).id == ErrorId::kDataBadFormat);
  CHECK(Refused("y\n1\n", source).id == ErrorId::kDataBadFormat);
  CHECK(Refused("a,y\n", source).id == ErrorId::kDataTooSmall);
  CHECK(Refused("a,b\n1,2\n", source).id == ErrorId::kDataNoLabel);
  CHECK_THAT(Refused("a,b\n1,2\n", source).message, Contains("a, b"));
  source.ignore = {"c"};
  CHECK(Refused("a,y\n1,2\n", source).id == ErrorId::kDataNoLabel);
  std::string many = "a,y\n";
  for (int i = 0; i < 10'001; ++i) many += "1,c" + std::to_string(i) + "\n";
  CHECK_THAT(Refused(many, Source(DataFormat::kCsv)).hint, Contains("regression"));
}

TEST_CASE("numbers are the nearest double, rounded to float") {
  for (const char* text : {"0.1", "-0.20965599999999998", "123456789012345678901234567890", "1e-40", "3.4028235e38",
                           "5E+2", "0.00000000000000000000000000000000001", "9007199254740993", "1.", ".5", "-0"}) {
    float value = 0;
    CHECK(ParseNumber(text, value) == NumberFault::kNone);
    CHECK(value == static_cast<float>(std::strtod(text, nullptr)));
  }
}

TEST_CASE("a regression target is a number, not a class") {
  const Table table = Read("x,y\n1,0.5\n2,-3\n", Source(DataFormat::kCsv, DataTask::kRegression));
  CHECK(table.targets == std::vector<float>{0.5f, -3});
  CHECK(table.class_names.empty());
  CHECK(Refused("x,y\n1,yes\n", Source(DataFormat::kCsv, DataTask::kRegression)).id == ErrorId::kDataBadRow);
}

TEST_CASE("libsvm rows are filled with zeros, and its faults are told apart") {
  const auto source = Source(DataFormat::kLibsvm);
  const Table table = Read("+1 1:0.5 3:2 # first\n# nothing\n-1 2:-1\r\n", source);
  CHECK(table.columns == 3);
  CHECK(table.features == std::vector<float>{0.5f, 0, 2, 0, -1, 0});
  CHECK(table.class_names == std::vector<std::string>{"-1", "+1"});
  CHECK(table.targets == std::vector<float>{1, 0});
  for (const char* bad : {"1 0:1\n", "1 2:1 1:1\n", "1 1:1 1:1\n", "1 x\n", "1 1:x\n", "1 1:\n", "1:2 2:3\n",
                          "1 1:nan\n", "1 -1:2\n", "\n1 1:1\n", "1 99999999999999999999:1\n"}) {
    CHECK(Refused(bad, source).id == ErrorId::kDataBadRow);
  }
  CHECK_THAT(Refused("1 1:1\n1 2:x\n", source).message, Contains("t.csv:2:2"));
  CHECK(Refused("1\n", source).id == ErrorId::kDataBadFormat);
  CHECK_THAT(Refused("1 2000000000:1\n", source).message, Contains("too sparse"));
  CHECK(Refused("# none\n", source).id == ErrorId::kDataTooSmall);
}

TEST_CASE("idx arrays of all types are read, and their faults refused") {
  const auto source = Source(DataFormat::kIdx);
  const Bytes images = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 255, 4};
  const Bytes labels = {0, 0, 8, 1, 0, 0, 0, 2, 9, 3};
  const auto table = ParseTable(images, labels, source, "i");
  REQUIRE(table);
  CHECK(table->features == std::vector<float>{1, 2, 255, 4});
  CHECK(table->class_names == std::vector<std::string>{"3", "9"});
  CHECK(table->targets == std::vector<float>{1, 0});
  const auto packed = ParseTable(Gzip(images), Gzip(labels), source, "i");
  REQUIRE(packed);
  CHECK(packed->features == table->features);

  CHECK(ParseIdx(Bytes{0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0x80, 0, 0}, "f")->values == std::vector<float>{1});
  CHECK(ParseIdx(Bytes{0, 0, 0x0b, 1, 0, 0, 0, 1, 0xff, 0xfe}, "s")->values == std::vector<float>{-2});
  CHECK(ParseIdx(Bytes{0, 0, 0x09, 1, 0, 0, 0, 1, 0xff}, "b")->values == std::vector<float>{-1});
  CHECK(ParseIdx(Bytes{0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 0, 1, 0}, "i")->values == std::vector<float>{256});
  CHECK(ParseIdx(Bytes{0, 0, 0x0e, 1, 0, 0, 0, 1, 0x40, 0, 0, 0, 0, 0, 0, 0}, "d")->values == std::vector<float>{2});
  CHECK(ParseIdx(Bytes{0, 0, 0x0d, 1, 0, 0, 0, 1, 0x7f, 0xc0, 0, 0}, "nan").error().id == ErrorId::kDataBadRow);
  for (const Bytes& bad :
       {Bytes{}, Bytes{0, 1, 8, 1}, Bytes{0, 0, 7, 1, 0, 0, 0, 0}, Bytes{0, 0, 8, 0}, Bytes{0, 0, 8, 2, 0, 0, 0, 1},
        Bytes{0, 0, 8, 1, 0, 0, 0, 2, 1}, Bytes{0, 0, 8, 1, 0, 0, 0, 1, 1, 1}, Bytes{0, 0, 8, 1, 255, 255, 255, 255, 1},
        Bytes{0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}) {
    CHECK(ParseIdx(bad, "bad").error().id == ErrorId::kDataBadFormat);
  }
  CHECK(ParseTable(images, Bytes{0, 0, 8, 1, 0, 0, 0, 1, 9}, source, "i").error().id == ErrorId::kDataBadFormat);
  CHECK(ParseTable(images, images, source, "i").error().id == ErrorId::kDataBadFormat);
}

TEST_CASE("gzip is bounded, and its damage is noticed") {
  const Bytes plain(100'000, 'a');
  const Bytes packed = Gzip(plain);
  CHECK(*Gunzip(packed, plain.size(), "z") == plain);
  CHECK_THAT(Gunzip(packed, plain.size() - 1, "z").error().message, Contains("more than 99999"));
  Bytes twice = packed;
  twice.insert(twice.end(), packed.begin(), packed.end());
  CHECK(Gunzip(twice, 1 << 20, "z")->size() == 200'000);
  CHECK_FALSE(Gunzip(ByteView(packed).first(packed.size() - 1), 1 << 20, "z"));
  Bytes damaged = packed;
  damaged[damaged.size() - 5] ^= 1;
  CHECK_FALSE(Gunzip(damaged, 1 << 20, "z"));
  twice.resize(packed.size());
  twice.push_back('x');
  CHECK_FALSE(Gunzip(twice, 1 << 20, "z"));
  CHECK_THAT(ParseTable(Gzip(packed), {}, Source(DataFormat::kCsv), "z").error().message, Contains("twice"));
}

TEST_CASE("npy arrays are read back as written, and their faults refused") {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Bytes file = WriteNpy({"w", {2, 3}}, values);
  CHECK((file.size() - 24) % 64 == 0);
  CHECK_THAT(std::string(AsText(file)), Contains("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"));
  CHECK_THAT(std::string(AsText(WriteNpy({"b", {3}}, std::span(values).first(3)))), Contains("'shape': (3,), }"));
  CHECK_THAT(std::string(AsText(WriteNpy({"s", {}}, std::span(values).first(1)))), Contains("'shape': (), }"));
  const auto array = ParseNpy(file, "w");
  REQUIRE(array);
  CHECK(array->shape == std::vector<std::int64_t>{2, 3});
  CHECK(array->values == values);

  const auto with = [](std::string header, std::string_view data, std::uint8_t version = 1) {
    Bytes bytes = Raw("\x93NUMPY");
    bytes.push_back(version);
    bytes.push_back(0);
    bytes.push_back(static_cast<std::uint8_t>(header.size()));
    bytes.resize(version == 1 ? 10 : 12);
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), data.begin(), data.end());
    return bytes;
  };
  using namespace std::string_view_literals;
  const auto shorts =
      ParseNpy(with("{'shape':(2,),'descr':'<i2','fortran_order':False}\n", "\x01\x00\xff\xff"sv, 2), "n");
  REQUIRE(shorts);
  CHECK(shorts->values == std::vector<float>{1, -1});
  CHECK_THAT(ParseNpy(with("{'descr':'<f4','fortran_order':True,'shape':(1,1)}", "\0\0\0\0"sv), "n").error().message,
             Contains("ascontiguousarray"));
  for (const Bytes& bad :
       {Bytes{}, Raw("\x93NUMPY\x01"), Raw("\x93NUMPX\x01\x00\x00\x00"), with("{}", ""),
        with("{'descr':'>f4','fortran_order':False,'shape':(1,)}", "\0\0\0\0"sv),
        with("{'descr':'<f4','fortran_order':False,'shape':()}", "\0\0\0\0"sv),
        with("{'descr':'<f4','fortran_order':False,'shape':(2,)}", "\0\0\0\0"sv),
        with("{'descr':'<f4','fortran_order':False,'shape':(-1,)}", ""),
        with("{'descr':'<f4','fortran_order':False,'shape':(9000000000000000000,9000000000000000000)}", ""),
        with("{'descr':'<f4','fortran_order':False,'shape':(1,)", "\0\0\0\0"sv),
        with("{'descr':'<f4','descr':'<f4','shape':(1,)}", "\0\0\0\0"sv),
        with("{'descr':'<f4','fortran_order':False,'shape':(1,)}", "\0\0\0\0"sv, 4)}) {
    CHECK(ParseNpy(bad, "bad").error().id == ErrorId::kDataBadFormat);
  }
}

TEST_CASE("classes are renumbered to those of the model, and one that it lacks is named") {
  Table table = Read("x,y\n1,b\n2,c\n3,b\n", Source(DataFormat::kCsv));
  REQUIRE(UseClasses(table, {"a", "b", "c"}));
  CHECK(table.targets == std::vector<float>{1, 2, 1});
  CHECK(table.class_names == std::vector<std::string>{"a", "b", "c"});
  Table other = Read("x,y\n1,b\n2,z\n", Source(DataFormat::kCsv));
  const auto refused = UseClasses(other, {"a", "b"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kModelDataMismatch);
  CHECK_THAT(refused.error().message, Contains("\"z\""));
}

TEST_CASE("a data set is described with its counts and statistics") {
  const auto path = std::filesystem::temp_directory_path() / ("ote-learn-" + std::to_string(getpid()) + ".csv");
  std::ofstream(path) << "a,b,y\n1,10,u\n2,10,v\n3,10,u\n4,10,v\n";
  auto source = Source(DataFormat::kCsv);
  source.path = path;
  const auto dataset = Describe(source, "four", 0.5, 3);
  REQUIRE(dataset);
  CHECK(dataset->name == "four");
  CHECK(dataset->path == path.string());
  CHECK(dataset->train_rows + dataset->test_rows == 4);
  CHECK(dataset->classes == 2);
  REQUIRE(dataset->columns.size() == 2);
  CHECK(dataset->columns[0].mean == 2.5);
  CHECK(dataset->columns[0].stddev == Approx(std::sqrt(1.25)));
  CHECK(dataset->columns[0].min == 1);
  CHECK(dataset->columns[0].max == 4);
  CHECK(dataset->columns[1].stddev == 0);
  const auto again = LoadTable(SourceOf(*dataset));
  REQUIRE(again);
  CHECK(again->rows == 4);
  std::filesystem::remove(path);
  CHECK(LoadTable(source).error().id == ErrorId::kDataUnreadable);
  source.format = DataFormat::kIdx;
  CHECK(LoadTable(source).error().id == ErrorId::kDataNoLabel);
}
