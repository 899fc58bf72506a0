// Compressed updates: what they stand for, that a root reads what a site wrote, and that it takes nothing else.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/federate/compress/quantize.h"
#include "core/federate/compress/sparse.h"
#include "core/federate/compress/update_reader.h"
#include "core/federate/compress/update_writer.h"

namespace ote::federate {
namespace {

using Kind = api::CompressionKind;

UpdateForm Form(Kind kind, std::size_t values, std::int64_t bits = 8, double fraction = 0.01, std::size_t vectors = 1) {
  return {{kind, bits, fraction}, values, vectors};
}

std::vector<float> Drawn(std::size_t count, std::uint64_t seed) {
  learn::Random random(seed);
  std::vector<float> out(count);
  for (float& value : out) value = static_cast<float>(0.1 * random.Normal());
  return out;
}

// What a site writes; `values` become what is read of it.
Bytes Written(const UpdateForm& form, std::vector<float>& values, std::uint64_t seed = 7) {
  UpdateWriter writer(form, seed);
  for (std::size_t v = 0; v < form.vectors; ++v) {
    writer.Add(std::span(values).subspan(v * form.Length(), form.Length()));
  }
  return std::move(writer).Take();
}

ErrorId Refusal(ByteView bytes, const UpdateForm& form) {
  const auto reader = UpdateReader::Open(bytes, form);
  return reader ? ErrorId::kInternal : reader.error().id;
}

const std::vector<UpdateForm> kForms = {Form(Kind::kQuantize, 1),
                                        Form(Kind::kQuantize, 255),
                                        Form(Kind::kQuantize, 256),
                                        Form(Kind::kQuantize, 257),
                                        Form(Kind::kQuantize, 10'001),
                                        Form(Kind::kQuantize, 1, 4),
                                        Form(Kind::kQuantize, 511, 4),
                                        Form(Kind::kQuantize, 512, 4),
                                        Form(Kind::kQuantize, 9'999, 4),
                                        Form(Kind::kQuantize, 600, 8, 1, 2),
                                        Form(Kind::kTopK, 1),
                                        Form(Kind::kTopK, 2),
                                        Form(Kind::kTopK, 10'001),
                                        Form(Kind::kTopK, 1000, 8, 0.5),
                                        Form(Kind::kTopK, 4097, 8, 0.25),
                                        Form(Kind::kTopK, 64, 8, 1.0 / 64),
                                        Form(Kind::kTopK, 20'000, 8, 1e-4),
                                        Form(Kind::kTopK, 9'000, 8, 0.1, 3)};

TEST_CASE("the root reads of a compressed update what its site took for sent") {
  for (const UpdateForm& form : kForms) {
    INFO(NameOf(form.compression.kind) << " " << form.values << " " << form.compression.bits);
    std::vector<float> values = Drawn(form.values, form.values);
    const Bytes bytes = Written(form, values);
    CHECK(bytes.size() == SizeOf(form));
    const auto reader = UpdateReader::Open(bytes, form);
    REQUIRE(reader);
    CHECK(reader->Values() == values);
  }
}

TEST_CASE("a compressed update is as large as its form says") {
  constexpr std::size_t kMillion = 1'000'000;
  CHECK(SizeOf(Form(Kind::kNone, kMillion)) == 4 * kMillion);
  // 3906 blocks of 256 values and one of 64, with four bytes of scale each.
  CHECK(SizeOf(Form(Kind::kQuantize, kMillion)) == 40 + kMillion + 3907 * 4);
  CHECK(SizeOf(Form(Kind::kQuantize, kMillion, 4)) == 40 + kMillion / 2 + 3907 * 4);
  // 10,000 values; 6 low bits of each place, and 10,000 + (999,999 >> 6) + 1 bits for the rest.
  CHECK(SizeOf(Form(Kind::kTopK, kMillion)) == 40 + 40'000 + 7'500 + 3'204);
  CHECK(SizeOf(Form(Kind::kTopK, 2 * kMillion, 8, 0.01, 2)) == 40 + 2 * (40'000 + 7'500 + 3'204));
}

TEST_CASE("a quantized value is at most one step away, and the largest of a block stays") {
  for (const std::int64_t bits : {std::int64_t{8}, std::int64_t{4}}) {
    const auto before = Drawn(1000, 3);
    std::vector<float> after = before;
    Written(Form(Kind::kQuantize, 1000, bits), after);
    for (std::size_t begin = 0; begin < before.size(); begin += kQuantizedBlock) {
      const std::size_t end = std::min(before.size(), begin + kQuantizedBlock);
      float scale = 0;
      for (std::size_t i = begin; i < end; ++i) scale = std::max(scale, std::fabs(before[i]));
      const double step = static_cast<double>(scale) / (bits == 8 ? 127 : 7);
      for (std::size_t i = begin; i < end; ++i) {
        CHECK(std::fabs(static_cast<double>(after[i]) - static_cast<double>(before[i])) < step * 1.000001);
        if (std::fabs(before[i]) == scale) CHECK(after[i] == before[i]);
      }
    }
  }
}

TEST_CASE("rounding is right in the mean, and draws from its seed alone") {
  const auto before = Drawn(64, 5);
  const UpdateForm form = Form(Kind::kQuantize, 64, 4);
  constexpr int kDraws = 4000;
  std::vector<double> mean(64);
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    std::vector<float> after = before;
    Written(form, after, seed);
    for (std::size_t i = 0; i < 64; ++i) mean[i] += static_cast<double>(after[i]) / kDraws;
  }
  float scale = 0;
  for (const float value : before) scale = std::max(scale, std::fabs(value));
  // A draw deviates by at most half a step, so their mean by a hundred and twenty-sixth; five of that.
  const double allowed = 5 * static_cast<double>(scale) / 7 / 2 / std::sqrt(kDraws);
  for (std::size_t i = 0; i < 64; ++i) CHECK(std::fabs(mean[i] - static_cast<double>(before[i])) < allowed);
  auto one = before;
  auto same = before;
  auto other = before;
  CHECK(Written(form, one, 1) == Written(form, same, 1));
  CHECK(Written(form, other, 2) != Written(form, same, 1));
}

TEST_CASE("values that cannot be told apart from zero stay finite") {
  const float tiny = std::numeric_limits<float>::denorm_min();
  for (const std::int64_t bits : {std::int64_t{8}, std::int64_t{4}}) {
    std::vector<float> values = {0, -0.0F, tiny, -tiny, 2 * tiny};
    const UpdateForm form = Form(Kind::kQuantize, 5, bits);
    const Bytes bytes = Written(form, values);
    REQUIRE(UpdateReader::Open(bytes, form));
    for (const float value : values) CHECK(std::fabs(value) <= 2 * tiny);
    std::vector<float> zeros(300);
    const UpdateForm long_form = Form(Kind::kQuantize, 300, bits);
    REQUIRE(UpdateReader::Open(Written(long_form, zeros), long_form));
    CHECK(zeros == std::vector<float>(300));
  }
}

TEST_CASE("top-k sends the largest values as they are, and of equal ones the first") {
  std::vector<float> values = {0.5F, -2, 0.25F, 2, -0.5F, 0.5F, 0, 0.125F};
  Written(Form(Kind::kTopK, 8, 8, 0.5), values);
  CHECK(values == std::vector<float>{0.5F, -2, 0, 2, -0.5F, 0, 0, 0});
  std::vector<float> zeros(8);
  Written(Form(Kind::kTopK, 8, 8, 0.5), zeros);
  CHECK(zeros == std::vector<float>(8));
  CHECK(KeptOf(8, 1e-9) == 1);
  CHECK(KeptOf(1000, 0.01) == 10);
  CHECK(KeptOf(1001, 0.01) == 11);
}

TEST_CASE("what top-k leaves out is sent later, and nothing is lost") {
  const UpdateForm form = Form(Kind::kTopK, 400, 8, 0.05);
  Bytes residual;
  std::vector<double> given(400);
  std::vector<double> sent(400);
  std::vector<bool> told(400);
  for (std::uint64_t round = 0; round < 60; ++round) {
    auto update = Drawn(400, round);
    for (std::size_t i = 0; i < 400; ++i) {
      update[i] += 0.125F;
      given[i] += static_cast<double>(update[i]);
    }
    UpdateWriter writer(form, round);
    AddWithFeedback(writer, update, residual);
    const Bytes bytes = std::move(writer).Take();
    const auto reader = UpdateReader::Open(bytes, form);
    REQUIRE(reader);
    const auto read = reader->Values();
    CHECK(read == update);
    for (std::size_t i = 0; i < 400; ++i) {
      sent[i] += static_cast<double>(read[i]);
      told[i] = told[i] || read[i] != 0;
    }
  }
  REQUIRE(residual.size() == 400 * sizeof(float));
  for (std::size_t i = 0; i < 400; ++i) {
    float left;
    std::memcpy(&left, residual.data() + i * sizeof left, sizeof left);
    CHECK(sent[i] + static_cast<double>(left) == Approx(given[i]).margin(1e-5));
    CHECK(told[i]);
  }
}

TEST_CASE("what has gathered beyond the bound waits for the next round") {
  const UpdateForm form = Form(Kind::kTopK, 2, 8, 0.5);
  Bytes residual;
  std::vector<float> update = {1000, 1};
  UpdateWriter first(form, 1);
  AddWithFeedback(first, update, residual);
  CHECK(update == std::vector<float>{1000, 0});
  const float left[] = {500, 1};
  std::memcpy(residual.data(), left, sizeof left);
  update = {1000, 1};
  UpdateWriter second(form, 1);
  AddWithFeedback(second, update, residual);
  CHECK(update == std::vector<float>{1024, 0});
  float after[2];
  std::memcpy(after, residual.data(), sizeof after);
  CHECK(after[0] == 476);
  CHECK(after[1] == 2);
}

TEST_CASE("a compressed update is added up to the same bits as its values") {
  for (const UpdateForm& form : kForms) {
    INFO(NameOf(form.compression.kind) << " " << form.values);
    auto values = Drawn(form.values, 11);
    const Bytes bytes = Written(form, values);
    const auto reader = UpdateReader::Open(bytes, form);
    REQUIRE(reader);
    Accumulator pieces(form.values, *ChooseGrid(1000));
    Accumulator whole(form.values, *ChooseGrid(1000));
    for (const std::int64_t weight : {std::int64_t{1}, std::int64_t{998}}) {
      REQUIRE(pieces.FoldPieces([&](const PieceTaker& take) { reader->ForEach(take); }, weight));
      REQUIRE(whole.Fold(values, weight));
    }
    CHECK(pieces.Save() == whole.Save());
    CHECK_FALSE(pieces.FoldPieces([&](const PieceTaker& take) { reader->ForEach(take); }, 2));
    CHECK(pieces.Save() == whole.Save());
  }
}

TEST_CASE("a sum takes all pieces of an update or none") {
  Accumulator sum(8, *ChooseGrid(10));
  const std::vector<float> good = {1, 2, 3, 4};
  const std::vector<float> bad = {1, std::numeric_limits<float>::quiet_NaN(), 2000, 4};
  REQUIRE(sum.FoldPieces([&](const PieceTaker& take) { take(2, good); }, 1));
  const Bytes before = sum.Save();
  const auto refused = sum.FoldPieces(
      [&](const PieceTaker& take) {
        take(0, good);
        take(4, bad);
      },
      1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kUpdateOutOfRange);
  CHECK(sum.Save() == before);
}

TEST_CASE("ranges of quantized updates are read as if they were float32") {
  for (const std::int64_t bits : {std::int64_t{8}, std::int64_t{4}}) {
    const UpdateForm form = Form(Kind::kQuantize, 1001, bits);
    auto values = Drawn(1001, 17);
    const Bytes bytes = Written(form, values);
    const auto read = ReadQuantized(
        [&bytes](const std::string&, std::int64_t offset, std::span<std::uint8_t> out) -> Result<void> {
          REQUIRE(static_cast<std::size_t>(offset) + out.size() <= bytes.size());
          std::memcpy(out.data(), bytes.data() + offset, out.size());
          return {};
        },
        form);
    for (const auto& [begin, count] : std::vector<std::pair<std::size_t, std::size_t>>{
             {0, 1001}, {0, 1}, {255, 2}, {256, 256}, {300, 7}, {1000, 1}, {1001, 0}, {513, 488}}) {
      INFO(begin << " " << count);
      std::vector<float> out(count);
      const auto offset = static_cast<std::int64_t>(begin * sizeof(float));
      REQUIRE(read("", offset, {reinterpret_cast<std::uint8_t*>(out.data()), count * sizeof(float)}));
      CHECK(std::equal(out.begin(), out.end(), values.begin() + static_cast<std::ptrdiff_t>(begin)));
    }
    std::vector<std::uint8_t> beyond(8);
    CHECK_FALSE(read("", 1000 * 4, beyond));
  }
}

TEST_CASE("an update of another form is refused") {
  const UpdateForm form = Form(Kind::kQuantize, 1000);
  auto values = Drawn(1000, 1);
  const Bytes bytes = Written(form, values);
  CHECK(Refusal({}, form) == ErrorId::kUpdateShape);
  CHECK(Refusal(ByteView(bytes).first(bytes.size() - 1), form) == ErrorId::kUpdateShape);
  Bytes longer = bytes;
  longer.push_back(0);
  CHECK(Refusal(longer, form) == ErrorId::kUpdateShape);
  CHECK(Refusal(bytes, Form(Kind::kQuantize, 1000, 4)) == ErrorId::kUpdateShape);
  CHECK(Refusal(bytes, Form(Kind::kTopK, 1000)) == ErrorId::kUpdateShape);
  for (std::size_t i = 0; i < kUpdateHeader; ++i) {
    Bytes other = bytes;
    other[i] ^= 1U;
    CHECK(Refusal(other, form) == ErrorId::kUpdateShape);
  }
  // Two vectors of 512 values are as long as one of 1024.
  auto more = Drawn(1024, 1);
  CHECK(Refusal(Written(Form(Kind::kQuantize, 1024, 8, 1, 2), more), Form(Kind::kQuantize, 1024)) ==
        ErrorId::kUpdateShape);
}

TEST_CASE("scales and numbers that no site writes are refused") {
  const UpdateForm form = Form(Kind::kQuantize, 3, 4);
  std::vector<float> values = {1, -0.5F, 0.25F};
  const Bytes good = Written(form, values);
  const auto with_scale = [&](float scale) {
    Bytes bytes = good;
    std::memcpy(bytes.data() + kUpdateHeader, &scale, sizeof scale);
    return Refusal(bytes, form);
  };
  CHECK(with_scale(std::numeric_limits<float>::infinity()) == ErrorId::kUpdateNotFinite);
  CHECK(with_scale(std::numeric_limits<float>::quiet_NaN()) == ErrorId::kUpdateNotFinite);
  CHECK(with_scale(1024.5F) == ErrorId::kUpdateOutOfRange);
  CHECK(with_scale(-1) == ErrorId::kUpdateOutOfRange);
  CHECK(with_scale(-0.0F) == ErrorId::kUpdateOutOfRange);
  CHECK(with_scale(0) == ErrorId::kUpdateShape);  // and values that are not
  CHECK(with_scale(1024) == ErrorId::kInternal);  // taken
  Bytes lowest = good;
  lowest[kUpdateHeader + 4] = 0x08;  // -8, where -7 is the lowest
  CHECK(Refusal(lowest, form) == ErrorId::kUpdateShape);
  Bytes rest = good;
  rest.back() |= 0x10;
  CHECK(Refusal(rest, form) == ErrorId::kUpdateShape);
  const UpdateForm eight = Form(Kind::kQuantize, 3);
  Bytes wide = Written(eight, values);
  wide.back() = 0x80;
  CHECK(Refusal(wide, eight) == ErrorId::kUpdateShape);
}

TEST_CASE("places that do not ascend, are beyond the end, or are too many or too few are refused") {
  // Four of 64 values: 4 low bits of each place, 4 + 3 + 1 bits above.
  const UpdateForm form = Form(Kind::kTopK, 64, 8, 1.0 / 16);
  std::vector<float> values(64);
  for (const std::size_t place : {3U, 5U, 20U, 63U}) values[place] = 1;
  const Bytes good = Written(form, values);
  REQUIRE(good.size() == kUpdateHeader + 16 + 1 + 2);
  constexpr std::size_t kHigh = kUpdateHeader + 16;
  CHECK(good[kHigh] == 0b01001011);
  CHECK(good[kHigh + 1] == 0x53);
  CHECK(good[kHigh + 2] == 0xf4);
  const auto changed = [&](std::size_t at, std::uint8_t to) {
    Bytes bytes = good;
    bytes[at] = to;
    return Refusal(bytes, form);
  };
  CHECK(changed(kHigh, 0b01001010) == ErrorId::kUpdateShape);  // three
  CHECK(changed(kHigh, 0b01101011) == ErrorId::kUpdateShape);  // five
  CHECK(changed(kHigh + 1, 0x33) == ErrorId::kUpdateShape);    // 3 and 3
  CHECK(changed(kHigh + 1, 0x35) == ErrorId::kUpdateShape);    // 5 and 3
  CHECK(changed(kHigh + 1, 0x63) == ErrorId::kInternal);       // 3 and 6 are two places as well
  const UpdateForm odd = Form(Kind::kTopK, 61, 8, 0.04);
  std::vector<float> others(61);
  others[60] = 1;
  Bytes last = Written(odd, others);
  REQUIRE(UpdateReader::Open(last, odd));
  last.back() |= 0x0f;  // the last place becomes 63
  CHECK(Refusal(last, odd) == ErrorId::kUpdateShape);
  Bytes value = good;
  const float infinite = std::numeric_limits<float>::infinity();
  std::memcpy(value.data() + kUpdateHeader, &infinite, sizeof infinite);
  CHECK(Refusal(value, form) == ErrorId::kUpdateNotFinite);
  const float large = -1025;
  std::memcpy(value.data() + kUpdateHeader, &large, sizeof large);
  CHECK(Refusal(value, form) == ErrorId::kUpdateOutOfRange);
}

TEST_CASE("whatever is made of a compressed update, it is refused or has the size and bounds of one") {
  for (const UpdateForm& form :
       {Form(Kind::kQuantize, 67), Form(Kind::kQuantize, 67, 4), Form(Kind::kTopK, 67, 8, 0.1)}) {
    auto values = Drawn(67, 23);
    const Bytes good = Written(form, values);
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int change = 1; change < 256; ++change) {
        Bytes bytes = good;
        bytes[at] ^= static_cast<std::uint8_t>(change);
        const auto reader = UpdateReader::Open(bytes, form);
        if (!reader) continue;
        Accumulator sum(67, *ChooseGrid(1));
        if (!sum.FoldPieces([&](const PieceTaker& take) { reader->ForEach(take); }, 1)) FAIL("taken, and then not");
      }
    }
  }
}

}  // namespace
}  // namespace ote::federate
