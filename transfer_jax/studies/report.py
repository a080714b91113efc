"""One self-contained HTML page: what was done, the table, the pictures."""

import base64
import html
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 58rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse } th, td { text-align: left; padding: .3rem 1.2rem .3rem 0; border-bottom: 1px solid #ddd }
td { font-variant-numeric: tabular-nums } img { max-width: 100% } p.note { color: #555; font-size: .9rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem } dt { color: #555 } dd { margin: 0 }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto }
"""


class Section(NamedTuple):
    """A headed part of the page: a picture or a table, and what the reader should know of it."""

    title: str
    note: str
    picture: bytes | None = None
    table: tuple[Sequence[str], Sequence[Sequence[str]]] | None = None


def page(title: str, lead: str, facts: Mapping[str, str], sections: Sequence[Section]) -> str:
    """The page as HTML; pictures are PNG bytes and become part of it."""
    terms = "".join(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in facts.items())
    body = "".join(_section(section) for section in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(lead)}</p>{body}<h2>What was run</h2><dl>{terms}</dl></body></html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.table is not None:
        head, rows = section.table
        parts.append("<table><thead><tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr></thead><tbody>")
        parts += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
        parts.append("</tbody></table>")
    if section.picture is not None:
        parts.append(f'<img alt="{html.escape(section.title)}" src="data:image/png;base64,{base64.b64encode(section.picture).decode()}">')
    parts.append(f'<p class="note">{html.escape(section.note)}</p>')
    return "".join(parts)
