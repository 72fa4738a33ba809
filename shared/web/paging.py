"""Pages of lists. A cursor is signed by the service and bound to its list: the path and the filters of the request.

A cursor that is forged, of another list, or of other filters is refused, so that no text of a caller becomes a position
in the database.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel

from shared.errors import Invalid

PAGE_ITEMS = 50
PAGE_ITEMS_MAX = 200
SIGNATURE_BYTES = 16
INTEGER_MAX = 2**63 - 1

Part = str | int | UUID | datetime
Kind = TypeVar("Kind", bound=Part)
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list. `next_cursor` is absent on the last one."""

    items: list[Item]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many items of a list the caller wants, and behind which position. A query reads `fetch` rows, one more than
    wanted: so the page knows whether it is the last."""

    limit: int
    position: tuple[str | int, ...] | None
    list_key: bytes

    @property
    def fetch(self) -> int:
        return self.limit + 1

    def after(self, kind: type[Kind]) -> Kind | None:
        """The position in a list whose order is one column of this type. Raises Invalid."""
        found = self.after_all(kind)
        return found[0] if found else None

    def after_all(self, *kinds: type[Any]) -> tuple[Any, ...] | None:
        """The position in a list whose order is several columns. Raises Invalid."""
        if self.position is None:
            return None
        if len(self.position) != len(kinds):
            raise not_of_this_list()
        return tuple(_typed(kind, part) for kind, part in zip(kinds, self.position, strict=True))

    def of(self, items: Sequence[Item], *, key: Callable[[Item], Part]) -> Page[Item]:
        """The page of up to `fetch` items; `key` is an item's position in the list."""
        shown = list(items[: self.limit])
        return Page(items=shown, next_cursor=self.cursor(key(shown[-1])) if len(items) > self.limit else None)

    def cursor(self, *position: Part) -> str:
        """The cursor of the page behind a position of this list."""
        parts = [part if isinstance(part, str | int) else _text(part) for part in position]
        packed = json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(_signature(self.list_key, packed) + packed).decode().rstrip("=")


def _text(part: UUID | datetime) -> str:
    return part.isoformat() if isinstance(part, datetime) else str(part)


def _typed(kind: type[Any], part: str | int) -> Part:
    try:
        if kind is int and type(part) is int and abs(part) <= INTEGER_MAX:
            return part
        if kind is datetime and isinstance(part, str):
            return datetime.fromisoformat(part)
        if kind in (str, UUID) and isinstance(part, str):
            return UUID(part) if kind is UUID else part
    except ValueError:
        pass
    raise not_of_this_list()


def _signature(list_key: bytes, packed: bytes) -> bytes:
    return hmac.digest(list_key, packed, "sha256")[:SIGNATURE_BYTES]


def _read(cursor: str, list_key: bytes) -> tuple[str | int, ...]:
    """The position in a cursor. Raises Invalid unless this service signed it for this list."""
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise not_of_this_list() from None
    signature, packed = content[:SIGNATURE_BYTES], content[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(list_key, packed)):
        raise not_of_this_list()
    return tuple(json.loads(packed))


def not_of_this_list() -> Invalid:
    return Invalid("cursor", "This cursor is not of this list and these filters. Begin again without a cursor.")


def list_key_of(cursor_key: bytes, path: str, parameters: Sequence[tuple[str, str]]) -> bytes:
    """The key that signs the cursors of one list: of a path and its filters, in any order."""
    filters = sorted((name, value) for name, value in parameters if name not in ("limit", "cursor"))
    return hmac.digest(cursor_key, f"{path}?{urlencode(filters)}".encode(), hashlib.sha256)


async def page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX)] = PAGE_ITEMS,
    cursor: str | None = None,
) -> PageRequest:
    runtime: Any = request.app.state.runtime
    list_key = list_key_of(runtime.cursor_key, request.url.path, request.query_params.multi_items())
    return PageRequest(limit, _read(cursor, list_key) if cursor else None, list_key)


async def long_page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=PAGE_ITEMS_MAX)] = PAGE_ITEMS_MAX,
    cursor: str | None = None,
) -> PageRequest:
    return await page_request(request, limit, cursor)


Paging = Annotated[PageRequest, Depends(page_request)]
LongPaging = Annotated[PageRequest, Depends(long_page_request)]
"""For lists that most callers want whole: as many items as a page may have, unless the caller says otherwise."""
