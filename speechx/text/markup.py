"""Markup that is not speech: SSML and HTML tags, entities, Markdown. What stays is the text that a reader sees."""

from __future__ import annotations

import html
import re

_ATTRIBUTE = r"\s+[\w:.-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?"
_TAG = re.compile(rf"<(/?)([a-zA-Z][\w:-]*)((?:{_ATTRIBUTE})*)\s*/?>|<[!?][^<>]*>")
_HIDDEN = re.compile(
    r"<!--.*?-->|<(script|style|head|metadata|template|noscript|svg|canvas|iframe|video)\b[^>]*>.*?</\1\s*>"
    # Readings above the words of a text: they repeat the words. Their end tags may be left out.
    r"|<(?:rt|rp|rtc)(?:\s[^>]*)?>.*?(?:</(?:rt|rp|rtc)\s*>|(?=</?(?:rt|rp|rtc|rb|ruby)\b))",
    re.DOTALL | re.IGNORECASE,
)
_ALIAS = re.compile(
    r"<sub\b[^>]*\balias\s*=\s*[\"']([^\"']*)[\"'][^>]*>.*?</sub\s*>", re.DOTALL | re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)
# Tags that end a sentence, and tags that are a short pause; all others leave no trace.
_BLOCKS = frozenset("p div h1 h2 h3 h4 h5 h6 li tr table ul ol s sentence paragraph blockquote title".split())
_PAUSES = frozenset("break br td th hr audio mark".split())

_LINE_MARK = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?|>[ \t]*(?=\S))", re.MULTILINE
)
_RULE = re.compile(
    r"^[ \t]*(?:(?:[-*_][ \t]*){3,}|=+|```[\w-]*|~~~[\w-]*|\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t|:-]*)+)$",
    re.MULTILINE,
)
_HEADING = re.compile(r"^([ \t]*(?:#{1,6}[ \t]+|[-*+•][ \t]+)[^\n]*[^\s\n.!?:;,#])[ \t#]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()\s]*\))?(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]+|[\w.+-]+@[\w.-]+)>")
_STRONG = re.compile(r"(\*\*\*|\*\*|___|__|~~)(?=[^\s*_~])([^\n]+?)(?<=\S)\1")
_MARKED = re.compile(r"(?<![\w=])(={2,4})(?=[^\s=])([^\n]+?)(?<=[^\s=])\1(?![\w=])")
_EMPHASIS = re.compile(
    r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])|(?<!\w)_(?=[^\s_])([^_\n]+?)(?<=\S)_(?!\w)"
)
_CODE = re.compile(r"(`+)([^`\n]+)\1")


def strip_markup(text: str) -> str:
    """The text without markup. `<break/>` becomes a comma, the end of a paragraph or a heading a full stop."""
    if "<" in text:
        text = _HIDDEN.sub(lambda match: "" if match.group()[:2].lower() == "<r" else " ", text)
        text = _ALIAS.sub(r"\1", text)
        text = _AUTOLINK.sub(lambda match: match[1].removeprefix("mailto:"), text)
        text = _TAG.sub(_pause_of_tag, text)
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match.group()), text)
    return _strip_markdown(text)


def _pause_of_tag(match: re.Match[str]) -> str:
    name = (match[2] or "").lower().rpartition(":")[2]
    if name in _PAUSES:
        return " , "
    if name in _BLOCKS:
        return " . " if match[1] else " "
    return ""


def _strip_markdown(text: str) -> str:
    text = _RULE.sub("", text)
    text = _HEADING.sub(r"\1 .", text)
    text = _LINE_MARK.sub("", text)
    if "[" in text:
        text = _LINK.sub(r"\1", text)
    if "`" in text:
        text = _CODE.sub(r"\2", text)
    if "==" in text:
        text = _MARKED.sub(r"\2", text)
    if "*" in text or "_" in text or "~~" in text:
        text = _STRONG.sub(r"\2", text)
        text = _EMPHASIS.sub(lambda match: match[1] or match[2], text)
    return text
