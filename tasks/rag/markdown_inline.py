"""Markdown inside a paragraph as plain text: links, emphasis, code, tags and entities."""

from __future__ import annotations

import html
import re

# Every repetition is bounded, so that a hostile file costs time in proportion to its size.
_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)([^`](?:.{0,500}?[^`])??)\1(?!`)", re.DOTALL)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_IMAGE = re.compile(r"!\[([^\[\]]{0,500})\](?:\((?:[^()\n]|\([^()\n]{0,200}\)){0,1000}\)|\[[^\[\]]{0,200}\])")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]{0,200}\]){0,1000})\]\((?:[^()\n]|\([^()\n]{0,200}\)){0,1000}\)")
_REFERENCE_LINK = re.compile(r"\[([^\[\]]{1,500})\]\[[^\[\]]{0,200}\]")
_FOOTNOTE = re.compile(r"\[\^[^\[\]]{1,100}\]:?")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,1000}|[^<>\s@]{1,100}@[^<>\s@]{1,200})>")
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6])\b[^<>]{0,100}>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|abbr|article|aside|b|big|blockquote|button|center|cite|code|col|colgroup|dd|del|details|div|dl|dt|em|figcaption"
    r"|figure|font|footer|h[1-6]|header|hr|i|img|ins|kbd|li|main|mark|nav|ol|p|picture|pre|q|s|samp|section|small|source"
    r"|span|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video|wbr)\b[^<>]{0,2000}>",
    re.IGNORECASE,
)
_CELL = re.compile(r"</t[dh]\s{0,9}>", re.IGNORECASE)
# Site generators' tags: the words of `{% channel "help" %}` are kept, paths and control words are not.
_TEMPLATE_WORDS = re.compile(r'\{%-?\s{0,9}\w{1,50}\s{1,9}"([^"{}/.]{1,100})"[^{}]{0,200}%\}')
_TEMPLATE = re.compile(r"\{%[^{}]{0,500}%\}|\{\{[^{}]{0,500}\}\}")
_EMPHASIS = (
    re.compile(r"(?<![\w*\\])\*\*\*(?=[^\s*])([^*]{1,2000}?)(?<=\S)\*\*\*(?!\*)"),
    re.compile(r"(?<![*\\])\*(?=[^\s*])([^*]{1,2000}?)(?<=[^\s*])\*(?!\*)"),
    re.compile(r"(?<!\\)\*\*(?=[^\s*])([^*]{1,2000}?)(?<=\S)\*\*"),
    re.compile(r"(?<![\w\\])_(?=[^\s_])([^_]{1,2000}?(?:\w_\w[^_]{0,200}?){0,9})(?<=[^\s_])_(?!\w)"),
    re.compile(r"(?<![\w\\])__(?=[^\s_])([^_]{1,2000}?)(?<=\S)__(?!\w)"),
    re.compile(r"~~(?=\S)([^~]{1,2000}?)(?<=\S)~~"),
)
_KEPT = re.compile("\0([0-9]+)\0")
_SPACES = re.compile(r"[ \t\u00a0]+")


def plain_inline(text: str) -> str:
    """`text` without Markdown's inline syntax; characters in code and after a backslash stay as they are."""
    kept: list[str] = []

    def keep(piece: str) -> str:
        kept.append(piece)
        return f"\0{len(kept) - 1}\0"

    text = text.replace("\0", "")
    text = _CODE.sub(lambda m: keep(" ".join(m[2].split())), text)
    text = _ESCAPED.sub(lambda m: keep(m[1]), text)
    text = _TEMPLATE.sub("", _TEMPLATE_WORDS.sub(r"\1", text))
    text = _AUTOLINK.sub(lambda m: keep(m[1].removeprefix("mailto:")), text)
    text = _IMAGE.sub(r"\1", text)
    text = _LINK.sub(r"\1", text)
    text = _FOOTNOTE.sub("", _REFERENCE_LINK.sub(r"\1", text))
    text = _TAG.sub("", _CELL.sub(" ", _BREAK.sub("\n", text)))
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\1", text)
    text = html.unescape(text)
    while _KEPT.search(text):
        text = _KEPT.sub(lambda m: kept[int(m[1])], text)
    return "\n".join(line for line in (_SPACES.sub(" ", line).strip() for line in text.split("\n")) if line)
