#!/usr/bin/env python3
"""The digits as if they were a diagnosis, so that names and classes are words that can be looked for."""
import csv
import sys

with open(sys.argv[1], newline="") as digits, open(sys.argv[2], "w", newline="") as out:
    rows = csv.reader(digits)
    writer = csv.writer(out)
    writer.writerow(next(rows)[:-1] + ["diagnosis"])
    for row in rows:
        writer.writerow(row[:-1] + [f"stage_of_disease_{row[-1]}"])
