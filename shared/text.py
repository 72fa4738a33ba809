"""Which text a database can store: PostgreSQL refuses NUL, and half of a surrogate pair is no UTF-8."""


def storable(text: str) -> bool:
    """Whether every database of ours can store this text."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
