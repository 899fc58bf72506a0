# What the checks look at. Sourced in the root of the repository.
# shellcheck shell=bash

# source_files PATTERN... : the files that git tracks, or all in a copy without git, whose path fits one of the shell
# patterns (* fits / too), one a line.
source_files() {
  local file pattern
  { git ls-files 2>/dev/null || find . -path ./build -prune -o -type f -printf '%P\n'; } | while IFS= read -r file; do
    [ -f "$file" ] || continue
    for pattern in "$@"; do
      # The pattern is meant as one.
      # shellcheck disable=SC2053
      if [[ $file == $pattern ]]; then
        echo "$file"
        break
      fi
    done
  done
}
