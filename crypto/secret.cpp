#include "crypto/secret.h"

#include <sodium.h>
#include <sys/prctl.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "crypto/require.h"

namespace ote::crypto {
namespace {

// sodium_malloc locks the pages where the limit on locked memory allows it, and goes on without where it does not.
std::uint8_t* MustAllocate(std::size_t size) {
  auto* data = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (data == nullptr) throw std::bad_alloc();
  return data;
}

// Small secrets share locked pages with guards at their ends: a page for each would soon use up what may be locked, and
// most secrets live for less time than the system takes to make one. What comes back was wiped. Pages stay.
class SmallSecrets {
 public:
  static constexpr std::size_t kSlot = 128;

  // Lives as long as any secret does, also one that a static object holds.
  static SmallSecrets& Get() {
    static auto& all = *new SmallSecrets;
    return all;
  }
  std::uint8_t* Take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) Grow();
    std::uint8_t* slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void Give(std::uint8_t* slot) noexcept {
    const std::lock_guard lock(mutex_);
    free_.push_back(slot);  // there is room: Grow() made it
  }

 private:
  static constexpr std::size_t kPage = 4096;
  void Grow() {
    slots_ += kPage / kSlot;
    free_.reserve(slots_);
    std::uint8_t* page = MustAllocate(kPage);
    for (std::size_t at = kPage; at > 0; at -= kSlot) free_.push_back(page + at - kSlot);
  }

  std::mutex mutex_;
  std::size_t slots_ = 0;
  std::vector<std::uint8_t*> free_;
};

void Release(std::uint8_t* data, std::size_t size) noexcept {
  if (size == 0 || size > SmallSecrets::kSlot) return sodium_free(data);
  sodium_memzero(data, size);
  SmallSecrets::Get().Give(data);
}

}  // namespace

void Init() {
  static const bool ready = sodium_init() >= 0;
  Require(ready, "the system gives no randomness");
}

void HideMemory() noexcept { ::prctl(PR_SET_DUMPABLE, 0); }

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  Init();
  data_ = size <= SmallSecrets::kSlot ? SmallSecrets::Get().Take() : MustAllocate(size);
  sodium_memzero(data_, size);
}

SecretBytes SecretBytes::CopyOf(ByteView bytes) {
  SecretBytes copy(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.data_);
  return copy;
}

SecretBytes SecretBytes::Random(std::size_t size) {
  SecretBytes fresh(size);
  if (size != 0) randombytes_buf(fresh.data_, size);
  return fresh;
}

SecretBytes::~SecretBytes() { Release(data_, size_); }

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    Release(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

bool ConstantTimeEqual(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

void Wipe(std::span<std::uint8_t> bytes) noexcept {
  if (!bytes.empty()) sodium_memzero(bytes.data(), bytes.size());
}

std::array<std::uint8_t, 32> Mac(ByteView key, ByteView message) {
  Init();
  Require(key.size() >= crypto_generichash_KEYBYTES_MIN && key.size() <= crypto_generichash_KEYBYTES_MAX,
          "a MAC key has 16 to 64 bytes");
  std::array<std::uint8_t, 32> tag{};
  crypto_generichash(tag.data(), tag.size(), message.data(), message.size(), key.data(), key.size());
  return tag;
}

SecretBytes DeriveKey(ByteView secret, std::string_view context) {
  Init();
  Require(!context.empty(), "a derived key needs a context");
  std::array<std::uint8_t, crypto_generichash_blake2b_PERSONALBYTES> personal{};
  if (context.size() <= personal.size()) {
    std::copy(context.begin(), context.end(), personal.begin());
  } else {
    crypto_generichash(personal.data(), personal.size(), AsBytes(context).data(), context.size(), nullptr, 0);
  }
  SecretBytes key(32);
  crypto_generichash_blake2b_salt_personal(key.Mutable().data(), key.size(), secret.data(), secret.size(), nullptr, 0,
                                           nullptr, personal.data());
  return key;
}

}  // namespace ote::crypto
