"""Detect in a file of raw sound (mono, 16 bits, 16 kHz): the same script on a device, on a computer, in CPython.

    micropython file.py secret.json marked.raw
"""

import sys

import airmark

detector = airmark.Detector([airmark.Key.load(sys.argv[1])], rate=16000)
buffer = bytearray(1024)
with open(sys.argv[2], "rb") as file:
    while n := file.readinto(buffer):
        for d in detector.process(memoryview(buffer)[:n]):
            print(d.sample, d.score, d.drift_ppm, d.key)
for d in detector.flush():
    print(d.sample, d.score, d.drift_ppm, d.key)
