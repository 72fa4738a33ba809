"""Large searches: `make test` tries a small sample of each, `make thorough` all of it."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import settings

THOROUGH = os.environ.get("DOORSTEP_THOROUGH") == "1"
Test = TypeVar("Test", bound=Callable[..., Any])


def search(sample: int, whole: int) -> Callable[[Test], Test]:
    """A property, tried with so many examples in `make test` and so many in `make thorough`."""
    examples = settings(max_examples=whole if THOROUGH else sample, deadline=None)
    return lambda test: pytest.mark.search(examples(test))
