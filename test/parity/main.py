"""The whole comparison, or the cases that are named: see test/parity/run."""

import argparse
import dataclasses
import os
import sys
import time

import digits
import results
import skew
import tabular
from federation import Failed, Federation

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.dirname(os.path.dirname(HERE))


def known():
    return [*(case.id for case in tabular.CASES), "mnist8k-cnn", "digits-skew"]


def compare_tables(wanted, options):
    cases = [case for case in tabular.CASES if case.id in wanted]
    if not cases:
        return []
    if options.splits:
        cases = [dataclasses.replace(case, splits=min(case.splits, options.splits), repeats=1) for case in cases]
    sets = tabular.load(options.data, {case.data for case in cases})
    outcomes = []
    with Federation(options.programs, sorted({site for rows in sets.values() for site in rows.sites})) as federation:
        for case in cases:
            begin = time.monotonic()
            for outcome in tabular.compare(case, sets[case.data], federation):
                say(f"{case.id}: {outcome}")
                outcomes.append(outcome)
            say(f"{case.id}: {time.monotonic() - begin:.0f} s")
    return outcomes


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="test/parity/run")
    parser.add_argument("--programs", required=True, help="the folder of ote and ote-agent")
    parser.add_argument("--data", default=os.environ.get("OTE_SHARED_DATA", os.path.join(SOURCES, "../shared/data")))
    parser.add_argument("--save", metavar="FILE", help="write the results there, as Markdown, when all cases are run")
    parser.add_argument("--splits", type=int, metavar="N", help="hold out N fifths of a table at most")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(known()))
    options = parser.parse_args()
    wanted = options.cases or known()
    if unknown := set(wanted) - set(known()):
        parser.error(f"no case is called {', '.join(sorted(unknown))}; there are {', '.join(known())}")
    if not os.path.isdir(options.data):
        parser.error(f"{options.data}: is not there; --data or OTE_SHARED_DATA names the folder of the data sets")

    parts, reached = {}, []
    outcomes = compare_tables(wanted, options)
    parts["TABLES"] = results.of_tables(outcomes)
    reached += [outcome.reached for outcome in outcomes]
    if "mnist8k-cnn" in wanted:
        found = digits.compare(options.data, options.programs)
        parts["DIGITS"] = results.of_digits(found)
        reached.append(found[0] >= digits.FLOOR)
    if "digits-skew" in wanted:
        found = skew.compare(os.path.join(SOURCES, "templates/samples/digits.csv"), options.programs)
        parts["SKEW"] = results.of_skew(found)
        reached.append(results.skew_reached(found))
    for part in parts.values():
        print(part)
    if options.save and not options.cases and not options.splits:
        with open(os.path.join(HERE, "RESULTS.md.in"), encoding="utf-8") as file:
            text = file.read()
        for name, part in {**parts, "MACHINE": results.machine(options.programs)}.items():
            text = text.replace(f"@{name}@", part.rstrip("\n"))
        with open(options.save, "w", encoding="utf-8") as file:
            file.write(text)
    return 0 if all(reached) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        sys.exit(f"error: {failure}")
