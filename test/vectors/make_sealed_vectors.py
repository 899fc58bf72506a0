#!/usr/bin/env python3
"""Makes sealed.json: sealed streams, what opens them and what must be refused, by an implementation that shares no code
with ote: hashlib for BLAKE2b, the `cryptography` package for X25519 and ChaCha20-Poly1305, and HChaCha20 written here
after draft-irtf-cfrg-xchacha-03, section 2.2.

Run it only when the format changes on purpose.
"""
import hashlib
import json
import pathlib
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).resolve().parent
MAGIC = b"OTESEAL1"
CHUNK, TAG, HEADER = 64 << 10, 16, 56


def digest(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def derive(secret, use):
    return hashlib.blake2b(secret, digest_size=32, person=use).digest()


def rotate(value, by):
    value &= 0xFFFFFFFF
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF


def hchacha20(key, nonce):
    s = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def quarter(a, b, c, d):
        for x, y, z, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] = rotate(s[z] ^ s[x], by)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *s[:4], *s[12:])


def public_of(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def agree(secret, public):
    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))


def stream_key(shared, sender, receiver, context):
    return derive(shared + sender + receiver + digest(context), b"ote-seal-v1")


def chunks_of(key, prefix, plain, numbers=None, lasts=None):
    cipher = ChaCha20Poly1305(hchacha20(key, prefix))
    parts = [plain[i : i + CHUNK] for i in range(0, len(plain), CHUNK)] or [b""]
    out = b""
    for i, part in enumerate(parts):
        number = numbers[i] if numbers else i
        last = lasts[i] if lasts else i == len(parts) - 1
        out += cipher.encrypt(bytes(4) + number.to_bytes(7, "little") + bytes([last]), part, None)
    return out


def sealed_with(secret, receiver, context, plain, **odd):
    """As a sender does whose seals are repeatable: `secret` is its own, `plain` is bound by its digest."""
    seed = stream_key(secret, digest(plain), receiver, context)
    ephemeral, prefix = derive(seed, b"ote-seal-sender"), derive(seed, b"ote-seal-prefix")[:16]
    sender = public_of(ephemeral)
    key = stream_key(agree(ephemeral, receiver), sender, receiver, context)
    return MAGIC + sender + prefix + chunks_of(key, prefix, plain, **odd)


def text(size):
    return bytes((7 * i + i // 251) % 256 for i in range(size))


RECEIVER, OTHER, SECRET = bytes(range(1, 33)), bytes(range(50, 82)), bytes(range(100, 132))
CONTEXT = b"ote-test-v1 of a vector"
# Of small order, or not a number below p that is: RFC 7748 section 7, and what may be added to p.
SMALL = [bytes(32), b"\1" + bytes(31),
         bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
         bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
         bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
         bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
         bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]


def main():
    public = public_of(RECEIVER)
    good = []
    for size in (0, 1, 15, 16, 17, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5):
        stream = sealed_with(SECRET, public, CONTEXT, text(size))
        good.append({"size": size, "length": len(stream), "header": stream[:HEADER].hex(), "digest": digest(stream).hex(),
                     "streamKey": stream_key(agree(RECEIVER, stream[8:40]), stream[8:40], public, CONTEXT).hex()})

    bad = []

    def case(what, stream, receiver=RECEIVER, context=CONTEXT):
        bad.append({"what": what, "receiver": receiver.hex(), "context": context.hex(), "sealed": stream.hex()})

    def pieces(what, of, *ranges):
        """Parts of the good stream of size `of`, as the test makes it, one behind the other."""
        bad.append({"what": what, "of": of, "parts": [list(r) for r in ranges]})

    one = sealed_with(SECRET, public, CONTEXT, text(17))
    case("nothing", b"")
    case("half a header", one[: HEADER // 2])
    case("a header alone", one[:HEADER])
    case("a header and half a tag", one[: HEADER + TAG // 2])
    case("the last byte missing", one[:-1])
    case("a byte behind the end", one + b"\0")
    case("another magic", b"OTESEAL2" + one[8:])
    case("to another receiver", one, receiver=OTHER)
    case("for another use", one, context=CONTEXT + b"!")
    case("for a use that is a beginning of it", one, context=CONTEXT[:-1])
    case("another prefix", one[:40] + bytes(16) + one[56:])
    case("a tag of zeros", one[:-TAG] + bytes(TAG))
    case("the first chunk numbered 1", sealed_with(SECRET, public, CONTEXT, text(17), numbers=[1]))
    case("an only chunk that is not the last", sealed_with(SECRET, public, CONTEXT, text(17), lasts=[False]))
    for i, point in enumerate(SMALL):
        case("from a sender whose key is of small order, %d" % i, MAGIC + point + one[40:])

    two, full = 2 * CHUNK, CHUNK + TAG
    head, first, second = (0, HEADER), (HEADER, HEADER + full), (HEADER + full, HEADER + 2 * full)
    pieces("cut at the end of a chunk", two, head, first)
    pieces("the first chunk left out", two, head, second)
    pieces("chunks swapped", two, head, second, first)
    pieces("a chunk repeated", two, head, first, first)
    pieces("the last chunk repeated", two, head, first, second, second)
    pieces("more chunks than declared by the last", two, head, first, second, first)
    (HERE / "sealed.json").write_text(json.dumps({
        "receiver": RECEIVER.hex(), "secret": SECRET.hex(), "context": CONTEXT.hex(), "small": [p.hex() for p in SMALL],
        "good": good, "bad": bad, "class": "kSealBroken"}, indent=1) + "\n")


if __name__ == "__main__":
    main()
