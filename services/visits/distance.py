"""Distances on the earth. Positions are (latitude, longitude) in degrees, WGS 84."""

from math import asin, cos, radians, sin, sqrt

EARTH_METRES = 6_371_009

Position = tuple[float, float]


def beeline_metres(a: Position, b: Position) -> float:
    """The great circle on a sphere of the earth's mean radius (haversine formula)."""
    (latitude_a, longitude_a), (latitude_b, longitude_b) = a, b
    half_latitude = sin(radians(latitude_b - latitude_a) / 2)
    half_longitude = sin(radians(longitude_b - longitude_a) / 2)
    chord = half_latitude**2 + cos(radians(latitude_a)) * cos(radians(latitude_b)) * half_longitude**2
    return 2 * EARTH_METRES * asin(sqrt(chord))
