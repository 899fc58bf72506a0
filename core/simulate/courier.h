// Carries requests and artifacts between the two sides of a simulation through the real codec, and counts what it
// carries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/api/requests.h"
#include "core/wire/envelope.h"

namespace ote::simulate {

// One thread.
class Courier {
 public:
  // `body` as the other side reads it. The answer, an empty one, travels back.
  template <class Body>
  Result<Body> Ask(std::string_view verb, const Body& body) {
    OTE_TRY(const wire::Envelope request, Pass(wire::MakeRequest(++id_, verb, ToJson(body))));
    OTE_CHECK(Pass(wire::MakeReply(request, Json::object())));
    return FromWire<Body>(request.body);
  }
  // An artifact, asked for piece by piece with artifact.get, put together and checked. kUpdateDigest.
  Result<Bytes> Carry(const std::string& digest, ByteView artifact);

  std::int64_t messages() const noexcept { return messages_; }
  std::int64_t bytes() const noexcept { return bytes_; }

 private:
  Result<wire::Envelope> Pass(const wire::Envelope& envelope);

  std::uint64_t id_ = 0;
  std::int64_t messages_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace ote::simulate
