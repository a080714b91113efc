"""One self-contained HTML page: a title, sections with tables and figures, and what was run."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
from collections.abc import Mapping, Sequence

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 58rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
div.wide { overflow-x: auto } table { border-collapse: collapse }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.2rem .3rem 0;
  border-bottom: 1px solid #ddd }
td { font-variant-numeric: tabular-nums; min-width: 4rem } img { max-width: 100% }
p.note { color: #555; font-size: .9rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem }
dt { color: #555 } dd { margin: 0 }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto }
"""

# Spaces at which a line must not break: those of "0.81 ± 0.02" and "[0.75, 0.86]".
_UNBROKEN = re.compile(r" ± \d[\d.]*|\[[-+]?[\d.]+, [-+]?[\d.]+\]")
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page.

    Attributes:
      title: Its heading.
      note: What the reader should know of it.
      picture: A PNG file.
      table: Header and rows.
    """

    title: str
    note: str
    picture: bytes | None = None
    table: Table | None = None


def page(title: str, lead: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """Returns the page; pictures become part of it.

    Args:
      title: Title of the page.
      lead: A sentence below the title.
      facts: What was run, name -> text, at the end of the page.
      sections: Parts of the page, in order.
    """
    terms = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in facts.items()
    )
    body = "".join(_section(section) for section in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(lead)}</p>{body}"
        f"<h2>What was run</h2><dl>{terms}</dl></body></html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.table is not None:
        parts.append(_table(*section.table))
    if section.picture is not None:
        encoded = base64.b64encode(section.picture).decode()
        source = f"data:image/png;base64,{encoded}"
        parts.append(f'<img alt="{html.escape(section.title)}" src="{source}">')
    parts.append(f'<p class="note">{html.escape(section.note)}</p>')
    return "".join(parts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _cell(text: str) -> str:
    """Returns the text of a cell, escaped and without line breaks inside of numbers."""
    unbroken = _UNBROKEN.sub(lambda match: match[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    return html.escape(unbroken)
