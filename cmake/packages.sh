# Installs what is missing of packages.txt. Sourced by quickstart and test/run; all output goes to standard error.
# shellcheck shell=bash

# packages_of FILE SECTION... : the packages of these sections, one a line.
packages_of() {
  local file=$1 section
  shift
  for section in "$@"; do
    sed -n "s/^$section: *\([^ ]*\).*/\1/p" "$file"
  done
}

# missing_packages NAME... : those that are not installed, one a line.
missing_packages() {
  local name
  for name in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# need_packages FILE SECTION... : installs what is missing; touches neither apt nor the network when nothing is.
need_packages() {
  local names missing as_root=()
  mapfile -t names < <(packages_of "$@")
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "error: this is not a Debian-like system: install the counterparts of these packages by hand: ${names[*]}" >&2
    return 1
  fi
  mapfile -t missing < <(missing_packages "${names[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "error: packages are missing, and this is neither root nor a machine with sudo" >&2
      echo "hint: as root: apt-get update && apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "installing ${#missing[@]} packages: ${missing[*]}" >&2
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  "${as_root[@]}" update >&2 </dev/null || echo "warning: the package lists could not be refreshed" >&2
  "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null && return 0
  echo "error: not all packages could be installed: ${missing[*]}" >&2
  return 1
}

# build_jobs: as many compilers as there are cores, and one for each GiB of memory that is free.
build_jobs() {
  local cores gib
  cores=$(nproc)
  gib=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null)
  if [ -n "$gib" ] && [ "$gib" -lt "$cores" ]; then
    cores=$((gib > 0 ? gib : 1))
  fi
  echo "$cores"
}
