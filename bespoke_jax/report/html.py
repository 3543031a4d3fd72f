"""HTML of a page that needs no network, no script and no other file."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1120px; padding: 16px; color: #1a1a1a;
  background: #fff; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7em; line-height: 1.2; margin: 0.4em 0 0.2em; }
h2 { font-size: 1.25em; margin: 1.8em 0 0.5em; }
h3 { font-size: 1.02em; margin: 1.4em 0 0.3em; }
p, li { max-width: 46em; overflow-wrap: anywhere; }
.quiet { color: #555; font-size: 0.9em; }
.advice { background: #fdf4ee; border-left: 4px solid #d55e00; padding: 6px 16px; }
.advice h2 { margin: 0.3em 0; }
.advice ul { padding-left: 1.1em; }
.advice li { max-width: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88em;
  font-variant-numeric: tabular-nums; }
th, td { padding: 4px 8px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #888; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: #fff; }
tr.best td { font-weight: 600; background: #fdf4ee; }
@media (max-width: 600px) {
  td:first-child { white-space: normal; min-width: 7em; overflow-wrap: break-word; }
}
.figures { columns: 2 400px; column-gap: 24px; }
.figures > figure { break-inside: avoid; margin-bottom: 18px; }
.panels { display: grid; gap: 18px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure > img { width: 100%; height: auto; display: block; }
figcaption { color: #555; font-size: 0.88em; max-width: 46em; }
.strips { display: grid; gap: 4px 20px; margin-bottom: 8px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); }
.strips img { width: 100%; image-rendering: pixelated; display: block; }
details { border-top: 1px solid #ccc; padding: 4px 0; }
summary { cursor: pointer; font-size: 1.1em; font-weight: 600; padding: 6px 0; }
"""


def page(title: str, sections: Iterable[str]) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(sections) + "\n</body>\n</html>\n"
    )


def paragraph(text: str, *, quiet: bool = False) -> str:
    return f"<p{' class=quiet' if quiet else ''}>{escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(header: Sequence[str], rows: Iterable[tuple[bool, Sequence[str]]]) -> str:
    """Rows of cells; those marked True stand out."""
    cells = lambda tag, texts: "".join(f"<{tag}>{escape(t)}</{tag}>" for t in texts)
    body = "\n".join(
        f"<tr{' class=best' if marked else ''}>{cells('td', texts)}</tr>"
        for marked, texts in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{cells("th", header)}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def drawing(figure: Figure, caption: str) -> str:
    """A matplotlib figure as a picture of the page's own; its caption is its text."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", dpi=150, metadata={"Date": None})
    return _figure("svg+xml", stream.getvalue(), caption)


def strip(images: np.ndarray, label: str) -> str:
    """Images of shades (k, height, width[, channels]) in one line."""
    if images.ndim == 3 or images.shape[-1] == 1:
        grey = images.reshape(images.shape[:3])
        images = np.repeat(grey[..., None], 3, axis=-1)
    gap = ((0, 0), (1, 1), (1, 1), (0, 0))
    line = np.concatenate(list(np.pad(images, gap, constant_values=1.0)), axis=1)
    stream = io.BytesIO()
    imsave(stream, line, format="png")
    return _figure("png", stream.getvalue(), label)


def _figure(kind: str, data: bytes, caption: str) -> str:
    code = base64.b64encode(data).decode()
    text = escape(caption)
    return (
        f'<figure><img src="data:image/{kind};base64,{code}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def group(kind: str, parts: Iterable[str]) -> str:
    return f'<div class="{kind}">' + "\n".join(parts) + "</div>"


def fold(title: str, parts: Iterable[str], *, is_open: bool) -> str:
    """A part that the reader opens and closes."""
    opened = " open" if is_open else ""
    inside = "\n".join(parts)
    return f"<details{opened}><summary>{escape(title)}</summary>\n{inside}\n</details>"
