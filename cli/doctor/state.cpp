// What the state folder holds: keys, certificate, database, room.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "cli/doctor/checks.h"
#include "cli/frame/output.h"
#include "core/base/files.h"
#include "core/base/units.h"
#include "core/store/check_store.h"
#include "core/store/watch_file.h"

namespace ote::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTooLittle = 64ULL << 20;
constexpr std::uint64_t kLittle = 512ULL << 20;

// False, with a finding, when the file is not there or others may read it.
bool CheckMode(const fs::path& file, mode_t want, FindingList& out) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) {
    out.push_back({"keys", FindingLevel::kProblem, file.string() + ": not there",
                   "without it the cluster cannot prove who it is",
                   "restore the state folder from a backup, or join again with ote cluster join --replace"});
    return false;
  }
  if ((info.st_mode & 077) == 0) return true;
  out.push_back({"keys", FindingLevel::kProblem,
                 fmt::format("{}: its mode is {:04o}", file.string(), info.st_mode & 07777),
                 "others on this machine may have read it, and the agent does not start with it",
                 fmt::format("chmod {:o} {}", want, file.string())});
  return false;
}

template <class Key>
std::string PublicText(const Result<Key>& key) {
  if (!key) return {};
  const auto& bytes = key->Public().bytes;
  return {bytes.begin(), bytes.end()};
}

std::string Text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// Whether `file`, or the one that is about to take its place, is the key whose public half is `want`.
template <class Load>
bool Matches(Load load, const fs::path& file, const fs::path& next, const std::string& want) {
  std::error_code ignored;
  for (const auto& each : {file, next}) {
    if (fs::exists(each, ignored) && PublicText(load(each)) == want) return true;
  }
  return false;
}

}  // namespace

void CheckKeys(const store::StateFolder& folder, const store::Membership& member, FindingList& out) {
  const std::size_t before = out.size();
  for (const auto& each : {folder.path, folder.path / "keys"}) CheckMode(each, 0700, out);
  std::vector<fs::path> files{folder.SignKeyFile(), folder.TransportKeyFile(), folder.ControlKeyFile()};
  if (member.role == crypto::Role::kRoot) files.push_back(folder.AuthorityKeyFile());
  for (const auto& file : files) CheckMode(file, 0600, out);
  if (out.size() > before) return;
  const auto own = member.Own();
  if (!own) return;  // CheckCertificate tells
  const auto wrong = [&](const fs::path& file, std::string_view whose) {
    out.push_back({"keys", FindingLevel::kProblem, fmt::format("{}: not the key of {}", file.string(), whose),
                   "the folder was put together from two times, or from two clusters",
                   "restore the whole folder from one backup, or join again with ote cluster join --replace"});
  };
  if (!Matches(crypto::LoadSigningKey, folder.SignKeyFile(), folder.NextSignKeyFile(), Text(own->sign_key)))
    wrong(folder.SignKeyFile(), "the certificate");
  if (!Matches(crypto::LoadTransportKey, folder.TransportKeyFile(), folder.NextTransportKeyFile(),
               Text(own->transport_key)))
    wrong(folder.TransportKeyFile(), "the certificate");
  if (member.role == crypto::Role::kRoot && !Matches(crypto::LoadSigningKey, folder.AuthorityKeyFile(),
                                                     folder.NextAuthorityKeyFile(), Text(member.authority_key)))
    wrong(folder.AuthorityKeyFile(), "the authority");
  if (out.size() == before)
    out.push_back({"keys", FindingLevel::kOk, "all there, private, and those of the certificate", "", ""});
}

void CheckCertificate(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                      FindingList& out) {
  const auto own = member.Own();
  const std::string state = folder.path.string();
  if (!own) {
    out.push_back({"certificate", FindingLevel::kProblem, own.error().message, "member.json was altered",
                   "restore it from a backup, or join again with ote cluster join --replace"});
    return;
  }
  const UnixMillis now = context.clock.WallNow();
  const auto left = own->not_after - now;
  const auto life = own->not_after - own->not_before;
  const std::string ends = Ago(own->not_after, now);
  if (left <= 0) {
    const bool grace = -left < member.settings.renew_grace_ms;
    out.push_back(
        {"certificate", FindingLevel::kProblem, fmt::format("expired {}", ends),
         grace ? "the cluster was cut off when it should have been renewed; that may still be done"
               : "the cluster was cut off for longer than it may be renewed afterwards",
         grace ? "ote cluster start --state " + state : "ote cluster join TOKEN with a new token, --state " + state});
  } else if (left < life / 4) {
    out.push_back({"certificate", FindingLevel::kWarning, fmt::format("expires {}", ends),
                   "it renews itself at two thirds of its life, and did not: the parent was not reached",
                   "ote cluster status --state " + state});
  } else {
    out.push_back({"certificate", FindingLevel::kOk, fmt::format("expires {}", ends), "", ""});
  }
}

