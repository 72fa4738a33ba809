"""What makes a stored decision known again: the digest of its facts and findings."""

import hashlib
import json
from typing import Any


def digest_of(facts: dict[str, Any], decision: dict[str, Any]) -> str:
    """SHA-256 (hex) of facts and decision, keys sorted, no spaces."""
    text = json.dumps([facts, decision], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
