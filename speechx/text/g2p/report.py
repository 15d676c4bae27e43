"""What the reading of an added language leaves out or replaces, over some texts: for people, before they train on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from speechx.text import g2p
from speechx.text.normalize import tokenize
from speechx.text.phones import strip_stress

__all__ = ["reading_report"]

MOST = 20


def reading_report(texts: Iterable[str], language: str) -> list[str]:
    """A line for each letter or symbol that is left out, the most frequent first, and one for those that are replaced."""
    backend = g2p.load_added(language)
    if backend is None:
        return []
    words = Counter(token.text for text in texts for token in tokenize(text, language))
    left_out, examples, replaced = Counter[str](), dict[str, str](), dict[str, str]()
    for word, count in words.items():
        for symbol in backend.unread(word):
            left_out[symbol] += count
            examples.setdefault(symbol, word)
        replaced |= {
            symbol: " ".join(map(strip_stress, phones)) for symbol, phones in backend.replaced(word).items()
        }
    lines = [
        f"left out: {symbol!r} in {count} words, as in {examples[symbol]!r}"
        for symbol, count in left_out.most_common(MOST)
    ]
    if len(left_out) > MOST:
        lines.append(f"left out: {', '.join(map(repr, sorted(left_out)[MOST:]))}, too")
    if replaced:
        nearest = ", ".join(f"{symbol} as {phones}" for symbol, phones in sorted(replaced.items()))
        lines.append(f"read by the nearest phones: {nearest}")
    return lines
