"""A small SVG writer: text, boxes, lines and dots, in colors that suit light and dark pages."""

from collections.abc import Sequence
from html import escape

# Light, dark. The drawing brings its own ground, so it can be read wherever it stands.
COLORS = {
    "ground": ("#ffffff", "#15181d"),
    "ink": ("#1f2328", "#e6e8eb"),
    "faint": ("#6a7280", "#9aa3af"),
    "grid": ("#e3e6ea", "#2c323a"),
    "own": ("#1d5fd1", "#6ea8fe"),
    "other": ("#a3acb8", "#7d8897"),
    "web": ("#1d5fd1", "#6ea8fe"),
    "worker": ("#e08a1e", "#f0a94a"),
    "redis": ("#c23b52", "#f0758a"),
    "supervisor": ("#5f8f3e", "#8fc46a"),
}


class Drawing:
    """A drawing under construction; `written` is its SVG. Coordinates are pixels from the upper left corner."""

    def __init__(self, width: float, height: float, title: str, subtitle: str = "") -> None:
        self._size = (width, height)
        self._title = title
        self._parts: list[str] = []
        self.text(20, 30, title, size=16, weight="bold")
        if subtitle:
            self.text(20, 50, subtitle, color="faint")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        color: str = "ink",
        anchor: str = "start",
        size: int = 12,
        weight: str = "",
    ) -> None:
        bold = f' font-weight="{weight}"' if weight else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" class="{color}" text-anchor="{anchor}" font-size="{size}"{bold}>'
            f"{escape(words)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}" class="{color}"/>'
        )

    def line(self, points: Sequence[tuple[float, float]], color: str, *, width: float = 1.0, dashes: str = "") -> None:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(f'<path d="M{path}" class="line-{color}" stroke-width="{width}"{dashed}/>')

    def dot(self, x: float, y: float, color: str, radius: float = 4.0, *, hollow: bool = False) -> None:
        kind = f"ring-{color}" if hollow else color
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{kind}"/>')

    def legend(self, y: float, entries: Sequence[tuple[str, str]]) -> None:
        """Colors and what they stand for, in one line."""
        x = 20.0
        for color, words in entries:
            self.box(x, y - 9, 10, 10, color)
            self.text(x + 15, y, words, color="faint")
            x += 40 + 6.2 * len(words)

    def written(self) -> str:
        width, height = self._size
        size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" role="img">',
                f"<title>{escape(self._title)}</title>",
                f"<style>{_style(0)} @media (prefers-color-scheme: dark) {{{_style(1)}}}</style>",
                f'<rect width="{width:g}" height="{height:g}" rx="8" class="ground"/>',
                *self._parts,
                "</svg>\n",
            ]
        )


def _style(scheme: int) -> str:
    return " ".join(
        f".{name}{{fill:{colors[scheme]}}} .line-{name}{{stroke:{colors[scheme]};fill:none}} "
        f".ring-{name}{{fill:{COLORS['ground'][scheme]};stroke:{colors[scheme]};stroke-width:2}}"
        for name, colors in COLORS.items()
    )
