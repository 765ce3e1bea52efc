"""Wrote debian.tsv.xz: (section, short description) of every package that `apt-cache dumpavail` lists, because the index changes.

    apt-cache dumpavail | python freeze_debian.py debian.tsv.xz"""

import lzma
import sys


def packages(lines):
    section = description = None
    for line in lines:
        if line.startswith("Section: "):
            section = line[9:].split("/")[-1].strip()
        elif line.startswith("Description: "):
            description = " ".join(line[13:].split())
        elif not line.strip():
            if section and description:
                yield section, description
            section = description = None


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    rows = sorted(set(packages([*sys.stdin, ""])))
    with open(sys.argv[1], "wb") as file:
        file.write(lzma.compress("".join(f"{s}\t{d}\n" for s, d in rows).encode(), preset=9 | lzma.PRESET_EXTREME))
    print(len(rows), "packages")
