#!/usr/bin/env python3
"""Opens a bundle by what ote-bundle(5) and ote-protocol(7) say, sharing no code with ote, and prints what is in it.

usage: open_bundle.py FILE [TRANSPORT.KEY]
"""
import base64
import hashlib
import json
import sys

import cbor2
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.path.insert(0, sys.argv[0].rsplit("/", 2)[0] + "/vectors")
from make_sealed_vectors import CHUNK, HEADER, MAGIC, TAG, agree, digest, hchacha20, stream_key

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def exactly(what, found, wanted):
    if found != wanted:
        sys.exit("open_bundle: %s: %r, and not %r" % (what, found, wanted))


def secret_of(path):
    with open(path) as file:
        kind, text = file.read().split()
    exactly("the kind of key", kind, "ote-transport-key-v1")
    return base64.urlsafe_b64decode(text + "=")


def unsealed(content, secret, receiver, use):
    own = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    exactly("the receiver", receiver, own)
    exactly("the magic of the stream", content[:8], MAGIC)
    sender, prefix = content[8:40], content[40:HEADER]
    cipher = ChaCha20Poly1305(hchacha20(stream_key(agree(secret, sender), sender, own, use), prefix))
    out, rest, number = b"", content[HEADER:], 0
    while True:
        chunk, rest = rest[: CHUNK + TAG], rest[CHUNK + TAG :]
        nonce = bytes(4) + number.to_bytes(7, "little") + bytes([not rest])
        out += cipher.decrypt(nonce, chunk, None)
        number += 1
        if not rest:
            return out


def main():
    with open(sys.argv[1], "rb") as file:
        whole = file.read()
    exactly("the magic", whole[:8], b"OTEBNDL1")
    end = 12 + int.from_bytes(whole[8:12], "little")
    signed, content = cbor2.loads(whole[12:end]), whole[end:]
    header = cbor2.loads(signed["body"])
    Ed25519PublicKey.from_public_bytes(header["signKey"]).verify(signed["signature"], b"ote-bundle-v1\0" + signed["body"])
    pieces = [content[i : i + (1 << 20)] for i in range(0, len(content), 1 << 20)]
    exactly("the digests of the content", b"".join(map(digest, pieces)), header["chunks"])
    if header.get("receiverKey"):
        use = b"ote-bundle-v1/" + header["kind"].encode()
        content = unsealed(content, secret_of(sys.argv[2]), header["receiverKey"], use)
    exactly("the packed size", len(content), header["packedSize"])
    plain = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj().decompress(content)
    exactly("the plain size", len(plain), header["plainSize"])
    end = 4 + int.from_bytes(plain[:4], "little")
    exactly("the digest of the manifest", "blake2b:" + digest(plain[4:end]).hex(), header["manifest"])
    manifest, rest = cbor2.loads(plain[4:end]), plain[end:]
    for item in manifest["items"]:
        exactly("the digest of an artifact", "blake2b:" + digest(rest[: item["size"]]).hex(), item["digest"])
        rest = rest[item["size"] :]
    exactly("bytes behind the last artifact", len(rest), 0)
    json.dump({"kind": header["kind"], "issuer": header["issuer"], "receiver": header.get("receiver", ""),
               "digest": "blake2b:" + digest(signed["body"]).hex(), "body": sorted(manifest["body"]),
               "items": [item["digest"] for item in manifest["items"]]}, sys.stdout)


if __name__ == "__main__":
    main()
