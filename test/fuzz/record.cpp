// fuzz-link: ote_record
//
// Records of runs: the file as it comes; then its entries, chained and signed anew by a root, so that what they say is
// looked at too, with the file itself for whatever they would be made again from.
#include "core/record/audit.h"
#include "core/record/chain.h"

namespace {

using namespace ote;

struct Root {
  crypto::SigningKey authority = *crypto::SigningKey::FromSeed(Bytes(32, 1));
  crypto::SigningKey key = *crypto::SigningKey::FromSeed(Bytes(32, 2));
  crypto::Certificate certificate;

  Root() {
    crypto::CertificateBody body;
    body.serial = BigId{2};
    body.name = "hq";
    body.role = crypto::Role::kRoot;
    body.sign_key.assign(key.Public().bytes.begin(), key.Public().bytes.end());
    body.transport_key = Bytes(32, 2);
    body.not_before = 1;
    body.not_after = 2'000'000'000'000;
    certificate = crypto::IssueCertificate(authority, body);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Root root;
  static const auto pin = crypto::FingerprintOf(root.authority.Public());
  const ByteView input(data, size);
  const auto audit = record::AuditFile(input, pin, nullptr);
  if (!audit) __builtin_trap();  // there is no line that could fail
  if (audit->holds != !audit->broken.has_value()) __builtin_trap();

  auto reader = record::FileReader::Open(input);
  if (!reader) return 0;
  static const Bytes authority(root.authority.Public().bytes.begin(), root.authority.Public().bytes.end());
  static const std::vector<crypto::Succession> none;
  const record::Signer signer{root.key, root.certificate, authority, none};
  record::Head head;
  Bytes file(record::kMagic.begin(), record::kMagic.end());
  while (!reader->AtEnd()) {
    const auto bytes = reader->Next();
    if (!bytes) break;
    const auto frame = record::ReadFrame(*bytes);
    if (!frame) __builtin_trap();
    const auto body = FromCbor<record::EntryBody>(frame->body);
    if (!body) continue;
    if (head.entries == 0) head.run = body->run;
    const Bytes again = record::Append(head, body->entry, signer);
    file.insert(file.end(), again.begin(), again.end());
  }
  const Bytes seal = record::Seal(head, signer);
  file.insert(file.end(), seal.begin(), seal.end());
  const federate::ArtifactReader read = [input](const std::string&) -> Result<Bytes> {
    return Bytes(input.begin(), input.end());
  };
  (void)record::AuditFile(file, pin, &read);
  return 0;
}
