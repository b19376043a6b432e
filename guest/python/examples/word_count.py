"""Counts lines, words and bytes; ../../examples/word-count/wit/world.wit describes the tasks."""

from collections import Counter

import wit_world
from componentize_py_types import Err
from wit_world import Counts

# How many of the most frequent words are told.
TOP = 5


class WitWorld(wit_world.WitWorld):
    def count_words(self, text: bytes) -> Counts:
        return count(text)

    def count_text(self, text: str) -> Counts:
        counts = count(text.encode())
        if not counts.words:
            # The error of the task; any other exception is a trap.
            raise Err("the text has no words")
        return counts


def count(text: bytes) -> Counts:
    # Of bytes, and not of strings, `split` knows the whitespace of ASCII only. What is not UTF-8 shows as U+FFFD.
    words = [word.decode(errors="replace") for word in text.split()]
    bare = [word for word in map(strip, words) if word]
    times = Counter(word.lower() for word in bare)
    return Counts(
        lines=text.count(b"\n"),
        words=len(words),
        bytes=len(text),
        longest=max(bare, key=len, default=""),
        top=sorted(times.items(), key=lambda item: (-item[1], item[0]))[:TOP],
    )


def strip(word: str) -> str:
    """The word without the punctuation around it."""
    inside = [at for at, character in enumerate(word) if character.isalnum()]
    return word[inside[0] : inside[-1] + 1] if inside else ""
