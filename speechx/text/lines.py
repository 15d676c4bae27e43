"""Line breaks that are meant: between headings, verses and messages, but not within a paragraph that was wrapped."""

from __future__ import annotations

from itertools import pairwise

NARROWEST = 32
"""Characters of the shortest lines to which a text is wrapped."""

_OPENING, _CLOSING = "\"'“‘„«»¿¡([", "\"'“”’»«)]"
# After these a sentence goes on, in any language.
_GOES_ON = frozenset(
    "a an the of to in on at by for and or but with from as is are was my your his her its our their this that not no "
    "der die das den dem des ein eine einen einem einer und oder im am auf zu zum zur von vom mit für bei aus ist sind war sein ihr "
    "el la los las un una unos y o u en de del al con por para que se su sus le les du et ou au aux dans sur pour par ce cette une "
    "il lo gli i e di della delle dei da nel nella os as um uma do dos das no na nos nas em com".split()
)


def part_lines(text: str) -> str:
    """The text with an empty line after each line that ends a sentence without a mark.

    A paragraph is wrapped where the next word had no room. So a line that had room for it, with a capital after it, was
    ended on purpose. In HTML and SSML line breaks mean nothing.
    """
    if "\n" not in text or "<" in text:
        return text
    lines = text.split("\n")
    width = max(NARROWEST, *(len(line.strip()) for line in lines))
    parted = [lines[0]]
    for line, following in pairwise(lines):
        parted += ["\n\n" if _ends(line.strip(), following.strip(), width) else "\n", following]
    return "".join(parted)


def _ends(line: str, following: str, width: int) -> bool:
    """Whether a line is a sentence of its own. A line that ends with a mark is judged by its mark."""
    if not line or not following:
        return False
    first, last = following.split()[0], line.split()[-1]
    room = len(line) + 1 + len(first) <= width
    whole = line[-1].isalnum() or (line[-1] in _CLOSING and line.rstrip(_CLOSING)[-1:].isalnum())
    return room and whole and first.lstrip(_OPENING)[:1].isupper() and last.lower() not in _GOES_ON
