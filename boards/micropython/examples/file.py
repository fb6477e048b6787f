"""Detect in a WAV file (one channel, 16 bits): the same script on a device, on a computer, and in CPython on the host.

micropython file.py secret.json heard.wav
"""

import struct
import sys

import airmark


def fail(what):
    """Say what is wrong and end: MicroPython's sys.exit may print nothing."""
    print("file.py:", what)
    sys.exit(2)


if len(sys.argv) != 3:
    fail("give a key file and a WAV file: file.py secret.json heard.wav")
with open(sys.argv[2], "rb") as file:
    header = file.read(44)
    if len(header) < 44 or header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        fail(sys.argv[2] + " is not a WAV file")
    channels, rate, bits = struct.unpack("<HI6xH", header[22:36])
    if (channels, bits) != (1, 16):
        fail(f"{sys.argv[2]} has channels: {channels}, bits: {bits}; give one channel of 16 bits, as a microphone's")
    detector = airmark.Detector([airmark.Key.load(sys.argv[1])], rate=rate)
    buffer = bytearray(1024)
    while n := file.readinto(buffer):
        for d in detector.process(memoryview(buffer)[:n]):
            print(d.sample, d.score, d.drift_ppm, d.key)
for d in detector.flush():
    print(d.sample, d.score, d.drift_ppm, d.key)
