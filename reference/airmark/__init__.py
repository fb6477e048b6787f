"""Airmark: an audio watermark that survives loudspeaker, air, room and microphone."""
