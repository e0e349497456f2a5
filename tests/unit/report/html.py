"""Just enough of an HTML reader to ask what a browser would load and show."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, ids, links, loads, scripts and visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.handlers: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [found["href"]] if tag == "a" and found.get("href") else []
        self.images += [found] if tag == "img" else []
        self.handlers += [name for name in found if name.startswith("on")]
        for name in ("src", "srcset", "poster", "data", "action"):
            self.loads += [found[name]] if found.get(name) else []
        if tag in ("link", "use", "image"):
            self.loads += [found["href"]] if found.get("href") else []
        if tag not in ("img", "meta", "link", "input", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts.append(data)
        elif "style" in self.open:
            self.styles.append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """Visible text with single spaces."""
        return " ".join(" ".join(self.words).split())
