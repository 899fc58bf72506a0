#!/usr/bin/env python3
"""Writes all that goes over the loopback device to OUT until it is told to stop (SIGTERM): capture_loopback.py OUT.

Says "ready" on standard output when it listens, and in the end how many packets came and how many were lost.
"""
import signal
import socket
import struct
import sys

ALL = 3  # ETH_P_ALL
BUFFER = 64 << 20
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 6, 33


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def main():
    out = open(sys.argv[1], "wb")
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    link.bind(("lo", 0))
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    try:
        while True:
            out.write(link.recv(1 << 17))
    except Stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    link.settimeout(0.2)
    try:
        while True:
            out.write(link.recv(1 << 17))
    except TimeoutError:
        pass
    packets, lost = struct.unpack("II", link.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    out.close()
    print(f"{packets} packets, {lost} lost", flush=True)


if __name__ == "__main__":
    main()
