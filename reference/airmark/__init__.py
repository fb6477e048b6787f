"""Airmark: an audio watermark that survives loudspeaker, air, room and microphone.

    key = generate()
    marked = embed(samples, rate, key, at=[3.0])
    detections = Detector(key, rate).process(marked.samples)

The names below are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from airmark.errors import AirmarkError
from airmark.version import VERSION, __version__

if TYPE_CHECKING:
    from airmark.channel import Channel
    from airmark.detector import Detection, Detector
    from airmark.embedder import Embedded, Embedder, Mark, embed
    from airmark.fixed import NUMERIC_VERSION
    from airmark.keys import Key
    from airmark.keysearch import generate
    from airmark.profile import Profile
    from airmark.stream import StreamEmbedder

_HOMES = {
    "Channel": "channel",
    "Detection": "detector",
    "Detector": "detector",
    "Embedded": "embedder",
    "Embedder": "embedder",
    "Key": "keys",
    "Mark": "embedder",
    "NUMERIC_VERSION": "fixed",
    "Profile": "profile",
    "StreamEmbedder": "stream",
    "embed": "embedder",
    "generate": "keysearch",
}
__all__ = [
    "NUMERIC_VERSION",
    "VERSION",
    "AirmarkError",
    "Channel",
    "Detection",
    "Detector",
    "Embedded",
    "Embedder",
    "Key",
    "Mark",
    "Profile",
    "StreamEmbedder",
    "__version__",
    "embed",
    "generate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'airmark' has no attribute '{name}'")
    return getattr(importlib.import_module(f"airmark.{_HOMES[name]}"), name)
