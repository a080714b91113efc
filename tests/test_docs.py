"""Documents name only what exists: paths, links, pages; and their examples are Python."""

import ast
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from transfer_jax.runs import layout

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
HOW_TO = sorted((DOCS / "how_to").glob("*.md"))
# Examples that are modules; each needs nothing but what is in the package.
MODULES = ("data_set", "network", "initialiser", "objective", "metric", "figure")
FIRST_LINE = "Files touched:"

_SUFFIXES = (".py", ".md", ".toml", ".sh", ".yml", ".png", ".svg")
_PATH = re.compile(r"[\w./-]+")
# Folders that studies and preparations make, not the repository.
_MADE = {
    f"{name}/"
    for name in (
        layout.PREDICTIONS, layout.TENSORBOARD, layout.CHECKPOINTS, layout.SOURCE, "data", "runs",
        *layout.WEIGHTS.values(),
    )
}  # fmt: skip


def name(path):
    return str(path.relative_to(ROOT))


def code_and_prose(text):
    """Returns the fenced blocks of a text as (language, code), and the text without them."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return blocks, re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def paths_in_backticks(text):
    """Yields the paths of files and folders that a text names in backticks."""
    _, prose = code_and_prose(text)
    for token in re.findall(r"`([^`\n]+)`", prose):
        path = token.split(":")[0] if ".py:" in token else token
        is_file = path.endswith(_SUFFIXES) and not path.startswith(".")
        if _PATH.fullmatch(path) and (is_file or path.endswith("/")):
            yield path


def exists(path):
    return any((place / path).exists() for place in (ROOT, ROOT / "transfer_jax"))


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_paths_in_backticks_exist(page):
    paths = set(paths_in_backticks(page.read_text()))
    assert {path for path in paths if not exists(path)} <= _MADE


def test_paths_are_found():
    """The pattern finds files, folders and variants of configs, and no other code."""
    text = "`core/rng.py` `docs/` `configs/a.py:x` `report.html` `x.py()` `Run.history` `no/ no`"
    assert list(paths_in_backticks(text)) == ["core/rng.py", "docs/", "configs/a.py"]


def anchors(page):
    """Returns the anchors of a page's headings, as its site gives them."""
    _, prose = code_and_prose(page.read_text())
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip() for heading in headings)
    return {re.sub(r"[\s-]+", "-", heading.lower()) for heading in plain}


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_relative_links_resolve(page):
    _, prose = code_and_prose(page.read_text())
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        if page.is_relative_to(DOCS):
            assert target.is_relative_to(DOCS), f"{link} leads out of the site"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def pages_in(nav):
    if isinstance(nav, str):
        return [nav]
    entries = nav.values() if isinstance(nav, dict) else nav
    return [page for entry in entries for page in pages_in(entry)]


def test_every_page_is_in_the_navigation_once():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = pages_in(config["nav"])
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


def test_pages_fetch_nothing_from_other_sites():
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert config["theme"]["font"] is False
    assert not {"extra_css", "extra_javascript"} & config.keys()
    for page in PAGES:
        blocks, prose = code_and_prose(page.read_text())
        assert not re.search(r"!\[[^\]]*\]\(\w+://|src=\"\w+://", prose), page
        assert not {language for language, _ in blocks} & {"mermaid"}, page


def test_the_drawing_is_text_and_stands_alone():
    drawing = (DOCS / "architecture.svg").read_text()
    addresses = set(re.findall(r"\w+://[^\"'\s]+", drawing))
    assert addresses == {"http://www.w3.org/2000/svg"}
    for path in re.findall(r'class="file"[^>]*>([^<]+)<', drawing):
        for part in path.split():
            known = exists(part) or part in _MADE or not part.endswith((".py", "/"))
            assert known, part


def files_touched(page):
    """Returns (path, what for) of a how-to page's list."""
    blocks, _ = code_and_prose(page.read_text())
    lists = [code for _, code in blocks if code.startswith(FIRST_LINE)]
    assert len(lists) == 1, f"{page} needs one block that begins with {FIRST_LINE!r}"
    lines = lists[0].splitlines()[1:]
    return [re.fullmatch(r"(\S+)\s+(\S.*)", line).groups() for line in lines]


@pytest.mark.parametrize("page", HOW_TO, ids=name)
def test_how_to_pages_list_the_files_that_are_touched(page):
    touched = files_touched(page)
    assert any(purpose.startswith("new") for _, purpose in touched)
    for path, purpose in touched:
        if purpose.startswith("new"):
            assert not (ROOT / path).exists() and (ROOT / path).parent.is_dir(), path
        else:
            assert (ROOT / path).is_file(), path


def test_there_is_a_page_for_everything_that_can_be_added():
    assert {page.stem for page in HOW_TO} == set(MODULES)


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_examples_are_python(page):
    blocks, _ = code_and_prose(page.read_text())
    for language, code in blocks:
        if language == "python":
            ast.parse(code)
            assert max(map(len, code.splitlines())) <= 110


@pytest.mark.parametrize("stem", MODULES)
def test_examples_of_how_to_pages_can_be_imported(stem, tmp_path, monkeypatch):
    blocks, _ = code_and_prose((DOCS / "how_to" / f"{stem}.md").read_text())
    code = next(code for language, code in blocks if language == "python")
    example = f"example_of_{stem}"
    (tmp_path / f"{example}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert importlib.import_module(example).__doc__
    finally:
        sys.modules.pop(example, None)


def test_the_readme_has_the_command_that_ci_runs():
    command = "python -m pip install -e '.[test,peers]' && python -m pytest"
    assert command in (ROOT / "README.md").read_text()
    assert command in (ROOT / ".ci" / "run").read_text()


def test_what_builds_the_pages_is_installed_with_the_tests():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    assert set(extras["docs"]) <= set(extras["test"])
