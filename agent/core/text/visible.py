"""Text from outside as a terminal or a page may show it: what would not be seen is written out.

Mitigates against: a name that turns a line around (U+202E), hides in it (U+200B), clears the screen
(U+001B) or cannot be printed at all (a lone surrogate), so that a signer reads what does not stand
there.
"""


def visible(untrusted_text: str, *, keep: str = "") -> str:
    """Every character that is not printable as four hex digits, which JSON reads as the same text.

    `keep`: characters of ours that stay, as a page's line feeds.
    """
    if untrusted_text.isprintable():
        return untrusted_text
    return "".join(
        character if character.isprintable() or character in keep else _written(character)
        for character in untrusted_text
    )


def _written(character: str) -> str:
    """One or two units of UTF-16, four hex digits each."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
