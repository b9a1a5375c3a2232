#!/usr/bin/env python3
"""Prints the targets of the Makefile with their explanations.

A target is explained by the text after `##` on its line; so the help cannot know a target that
does not exist, and a target without an explanation is an error here.
"""

import os
import re
import sys

TARGET = re.compile(r"^([a-z][a-z-]*):(?:[^#=]*)##\s*(.+)$")
PHONY = re.compile(r"^\.PHONY:\s*(\S+)")


def main() -> int:
    explained, declared = [], []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as makefile:
            for line in makefile:
                if found := TARGET.match(line):
                    explained.append((found[1], found[2].strip()))
                elif found := PHONY.match(line):
                    declared.append(found[1])
    missing = set(declared) - {name for name, _ in explained}
    if missing:
        print(f"Makefile: no explanation (## ...) for: {', '.join(sorted(missing))}", file=sys.stderr)
        return 1
    print("A Kubernetes operator for Apache Flink. Commands:\n")
    width = max(len(name) for name, _ in explained)
    for name, text in explained:
        print(f"  make {name:<{width}}  {text}")
    print(f"\nBuilt and downloaded things live in {os.environ.get('FLINK_OPERATOR_CACHE', '(cache folder not set)')}")
    print("(set FLINK_OPERATOR_CACHE to move it; deleting it is safe).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