void CheckClock(const Context& context, const store::StateFolder& folder, const store::Membership& member,
                FindingList& out) {
  const UnixMillis now = context.clock.WallNow();
  const auto own = member.Own();
  const std::string todo = "timedatectl set-ntp true, or date -s";
  if (own && now < own->not_before) {
    out.push_back({"clock", FindingLevel::kProblem,
                   fmt::format("shows {}, before the certificate was issued", FormatTime(now)),
                   "what is valid counts as not valid yet", todo});
    return;
  }
  struct stat info {};
  if (::stat(folder.Database().c_str(), &info) == 0) {
    const UnixMillis written = static_cast<UnixMillis>(info.st_mtim.tv_sec) * 1000;
    if (written > now + 60'000) {
      out.push_back({"clock", FindingLevel::kWarning,
                     fmt::format("shows {}, before the state was last written", FormatTime(now)), "it went back since",
                     todo});
      return;
    }
  }
  out.push_back({"clock", FindingLevel::kOk, fmt::format("shows {}", FormatTime(now)), "", ""});
}

void CheckDisk(const store::StateFolder& folder, FindingList& out) {
  if (::access(folder.path.c_str(), R_OK | W_OK | X_OK) != 0) {
    out.push_back({"disk", FindingLevel::kProblem, folder.path.string() + ": may not be written by this user",
                   "the agent keeps all that it promises there", "run as the user that owns it, or chown it"});
    return;
  }
  const auto free = FreeSpace(folder.path);
  if (!free) {
    out.push_back({"disk", FindingLevel::kProblem, free.error().message, "", "look at the file system: df, dmesg"});
    return;
  }
  // Room alone does not say so: a file system may have gone read-only.
  const fs::path probe = folder.path / ".doctor";
  const auto written = WriteFileAtomic(probe, AsBytes(std::string_view("ote doctor\n")), 0600);
  std::error_code ignored;
  fs::remove(probe, ignored);
  const std::string room = FormatSize(*free) + " free";
  if (!written) {
    out.push_back({"disk", FindingLevel::kProblem, "the state folder cannot be written: " + room,
                   written.error().message, "free some space on " + folder.path.string() + ", or move the folder"});
  } else if (*free < kLittle) {
    out.push_back({"disk", *free < kTooLittle ? FindingLevel::kProblem : FindingLevel::kWarning, room,
                   "models and updates do not fit there before long",
                   "free some space on " + folder.path.string() + ", or move the folder"});
  } else {
    out.push_back({"disk", FindingLevel::kOk, room, "", ""});
  }
}

void CheckDatabase(const store::StateFolder& folder, FindingList& out) {
  std::error_code ignored;
  if (!fs::exists(folder.Database(), ignored)) {
    out.push_back({"store", FindingLevel::kOk, "none yet: the agent makes it when it starts", "", ""});
    return;
  }
  if (const auto whole = store::CheckStore(folder.Database()); !whole) {
    out.push_back({"store", FindingLevel::kProblem, "the database is damaged or cannot be read", whole.error().message,
                   "stop the agent, and restore the folder from a backup"});
    return;
  }
  out.push_back({"store", FindingLevel::kOk, "the database is whole", "", ""});
}

void CheckSpool(const store::StateFolder& folder, FindingList& out) {
  const auto watch = store::LoadWatch(folder);
  if (!watch) {
    out.push_back({"logs", FindingLevel::kProblem, watch.error().message, "the agent does not start with it",
                   watch.error().hint});
    return;
  }
  if (watch->ship.url.empty()) return;
  std::uint64_t bytes = 0;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(store::SpoolFolder(folder), failed)) {
    if (entry.path().extension() == ".jsonl") bytes += entry.file_size(failed);
  }
  out.push_back({"logs", FindingLevel::kOk,
                 fmt::format("{} wait for {} until the agent runs", FormatSize(bytes), watch->ship.url), "", ""});
}

}  // namespace ote::cli
