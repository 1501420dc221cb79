"""Writes the lists of choices in the help pages from the one table that the nodes have, nodes/choices.py.

    COMFYUI_PATH=... python -m tools.write_choice_lists

A list stands between `<!-- GUIDANCE for latent -->` and `<!-- end -->`, the name of its table and of the models it is
for; everything else on a page is written by hand.
"""

from __future__ import annotations

import argparse
import re

from maprps.nodes import choices

from . import ROOT

PAGES = ROOT / "web" / "docs"
LIST = re.compile(r"(  <!-- (\w+)(?: for (\w+))? -->\n)(.*?)(  <!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with every list as the table has it."""
    return LIST.sub(lambda found: found[1] + entries(found[2], found[3]) + found[5], page)


def entries(table: str, kind: str | None) -> str:
    """A line of Markdown for each clause, with the scales that the paper takes."""
    chosen = getattr(choices, table)
    chosen = chosen.of(kind) if kind else chosen
    lines = []
    for names, help in chosen.clauses():
        line = f"  - {', '.join(f'*{name}*' for name in names)}: {help}."
        for entry in chosen:
            if entry.name in names and entry.scales:
                line += f" Scale{f' of {entry.name}' if len(names) > 1 else ''}: {entry.advice()}."
        lines.append(line)
    return "\n".join(lines) + "\n"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
