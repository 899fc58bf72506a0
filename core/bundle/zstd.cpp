#include "core/bundle/zstd.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <utility>

namespace ote::bundle {
namespace {

constexpr int kLevel = 3;
constexpr int kWindow = 23;  // 8 MiB: what a frame from outside may make us keep
// Input goes in pieces of this size, whatever it came in: what leaves depends on where it was cut.
constexpr std::size_t kPiece = 128 << 10;

}  // namespace

struct Compressor::State {
  Sink sink;
  ZSTD_CCtx* context = nullptr;
  Bytes in;
  Bytes out;

  Result<void> Push(bool last) {
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    for (;;) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context, &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left) != 0) {
        return Fail(ErrorId::kInternal, fmt::format("compressing: {}", ZSTD_getErrorName(left)));
      }
      if (output.pos > 0) OTE_CHECK(sink({out.data(), output.pos}));
      if (last ? left == 0 : input.pos == input.size) break;
    }
    in.clear();
    return {};
  }
};

Compressor::Compressor(Sink sink) : state_(std::make_unique<State>()) {
  state_->sink = std::move(sink);
  state_->context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(state_->context, ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(state_->context, ZSTD_c_windowLog, 21);
  ZSTD_CCtx_setParameter(state_->context, ZSTD_c_checksumFlag, 1);
  state_->in.reserve(kPiece);
  state_->out.resize(ZSTD_CStreamOutSize());
}
Compressor::~Compressor() { ZSTD_freeCCtx(state_->context); }

Result<void> Compressor::Take(ByteView plain) {
  while (!plain.empty()) {
    const std::size_t take = std::min(plain.size(), kPiece - state_->in.size());
    state_->in.insert(state_->in.end(), plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(take));
    plain = plain.subspan(take);
    if (state_->in.size() == kPiece) OTE_CHECK(state_->Push(false));
  }
  return {};
}
Result<void> Compressor::Finish() { return state_->Push(true); }

struct Decompressor::State {
  Sink sink;
  ZSTD_DCtx* context = nullptr;
  Bytes out;
  std::uint64_t most = 0;
  std::uint64_t made = 0;
  bool ended = false;
};

Decompressor::Decompressor(Sink sink, std::uint64_t most) : state_(std::make_unique<State>()) {
  state_->sink = std::move(sink);
  state_->most = most;
  state_->context = ZSTD_createDCtx();
  ZSTD_DCtx_setParameter(state_->context, ZSTD_d_windowLogMax, kWindow);
  state_->out.resize(ZSTD_DStreamOutSize());
}
Decompressor::~Decompressor() { ZSTD_freeDCtx(state_->context); }

Result<void> Decompressor::Take(ByteView packed) {
  State& state = *state_;
  ZSTD_inBuffer input{packed.data(), packed.size(), 0};
  for (;;) {
    if (state.ended) {
      if (input.pos == input.size) return {};
      return Fail(ErrorId::kBundleLarger, "the content goes on after its end");
    }
    ZSTD_outBuffer output{state.out.data(), state.out.size(), 0};
    const std::size_t left = ZSTD_decompressStream(state.context, &output, &input);
    if (ZSTD_isError(left) != 0) {
      return Fail(ErrorId::kBundleAltered, fmt::format("the content cannot be unpacked: {}", ZSTD_getErrorName(left)));
    }
    state.made += output.pos;
    if (state.made > state.most) {
      return Fail(ErrorId::kBundleLarger, fmt::format("the content is larger than the {} bytes declared", state.most));
    }
    if (output.pos > 0) OTE_CHECK(state.sink({state.out.data(), output.pos}));
    state.ended = left == 0;
    // A full buffer may leave more within, which comes out without more input.
    if (!state.ended && input.pos == input.size && output.pos < output.size) return {};
  }
}

Result<void> Decompressor::Finish() {
  if (!state_->ended) return Fail(ErrorId::kBundleAltered, "the content ends in the middle");
  return {};
}

}  // namespace ote::bundle
