#include "core/wire/envelope.h"

#include <algorithm>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace ote::wire {
namespace {

constexpr std::size_t kMaxErrorText = 4096;

tl::unexpected<Error> Bad(std::string_view why) {
  return Fail(ErrorId::kProtocol, "message header: " + std::string(why));
}

bool IsVerb(std::string_view text) {
  return !text.empty() && text.size() <= kMaxVerb && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

std::string Cut(std::string text) {
  if (text.size() > kMaxErrorText) {
    std::size_t end = kMaxErrorText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a UTF-8 character
    text.resize(end);
  }
  return text;
}

Result<void> CheckVersion(const Json& map) {
  const auto version = map.find("v");
  if (version == map.end() || !version->is_number_integer()) return Bad("no version");
  if (*version != kEnvelopeVersion) {
    return Fail(ErrorId::kVersionMismatch,
                "message header: version " + version->dump() + ", this ote speaks " + std::to_string(kEnvelopeVersion));
  }
  return {};
}

Result<void> ReadIdentity(const Json& map, Envelope& out) {
  const auto kind = map.find("k");
  if (kind == map.end() || !kind->is_string()) return Bad("no kind");
  const auto known = EnumOf<MessageKind>(kind->get_ref<const std::string&>());
  if (!known) return Bad("a kind that is not known");
  out.kind = *known;
  const auto id = map.find("id");
  if (id == map.end() || !id->is_number_unsigned()) return Bad("no id");
  out.id = id->get<std::uint64_t>();
  const auto verb = map.find("verb");
  if (verb == map.end() || !verb->is_string() || !IsVerb(verb->get_ref<const std::string&>())) return Bad("no verb");
  out.verb = verb->get<std::string>();
  return {};
}

Result<void> ReadName(const Json& map, const char* key, std::string& out) {
  const auto name = map.find(key);
  if (name == map.end()) return {};
  if (!name->is_string()) return Bad("a name that is not text");
  out = name->get<std::string>();
  if (!CheckName("cluster", out)) return Bad("a name that nobody can have");
  return {};
}

}  // namespace

Bytes EncodeHeader(const Envelope& envelope) {
  Json map = Json::object();
  map["v"] = kEnvelopeVersion;
  map["k"] = NameOf(envelope.kind);
  map["id"] = envelope.id;
  map["verb"] = envelope.verb;
  map["body"] = envelope.body;
  map["last"] = envelope.last;
  if (!envelope.to.empty()) map["to"] = envelope.to;
  if (!envelope.from.empty()) map["from"] = envelope.from;
  return DumpCbor(map);
}

Result<Envelope> DecodeHeader(ByteView header) {
  if (header.size() > kMaxHeader) return Bad("larger than " + FormatSize(kMaxHeader));
  auto parsed = ParseCbor(header);
  if (!parsed) return Bad(parsed.error().message);
  Json& map = *parsed;
  if (!map.is_object()) return Bad("not a map");
  OTE_CHECK(CheckVersion(map));
  Envelope out;
  OTE_CHECK(ReadIdentity(map, out));
  if (const auto body = map.find("body"); body != map.end()) {
    if (!body->is_object()) return Bad("a body that is not a map");
    out.body = std::move(*body);
  }
  if (const auto last = map.find("last"); last != map.end()) {
    if (!last->is_boolean()) return Bad("last is neither true nor false");
    out.last = last->get<bool>();
  }
  OTE_CHECK(ReadName(map, "to", out.to));
  OTE_CHECK(ReadName(map, "from", out.from));
  return out;
}

Result<Bytes> EncodeForSending(const Envelope& envelope) {
  if (envelope.blob.size() > kMaxChunk) {
    return Fail(ErrorId::kProtocol, "send " + envelope.verb + ": a blob of " + FormatSize(envelope.blob.size()) +
                                        ", the limit is " + FormatSize(kMaxChunk));
  }
  Bytes header = EncodeHeader(envelope);
  if (header.size() > kMaxHeader) {
    return Fail(ErrorId::kProtocol, "send " + envelope.verb + ": a message of " + FormatSize(header.size()) +
                                        ", the limit is " + FormatSize(kMaxHeader));
  }
  return header;
}

Envelope MakeRequest(std::uint64_t id, std::string_view verb, Json body, Blob blob) {
  return {MessageKind::kRequest, id, std::string(verb), std::move(body), std::move(blob), true, {}, {}};
}

Envelope MakeReply(const Envelope& request, Json body, Blob blob, bool last) {
  return {MessageKind::kReply, request.id, request.verb, std::move(body), std::move(blob), last, {}, {}};
}

Envelope MakeError(const Envelope& request, const Error& error) {
  Json body = Json::object();
  body["code"] = static_cast<std::uint16_t>(error.id);
  body["message"] = Cut(error.message);
  body["hint"] = Cut(error.hint);
  return {MessageKind::kError, request.id, request.verb, std::move(body), {}, true, {}, {}};
}

Error ErrorOf(const Envelope& envelope) {
  const auto text = [&envelope](const char* key) {
    const auto it = envelope.body.find(key);
    return it != envelope.body.end() && it->is_string() ? Cut(it->get<std::string>()) : std::string();
  };
  Error error{ErrorId::kFailed, text("message"), text("hint")};
  if (error.message.empty()) error.message = "the other side failed and did not say why";
  const auto code = envelope.body.find("code");
  if (code != envelope.body.end() && code->is_number_unsigned()) {
    const auto number = code->get<std::uint64_t>();
    const auto [rows, count] = AllErrors();
    for (std::size_t i = 0; i < count; ++i) {
      if (static_cast<std::uint64_t>(rows[i].id) == number) error.id = rows[i].id;
    }
  }
  return error;
}

}  // namespace ote::wire
