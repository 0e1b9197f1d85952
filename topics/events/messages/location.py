"""Places."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Final, Literal

from pydantic import Field

from pipeline.topics.events.messages.base import MessageBase
from pipeline.topics.events.model import EventModel, Number

EARTH_RADIUS: Final = 6371.0088
"""Mean radius of the Earth, in km."""


class LocationContent(EventModel):
    """Degrees. Only the coordinates are sent for a user's own place; `live` is true while it moves."""

    latitude: Number = Field(repr=False)
    longitude: Number = Field(repr=False)
    name: str | None = Field(None, repr=False)
    address: str | None = Field(None, repr=False)
    url: str | None = Field(None, repr=False)
    live: bool | None = None


class LocationMessage(MessageBase):
    """A place. A provider fills `location` (`LocationContent`); numbers in strings are taken too."""

    type: Literal["location"]
    location: LocationContent

    @property
    def latitude(self) -> float:
        """The latitude, in degrees."""
        return self.location.latitude

    @property
    def longitude(self) -> float:
        """The longitude, in degrees."""
        return self.location.longitude

    @property
    def coordinates(self) -> tuple[float, float]:
        """Latitude and longitude, in degrees."""
        return self.location.latitude, self.location.longitude

    @property
    def name(self) -> str | None:
        """The name of the place, if it has one."""
        return self.location.name

    @property
    def location_name(self) -> str | None:
        """The name of the place, if it has one."""
        return self.location.name

    @property
    def address(self) -> str | None:
        """The address of the place, if it has one."""
        return self.location.address

    @property
    def url(self) -> str | None:
        """The web address of the place, if it has one."""
        return self.location.url

    @property
    def has_name(self) -> bool:
        """True if the place has a name."""
        return bool(self.location.name)

    @property
    def has_address(self) -> bool:
        """True if the place has an address."""
        return bool(self.location.address)

    @property
    def has_url(self) -> bool:
        """True if the place has a web address."""
        return bool(self.location.url)

    def get_google_maps_url(self) -> str:
        """Return the URL of the place on Google Maps."""
        return f"https://www.google.com/maps?q={self.latitude},{self.longitude}"

    def get_distance_from(self, other_lat: float, other_lon: float) -> float:
        """Kilometres along the earth's surface."""
        here, there = radians(self.latitude), radians(other_lat)
        half = sin((there - here) / 2) ** 2
        half += cos(here) * cos(there) * sin(radians(other_lon - self.longitude) / 2) ** 2
        return 2 * EARTH_RADIUS * asin(sqrt(min(1.0, half)))
