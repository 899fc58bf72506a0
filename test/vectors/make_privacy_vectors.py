#!/usr/bin/env python3
"""Makes privacy.json: what noise costs, by Google's dp-accounting (pip install dp-accounting), which shares no code
with ote. Beside the Rényi accountant's ε stands that of its PLD accountant, which follows the whole distribution of the
loss and not its moments: the truth to within its grid, and so a lower bound for every sound accountant.
"""
import json
import pathlib

import dp_accounting
from dp_accounting import pld, rdp

HERE = pathlib.Path(__file__).resolve().parent
ORDERS = [float(a) for a in range(2, 65)] + [72.0, 80, 96, 112, 128, 160, 192, 256, 320, 384, 512, 768, 1024]


def event(fraction, noise, rounds):
    one = dp_accounting.GaussianDpEvent(noise)
    if fraction < 1:
        one = dp_accounting.PoissonSampledDpEvent(fraction, one)
    return dp_accounting.SelfComposedDpEvent(one, rounds)


def case(fraction, noise, rounds, delta):
    what = event(fraction, noise, rounds)
    renyi = rdp.RdpAccountant(ORDERS)
    renyi.compose(what)
    tight = pld.PLDAccountant()
    tight.compose(what)
    return {
        "fraction": fraction, "noise": noise, "rounds": rounds, "delta": delta,
        "renyi": renyi.get_epsilon(delta), "pld": tight.get_epsilon(delta),
        "orders": [2, 3, 8, 32], "costs": [float(dict(zip(ORDERS, renyi._rdp))[a]) for a in (2.0, 3.0, 8.0, 32.0)],
    }


CASES = [
    (1, 1.0, 1, 1e-5), (1, 1.0, 10, 1e-5), (1, 4.0, 1, 1e-5), (1, 4.0, 100, 1e-6), (1, 0.5, 3, 1e-5), (1, 20.0, 50, 1e-7),
    (0.01, 4.0, 10000, 1e-5), (0.01, 1.1, 1000, 1e-5), (0.1, 1.0, 100, 1e-5), (0.5, 2.0, 20, 1e-5), (0.3, 0.8, 5, 1e-4),
    (256 / 60000, 1.3, 3516, 1e-5), (256 / 60000, 1.1, 14063, 1e-5), (256 / 60000, 0.7, 10547, 1e-5), (0.001, 2.0, 100000, 1e-6),
]
(HERE / "privacy.json").write_text(json.dumps({"cases": [case(*c) for c in CASES]}, indent=1) + "\n")
