// Folders and disks for the tests of the store.
#pragma once

#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <string>

#include "core/base/ids.h"

namespace ote::test {

// A folder that is gone at the end of the test.
struct Scratch {
  Scratch() { std::filesystem::create_directories(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::filesystem::remove_all(path); }
  std::filesystem::path path = std::filesystem::temp_directory_path() / NewId("ote-store-test");
};

// A small file system of its own on a folder, where this process may mount one: in a mount namespace that nothing else
// on the machine sees.
struct SmallDisk {
  SmallDisk(const std::filesystem::path& folder, const char* options)
      : at(folder.string()),
        mounted(::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                ::mount("tmpfs", at.c_str(), "tmpfs", 0, options) == 0) {}
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted) ::umount2(at.c_str(), MNT_DETACH);
  }
  bool MakeReadOnly() const { return ::mount("tmpfs", at.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0; }
  std::string at;
  bool mounted;
};

}  // namespace ote::test
