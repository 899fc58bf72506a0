// Reading objects of the Kubernetes API: what is not there reads as empty, and nothing throws.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::kube {

// What an API server sends: any size, at most 200 levels deep. kKubeFailed otherwise.
Result<Json> ParseAnswer(std::string_view text);

// The value at a path of keys; null when there is none.
const Json& At(const Json& json, std::initializer_list<std::string_view> path);
std::string TextAt(const Json& json, std::initializer_list<std::string_view> path);
std::int64_t NumberAt(const Json& json, std::initializer_list<std::string_view> path, std::int64_t otherwise = 0);
// Milliseconds of an RFC 3339 time; 0 for what is none.
UnixMillis TimeOf(std::string_view text);

std::string Base64Encode(ByteView bytes);           // RFC 4648 section 4, padded
Result<Bytes> Base64Decode(std::string_view text);  // the same; white space is passed over
std::string Escape(std::string_view text);          // for a path or a query
std::string Sha256Hex(std::string_view text);

}  // namespace ote::kube
