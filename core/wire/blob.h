// Raw bytes beside a message, owned by whoever made them and never copied on their way through.
#pragma once

#include <memory>
#include <utility>

#include "core/base/bytes.h"

namespace ote::wire {

// Immutable once made. Shared ownership, because the transport's own thread lets go of the bytes after they are sent.
class Blob {
 public:
  Blob() = default;
  explicit Blob(Bytes bytes) : Blob(std::make_shared<const Bytes>(std::move(bytes))) {}
  // `view` stays valid as long as `owner` lives.
  Blob(ByteView view, std::shared_ptr<const void> owner) : view_(view), owner_(std::move(owner)) {}

  ByteView View() const noexcept { return view_; }
  bool empty() const noexcept { return view_.empty(); }
  std::size_t size() const noexcept { return view_.size(); }
  const std::shared_ptr<const void>& Owner() const noexcept { return owner_; }

  // The bytes are part of a stream that is sealed for whoever may read it (crypto/sealed.h): a transport may leave it
  // at protecting them from being altered. Not for a stream that is sealed to a key which is kept: who steals that key
  // could read what was recorded of the line.
  Blob&& AsSealed() && noexcept {
    sealed_ = true;
    return std::move(*this);
  }
  bool IsSealed() const noexcept { return sealed_; }

 private:
  explicit Blob(std::shared_ptr<const Bytes> bytes) : view_(*bytes), owner_(std::move(bytes)) {}
  ByteView view_;
  std::shared_ptr<const void> owner_;
  bool sealed_ = false;
};

}  // namespace ote::wire
