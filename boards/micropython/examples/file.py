"""Detect in a WAV file (one channel, 16 bits): the same script on a device, on a computer, and in CPython on the host.

micropython file.py secret.json heard.wav
"""

import struct
import sys

import airmark

with open(sys.argv[2], "rb") as file:
    channels, rate = struct.unpack("<HI", file.read(44)[22:28])
    if channels != 1:
        sys.exit("one channel only: the microphone of a device has no more")
    detector = airmark.Detector([airmark.Key.load(sys.argv[1])], rate=rate)
    buffer = bytearray(1024)
    while n := file.readinto(buffer):
        for d in detector.process(memoryview(buffer)[:n]):
            print(d.sample, d.score, d.drift_ppm, d.key)
for d in detector.flush():
    print(d.sample, d.score, d.drift_ppm, d.key)
