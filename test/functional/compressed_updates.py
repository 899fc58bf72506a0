"""Makes the compressed updates of a run again with numpy, and compares them byte by byte with those that the root kept.

usage: compressed_updates.py RUN.json ENTRIES.json ARTIFACTS
RUN.json is what `ote fl show -o json` says of a run whose sites all trained with this script's Train, and whose record
keeps updates; ENTRIES.json what `ote fl verify -o json` says; ARTIFACTS the root's folder of them. As a trainer of a
site's own (no arguments) it changes each value by a draw of numpy's from the task's seed. Everything else is written
from ote-protocol(7) alone.
"""
import hashlib
import json
import math
import os
import struct
import sys

import numpy as np

WORD = (1 << 64) - 1


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def xoshiro(seed):
    state = [mix((seed + i * 0x9E3779B97F4A7C15) & WORD) for i in range(4)]
    rotated = lambda x, k: ((x << k) | (x >> (64 - k))) & WORD
    while True:
        yield (rotated((state[1] * 5) & WORD, 7) * 9) & WORD
        t = (state[1] << 17) & WORD
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= t
        state[3] = rotated(state[3], 45)


def quantized(vector, bits, random):
    """The bytes, and the values that they stand for."""
    levels = 127 if bits == 8 else 7
    out, values = b"", []
    for begin in range(0, len(vector), 256):
        block = vector[begin:begin + 256]
        scale = np.abs(block).max()
        codes = np.zeros(len(block), np.int64)
        if scale > 0:
            draws = []
            while len(draws) < len(block):
                number = next(random)
                draws += [number & 0xFFFFFFFF, number >> 32]
            parts = np.array(draws[:len(block)], np.float64) / 2**32
            codes = np.floor(block.astype(np.float64) * levels / np.float64(scale) + parts).astype(np.int64)
        out += np.float32(scale).tobytes()
        if bits == 8:
            out += codes.astype(np.int8).tobytes()
        else:
            halves = np.append(codes & 15, 0)[:len(codes) + len(codes) % 2].reshape(-1, 2)
            out += (halves[:, 0] | halves[:, 1] << 4).astype(np.uint8).tobytes()
        values.append((codes * (np.float64(scale) / levels)).astype(np.float32))
    return out, np.concatenate(values)


def sparse(vector, fraction):
    n = len(vector)
    k = max(1, math.ceil(fraction * n))
    places = np.sort(np.argsort(-np.abs(vector), kind="stable")[:k])
    low = int(math.log2(n // k))
    high_bits = np.zeros(k + ((n - 1) >> low) + 1, np.uint8)
    high_bits[(places >> low) + np.arange(k)] = 1
    low_bits = (places[:, None] >> np.arange(low)) & 1
    packed = [np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes() for bits in (high_bits, low_bits)]
    values = np.zeros_like(vector)
    values[places] = vector[places]
    return vector[places].astype("<f4").tobytes() + b"".join(packed), values, k


class Site:
    def __init__(self, compression, seed, name):
        self.compression, self.seed, self.name, self.residual = compression, seed, name, np.float32(0)

    def task_seed(self, number):
        text = b"ote-site-seed-v1" + struct.pack("<QQ", self.seed, number) + self.name.encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=32).digest()[:8], "little")

    def update(self, number, given):
        seed = self.task_seed(number)
        change = trained(given, seed) - given
        header = lambda *fields: b"OTEUPD1\0" + struct.pack("<QQQQ", *fields)
        if self.compression["kind"] == "quantize":
            bits = self.compression["bits"]
            body, _values = quantized(change, bits, xoshiro(mix(mix(seed) ^ 0xC0DE)))
            return header(1, bits, len(change), 1) + body
        wanted = change + self.residual
        body, values, kept = sparse(wanted, self.compression["fraction"])
        self.residual = wanted - values
        return header(2, kept, len(change), 1) + body


def trained(given, seed):
    return given + np.random.default_rng(seed).standard_normal(len(given), np.float32) * np.float32(0.01)


def read_model(data):
    (length,) = struct.unpack("<Q", data[:8])
    return data[:8 + length], np.frombuffer(data[8 + length:], "<f4").copy()


def train():
    with open(os.environ["OTE_TASK"], encoding="utf-8") as file:
        seed = json.load(file)["seed"]
    with open(os.environ["OTE_MODEL"], "rb") as file:
        header, given = read_model(file.read())
    with open(os.path.join(os.environ["OTE_OUTPUT"], "update.safetensors"), "wb") as file:
        file.write(header + trained(given, int(seed)).tobytes())
    with open(os.path.join(os.environ["OTE_OUTPUT"], "metrics.json"), "w", encoding="utf-8") as file:
        json.dump({"loss": 1.0, "steps": 1}, file)


def check(run_file, entries_file, artifacts):
    with open(run_file, encoding="utf-8") as file:
        run = json.load(file)
    with open(entries_file, encoding="utf-8") as file:
        models = [entry["model"] for entry in json.load(file)["entries"]]
    def artifact(digest):
        digest = digest.split(":")[-1]
        with open(os.path.join(artifacts, digest[:2], digest[2:]), "rb") as file:
            return file.read()
    compression, sites, compared = run["spec"]["compression"], {}, 0
    for number, about in enumerate(run["rounds"], 1):
        _header, given = read_model(artifact(models[number - 1]))
        for told in about["sites"]:
            site = sites.setdefault(told["name"], Site(compression, run["spec"]["seed"], told["name"]))
            ours, theirs = site.update(number, given), artifact(told["digest"])
            assert ours == theirs, f"round {number}, {told['name']}: {len(ours)} bytes, and {len(theirs)} were sent"
            assert told["bytesUp"] == len(ours)
            compared += 1
    print(compared, "updates are the same")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        train()
    else:
        check(*sys.argv[1:])
