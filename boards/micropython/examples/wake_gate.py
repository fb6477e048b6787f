"""The gate: a wake word that comes from a marked broadcast does not wake. For ESP32 and Raspberry Pi Pico.

A button stands for the wake-word engine: pressed, it says that the second before was the word. With an engine of your
own give the samples at which its word begins and ends. See second_screen.py for the parts and the wiring. Not run on
hardware; tests/test_micropython.py runs it with a stand-in for I2S.
"""

import sys

from machine import I2S, Pin

import airmark

PINS = {"ESP32": (32, 25, 33, 2, 0), "esp32": (4, 5, 6, 2, 0), "rp2": (16, 17, 18, "LED", 15)}
"""As in second_screen.py, and the button's."""
chip = getattr(sys.implementation, "_machine", "").split(" ")[-1]
clock, word_select, data, led_pin, button_pin = PINS.get(chip) or PINS[sys.platform]
led = Pin(led_pin, Pin.OUT, value=0)
button = Pin(button_pin, Pin.IN, Pin.PULL_UP)
RATE = 16000

detector = airmark.Detector([airmark.Key.load("secret.json")], rate=RATE, early=True)
gate = airmark.Gate(airmark.GateConfig(RATE, wait=RATE // 2))
pins = {"sck": Pin(clock), "ws": Pin(word_select), "sd": Pin(data)}
i2s = I2S(0, **pins, mode=I2S.RX, bits=16, format=I2S.MONO, rate=RATE, ibuf=16000)
buffer = memoryview(bytearray(640))
heard = 0
word = None
was_down = False
while True:
    n = i2s.readinto(buffer)
    marks = detector.process(buffer[:n])
    heard += n // 2
    for d in marks:
        gate.mark(d, heard)
    gate.heard(heard)
    down = not button.value()
    if down and not was_down and heard > RATE and word is None:
        word = airmark.Word(heard - RATE, heard, heard)
    was_down = down
    if word is not None:
        answer = gate.ask(word)
        if answer.verdict != airmark.Verdict.WAIT:
            woken = answer.verdict == airmark.Verdict.WAKE
            print("awake" if woken else "part of a broadcast", answer.sample)
            led.value(woken)
            word = None
