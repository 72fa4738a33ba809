"""Replies of the pages of a plan."""

from typing import Any

from pydantic import BaseModel


class FeatureCollection(BaseModel):
    """GeoJSON (RFC 7946)."""

    type: str
    features: list[dict[str, Any]]
