"""docs/dependencies.md against pyproject.toml, and every installed package's licence against what we may use."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0].lower() for requirement in requirements}
    return found - {"carla-unet"}


@pytest.mark.parametrize("extra", ["", "export", "video"])
def test_each_dependency_is_on_the_page_with_licence_and_reason(extra: str) -> None:
    wanted = names(PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])
    section = PAGE.split(f"## With `[{extra}]`" if extra else "## Always")[1].split("\n## ")[0]
    found = re.findall(r"^\| ([a-z-]+) \| ([^|]+) \| ([^|]+) \|$", section, re.M)
    rows = {name: (licence, why) for name, licence, why in found if name != "library"}
    assert set(rows) == wanted
    assert all(licence.strip() and why.strip() for licence, why in rows.values())


def test_no_installed_package_that_we_pin_is_under_gpl() -> None:
    pinned = set(re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M))
    looked_at = 0
    for name in sorted(pinned):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # of another platform or extra
            continue
        looked_at += 1
        classifiers = [line for line in about.get_all("Classifier") or [] if line.startswith("License")]
        licence = " ".join([about.get("License-Expression") or "", *classifiers])
        foul = re.search(r"\bA?GPL|Affero|GNU General Public", licence)
        assert foul is None or "LGPL" in licence or "Lesser" in licence, f"{name}: {licence}"
    assert looked_at > 50
