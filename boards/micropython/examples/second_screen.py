"""A second screen: the LED lights for two seconds at each mark that the microphone hears. For ESP32 and RP2 (Pico).

Needs airmark.mpy (or a firmware with airmark inside), a key as secret.json, and an I2S microphone such as the INMP441,
wired to the pins below, L/R to ground. Not run on hardware; tests/test_micropython.py runs it with a stand-in for I2S.
"""

import asyncio
import sys

from machine import I2S, Pin

import airmark

PINS = {"ESP32": (32, 25, 33, 2), "esp32": (4, 5, 6, 2), "rp2": (16, 17, 18, "LED")}
"""Bit clock, word select (on RP2 the pin after that), data, LED: of the first ESP32, of its successors, and of RP2."""
chip = getattr(sys.implementation, "_machine", "").split(" ")[-1]
clock, word_select, data, led_pin = PINS.get(chip) or PINS[sys.platform]
led = Pin(led_pin, Pin.OUT, value=0)


async def light():
    """Two seconds of light."""
    led.value(1)
    await asyncio.sleep(2)
    led.value(0)


async def main():
    """Listen, for ever."""
    detector = airmark.Detector([airmark.Key.load("secret.json")], rate=16000, early=True)
    pins = {"sck": Pin(clock), "ws": Pin(word_select), "sd": Pin(data)}
    i2s = I2S(0, **pins, mode=I2S.RX, bits=16, format=I2S.MONO, rate=16000, ibuf=16000)
    reader = asyncio.StreamReader(i2s)
    lit = None
    buffer = memoryview(bytearray(1024))
    while True:
        n = await reader.readinto(buffer)
        for d in detector.process(buffer[:n]):
            print(d)
            if lit is None or lit.done():
                lit = asyncio.create_task(light())


asyncio.run(main())
