#include "core/wire/bulk_frame.h"

#include <catch2/catch.hpp>

#include "core/wire/envelope.h"

namespace ote::wire {
namespace {

struct Ends {
  Ends() {
    const auto ours = crypto::SessionOffer::Make();
    const auto theirs = crypto::SessionOffer::Make();
    auto caller = ours.Agree(theirs.Public(), crypto::SessionSide::kCaller, {}).value();
    auto listener = theirs.Agree(ours.Public(), crypto::SessionSide::kListener, {}).value();
    sealer.emplace(std::move(caller.sealer));
    reader.emplace(std::move(listener.opener), pool);
  }
  BulkFrame Frame(BulkKind kind, std::string_view head, const Blob& blob) {
    return MakeBulkFrame(*sealer, kind, AsBytes(head), blob, *pool).value();
  }
  std::shared_ptr<BlobPool> pool = std::make_shared<BlobPool>();
  std::optional<crypto::SessionSealer> sealer;
  std::optional<BulkReader> reader;
};

Bytes Spell(const BulkFrame& frame) {
  Bytes out = frame.lead;
  if (frame.blob.empty()) return out;
  out.insert(out.end(), frame.blob.View().begin(), frame.blob.View().end());
  out.insert(out.end(), frame.tag.begin(), frame.tag.end());
  return out;
}

// What comes out, at most `step` bytes at a time; an error ends it.
Result<std::vector<BulkArrival>> Read(BulkReader& reader, ByteView bytes, std::size_t step = 1 << 20) {
  std::vector<BulkArrival> out;
  while (!bytes.empty()) {
    const auto room = reader.Room();
    REQUIRE_FALSE(room.empty());
    const std::size_t size = std::min({room.size(), bytes.size(), step});
    std::copy_n(bytes.begin(), size, room.begin());
    bytes = bytes.subspan(size);
    OTE_TRY(auto arrival, reader.Took(size));
    if (arrival) out.push_back(std::move(*arrival));
  }
  return out;
}

Bytes Join(const std::vector<Bytes>& parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

bool Equal(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace

TEST_CASE("frames of a bulk line come out as they were put in, in whatever pieces they arrive") {
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}, std::size_t{1} << 20}) {
    Ends ends;
    const Bytes data(70'000, 42);
    const Bytes wire =
        Join({Spell(ends.Frame(BulkKind::kHello, "", {})), Spell(ends.Frame(BulkKind::kMessage, "head", Blob(data))),
              Spell(ends.Frame(BulkKind::kSealedMessage, "sealed", Blob(data))),
              Spell(ends.Frame(BulkKind::kGot, "12345678", {}))});
    const auto out = Read(*ends.reader, wire, step);
    REQUIRE(out);
    REQUIRE(out->size() == 4);
    CHECK((*out)[0].kind == BulkKind::kHello);
    CHECK(AsText((*out)[1].head) == "head");
    CHECK(Equal((*out)[1].blob.View(), data));
    CHECK(AsText((*out)[2].head) == "sealed");
    CHECK(Equal((*out)[2].blob.View(), data));
    CHECK(AsText((*out)[3].head) == "12345678");
  }
}

TEST_CASE("on a bulk line only what is sealed already stays as it is") {
  Ends ends;
  const Blob blob(Bytes(70'000, 42));
  const BulkFrame open = ends.Frame(BulkKind::kMessage, "a secret header", blob);
  CHECK_FALSE(Equal(open.blob.View(), blob.View()));
  CHECK(std::count(open.blob.View().begin(), open.blob.View().end(), 42) < 1000);
  const BulkFrame sealed = ends.Frame(BulkKind::kSealedMessage, "a secret header", blob);
  CHECK(sealed.blob.View().data() == blob.View().data());
  for (const BulkFrame& frame : {open, sealed}) {
    CHECK(AsText(frame.lead).find("secret") == std::string_view::npos);
  }
}

TEST_CASE("a bulk frame with any bit changed is refused") {
  for (const auto kind : {BulkKind::kMessage, BulkKind::kSealedMessage}) {
    Ends makes;
    const Bytes wire = Spell(makes.Frame(kind, "head", Blob(Bytes(40, 1))));
    for (std::size_t i = 0; i < wire.size(); ++i) {
      for (const int bit : {1, 128}) {
        BulkReader reader(crypto::SessionOpener(Bytes(32, 7)), makes.pool);
        crypto::SessionSealer sealer(Bytes(32, 7));
        Bytes altered = Spell(*MakeBulkFrame(sealer, kind, AsBytes("head"), Blob(Bytes(40, 1)), *makes.pool));
        altered[i] = static_cast<std::uint8_t>(altered[i] ^ bit);
        const auto out = Read(reader, altered);
        // A size that is larger than it was waits for bytes that do not come.
        CHECK((!out || out->empty()));
      }
    }
  }
}

TEST_CASE("a bulk frame that is repeated, left out, moved or from another session is refused") {
  const auto frames = [](Ends& ends) {
    std::vector<Bytes> out;
    for (const char* head : {"one", "two", "three"}) {
      out.push_back(Spell(ends.Frame(BulkKind::kSealedMessage, head, Blob(Bytes(100, 1)))));
    }
    return out;
  };
  const auto refused = [&frames](auto change) {
    Ends ends;
    auto all = frames(ends);
    change(all);
    const auto out = Read(*ends.reader, Join(all));
    REQUIRE_FALSE(out);
    CHECK(out.error().id == ErrorId::kSessionBroken);
  };
  refused([](auto& all) { all[1] = all[0]; });
  refused([](auto& all) { all.erase(all.begin()); });
  refused([](auto& all) { std::swap(all[1], all[2]); });
  refused([&frames](auto& all) {
    Ends other;
    all[1] = frames(other)[1];
  });
  // A blob of one frame in another.
  refused([](auto& all) { std::swap_ranges(all[0].end() - 116, all[0].end(), all[1].end() - 116); });
}

TEST_CASE("sizes beyond the bounds end a bulk line before there is memory for them") {
  const auto lead = [](std::uint32_t head, std::uint32_t blob, std::uint8_t kind) {
    Bytes out(kBulkLead);
    for (int i = 0; i < 4; ++i) {
      out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(head >> (8 * i));
      out[static_cast<std::size_t>(4 + i)] = static_cast<std::uint8_t>(blob >> (8 * i));
    }
    out[8] = kind;
    return out;
  };
  const std::uint32_t most = kMaxBulkHead;
  const std::uint32_t chunk = kMaxChunk;
  for (const Bytes& bad :
       {lead(most + 1, 0, 1), lead(0xFFFFFFFF, 0, 1), lead(0, 1, 1), lead(1, chunk + 1, 1), lead(1, 0xFFFFFFFF, 2),
        lead(1, 0, 0), lead(0, 1, 0), lead(7, 0, 3), lead(8, 1, 3), lead(1, 1, 4), lead(1, 1, 255)}) {
    Ends ends;
    const auto out = Read(*ends.reader, bad);
    REQUIRE_FALSE(out);
    CHECK(out.error().id == ErrorId::kProtocol);
  }
  Ends ends;
  Bytes reserved = lead(4, 4, 1);
  reserved[11] = 1;
  CHECK_FALSE(Read(*ends.reader, reserved));
  // A blob gets no room before the tag in front of it holds.
  Ends other;
  Bytes forged = lead(4, chunk, 1);
  forged.resize(kBulkLead + 4 + crypto::kSessionTag);
  const auto out = Read(*other.reader, forged);
  REQUIRE_FALSE(out);
  CHECK(out.error().id == ErrorId::kSessionBroken);
}

TEST_CASE("memory of blobs is used again and given back") {
  auto pool = std::make_shared<BlobPool>();
  const void* first = nullptr;
  {
    auto [room, owner] = pool->Take(1000);
    first = room.data();
  }
  auto [room, owner] = pool->Take(1 << 20);
  CHECK(room.data() == first);
  CHECK(room.size() == 1 << 20);
  pool->Trim();
  pool.reset();  // the blob outlives it
  room[0] = 1;
}

}  // namespace ote::wire
