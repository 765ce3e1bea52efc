"""Reads the raw packages into plain records. One function per source; nothing is split or sampled here."""

import json
import lzma
import re
from pathlib import Path

from family import RAW

SPACES = re.compile(r"\s+")
NOUN_FILES = {4: "act", 5: "animal", 6: "artifact", 7: "attribute", 9: "cognition", 10: "communication", 13: "food",
              14: "group", 15: "location", 18: "person", 20: "plant", 26: "state", 27: "substance"}


def clean(text):
    return SPACES.sub(" ", text).strip()


def glosses():
    """(lexicographer file number, definition without its examples) of every synset of WordNet."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (RAW / "wordnet/dict" / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):
                continue
            head, gloss = line.split(" | ", 1)
            yield int(head.split()[1]), clean(gloss.split('; "')[0].split(';"')[0])


def packages():
    """(section, short description) of every package of Debian 12, as frozen by freeze_debian.py."""
    for line in lzma.decompress((Path(__file__).parent / "debian.tsv.xz").read_bytes()).decode().splitlines():
        yield tuple(line.split("\t"))


def opinions():
    """(mean rating, sentence): the human-rated snippets that came with VADER (without its newspaper editorials), and the UCI sentences with -1 or +1."""
    for source in ("movieReviewSnippets", "amazonReviewSnippets", "tweets"):
        for line in (RAW / "vader" / f"{source}_GroundTruth.txt").read_text(encoding="utf-8", errors="replace").splitlines():
            _, rating, text = line.split("\t", 2)
            yield float(rating), clean(text)
    for source in ("amazon", "imdb", "yelp"):
        for item in json.loads((RAW / "uci/test/fixtures" / f"{source}.json").read_text()):
            if item.get("text"):
                yield (1.0 if item["class"] else -1.0), clean(item["text"])


def brown():
    """(file name, [(word, tag), ...]) of every sentence of the Brown corpus."""
    for path in sorted((RAW / "brown").glob("c[a-r][0-9][0-9]")):
        for line in path.read_text(encoding="latin-1").splitlines():
            pairs = [tuple(token.rsplit("/", 1)) for token in line.split() if "/" in token]
            if len(pairs) > 3:
                yield path.name, pairs


def speech_class(tag):
    """The coarse part of speech of a Brown tag, or None for tags that are not used."""
    tag = re.sub(r"^fw-|-(tl|hl|nc)", "", tag.lower()).rstrip("$")
    if "+" in tag or tag.endswith("*"):
        return None
    for prefix, name in (("np", "proper-noun"), ("nn", "noun"), ("nr", "noun"), ("vb", "verb"), ("be", "verb"), ("hv", "verb"), ("do", "verb"),
                         ("md", "verb"), ("jj", "adjective"), ("rb", "adverb"), ("in", "preposition"), ("pp", "pronoun"), ("wp", "pronoun"),
                         ("pn", "pronoun"), ("at", "determiner"), ("dt", "determiner"), ("ap", "determiner"), ("ab", "determiner")):
        if tag.startswith(prefix):
            return name
    return None
