"""Log: a line in detections.csv for each mark, while the main program does something else. For ESP32 and RP2.

The microphone's driver calls `heard` from a soft interrupt whenever a buffer is full; see second_screen.py for parts
and wiring. Not run on hardware; tests/test_micropython.py runs it with a stand-in for I2S.
"""

import sys
import time

from machine import I2S, Pin

import airmark

PINS = {"ESP32": (32, 25, 33), "esp32": (4, 5, 6), "rp2": (16, 17, 18)}
"""Of the first ESP32, of its successors, and of RP2; the chip's name ends the machine's."""
chip = getattr(sys.implementation, "_machine", "").split(" ")[-1]
clock, word_select, data = (Pin(pin) for pin in PINS.get(chip) or PINS[sys.platform])
RATE = 16000

detector = airmark.Detector([airmark.Key.load("secret.json")], rate=RATE)
buffer = bytearray(2048)
found = []  # type: list[airmark.Detection]


def heard(i2s):
    """A buffer is full: listen to it, and let it be filled again. Takes heap only where there is a mark."""
    try:
        marks = detector.process(buffer)
        if marks:
            found.extend(marks)
    finally:
        # Where there was no heap for a mark, too: else no buffer would come any more.
        i2s.readinto(buffer)


i2s = I2S(0, sck=clock, ws=word_select, sd=data, mode=I2S.RX, bits=16, format=I2S.MONO, rate=RATE, ibuf=16000)
i2s.irq(heard)
i2s.readinto(buffer)
while True:
    time.sleep(1)
    while found:
        d = found.pop(0)
        with open("detections.csv", "a") as file:
            file.write(f"{d.sample},{d.sample // RATE},{d.score},{d.drift_ppm}\n")
