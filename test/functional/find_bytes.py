#!/usr/bin/env python3
"""Looks for bytes where they should not be.

find_bytes.py slices HAYSTACK FILE...   how many slices of the files, 16 bytes each, are in the haystack
find_bytes.py words HAYSTACK WORD...    which of the words are in it
find_bytes.py keys HAYSTACK KEYFILE...  which of these key files' secrets are in it, as bytes or as text
find_bytes.py memory PID KEYFILE        how often the secret of a key file is in the memory of a process, as bytes and as
                                        the text of the file
"""
import base64
import re
import sys
from pathlib import Path

SLICE, EVERY = 16, 52


def slices_of(content):
    """Those that are not likely to be anywhere by chance."""
    for at in range(0, len(content) - SLICE + 1, EVERY):
        piece = content[at : at + SLICE]
        if len(set(piece)) >= 10:
            yield piece


def slices(haystack, *files):
    haystack = Path(haystack).read_bytes()
    looked = found = 0
    for name in files:
        for piece in slices_of(Path(name).read_bytes()):
            looked += 1
            found += piece in haystack
    print(f"{looked} looked for, {found} found")


def words(haystack, *wanted):
    haystack = Path(haystack).read_bytes()
    print(" ".join(word for word in wanted if word.encode() in haystack))


def patterns_of(keyfile):
    text = Path(keyfile).read_bytes().split()[1]
    # The ends may be clamped in memory.
    return [base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))[1:31], text[:40]]


def keys(haystack, *keyfiles):
    haystack = Path(haystack).read_bytes()
    print(" ".join(key for key in keyfiles if any(pattern in haystack for pattern in patterns_of(key))))


def memory(pid, keyfile):
    patterns = patterns_of(keyfile)
    found = [0, 0]
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            begin, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....)", line).groups()
            if "r" not in rights or "[v" in line:
                continue
            begin, end = int(begin, 16), int(end, 16)
            mem.seek(begin)
            content = b""
            while len(content) < end - begin:
                try:
                    more = mem.read(end - begin - len(content))
                except OSError:
                    break  # a page that cannot be read
                if not more:
                    break
                content += more
            for i, pattern in enumerate(patterns):
                found[i] += content.count(pattern)
    print(found[0], found[1])


if __name__ == "__main__":
    {"slices": slices, "words": words, "keys": keys, "memory": memory}[sys.argv[1]](*sys.argv[2:])
