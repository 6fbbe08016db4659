"""README's table of results: written from what `bench all --json FILE` left, between two markers.

    python launch.py bench all --json FILE
    python -m benchmarks.table FILE [--readme README.md]

All between the markers is replaced, and nothing else is touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import rows
from benchmarks.rows import ROOT, Row
from trainer.manifest import write_text

BEGIN = "<!-- bench: written by `python -m benchmarks.table FILE` -->"
END = "<!-- /bench -->"
HEADINGS = ("benchmark", "ours", "reference", "ratio", "of ceiling", "mark", "")
VERDICTS = {None: "", True: "met", False: "missed"}


def table(values: Mapping[str, Any]) -> str:
    """Markdown of a result as `bench --json` holds it: hardware and date, the rows, and why one was not measured."""
    seen = values["hardware"]
    bf16 = "bf16" if seen["bf16_in_cpu"] else "no bf16"
    versions = ", ".join(f"{name} {version}" for name, version in seen["versions"].items())
    dates = sorted({row.get("date", values["date"])[:10] for row in values["benchmarks"]}) or [values["date"][:10]]
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    lines = [
        f"{when}: {seen['cpu']}, {seen['cores']} cores ({bf16}), {seen['memory_gb']:g} GB, GPU: {seen['gpu'] or 'none'}; "
        f"load {seen['load']} at the start; Python {seen['python']}, {versions}.",
        "",
        _line(HEADINGS),
        _line(("---",) * len(HEADINGS)),
    ]
    notes = []
    for row in map(Row.from_dict, values["benchmarks"]):
        lines.append(_line(_cells(row)))
        if row.ours is None and row.note:
            notes.append(f"- {row.name}, {row.case}: {row.note}")
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.name}: {row.case}",
        "not measured" if row.ours is None else f"{rows.number(row.ours)} {row.unit}",
        "" if row.reference is None else f"{rows.number(row.reference)} {row.against}".strip(),
        "" if row.ratio is None else f"{rows.number(row.ratio)} x",
        "" if row.share is None else f"{row.share:.0%} {row.ceiling}".strip(),
        "" if row.mark is None else row.mark.text(row.unit),
        VERDICTS[row.met],
    )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def write(readme: Path, text: str) -> None:
    """Put a table between the markers of a file. SystemExit with one line where it has not one of each, in order."""
    before = readme.read_text(encoding="utf-8")
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in head + tail:
        raise SystemExit(f"{readme}: the table's place is not marked; put one line {BEGIN} and after it one line {END}")
    write_text(readme, f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("file", type=Path, help="what `bench all --json` wrote")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    arguments = parser.parse_args()
    try:
        text = table(json.loads(arguments.file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(
            f"{arguments.file}: is not what `bench --json` writes ({error}); run `launch.py bench all --json FILE`"
        ) from error
    try:
        write(arguments.readme, text)
    except OSError as error:
        raise SystemExit(f"{arguments.readme}: cannot be written ({error.strerror})") from error
    print(f"written: {arguments.readme}")


if __name__ == "__main__":
    main()
