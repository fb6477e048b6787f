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
    from airmark.gate import Answer, Gate, GateConfig, Verdict, Word
    from airmark.keys import Key
    from airmark.keysearch import generate
    from airmark.profile import Profile
    from airmark.stream import StreamEmbedder
    from airmark.words import place_for_word

_HOMES = {
    "Answer": "gate",
    "Channel": "channel",
    "Detection": "detector",
    "Detector": "detector",
    "Embedded": "embedder",
    "Embedder": "embedder",
    "Gate": "gate",
    "GateConfig": "gate",
    "Key": "keys",
    "Mark": "embedder",
    "NUMERIC_VERSION": "fixed",
    "Profile": "profile",
    "StreamEmbedder": "stream",
    "Verdict": "gate",
    "Word": "gate",
    "embed": "embedder",
    "generate": "keysearch",
    "place_for_word": "words",
}
__all__ = [
    "NUMERIC_VERSION",
    "VERSION",
    "AirmarkError",
    "Answer",
    "Channel",
    "Detection",
    "Detector",
    "Embedded",
    "Embedder",
    "Gate",
    "GateConfig",
    "Key",
    "Mark",
    "Profile",
    "StreamEmbedder",
    "Verdict",
    "Word",
    "__version__",
    "embed",
    "generate",
    "place_for_word",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'airmark' has no attribute '{name}'")
    return getattr(importlib.import_module(f"airmark.{_HOMES[name]}"), name)
