"""Run an example as on a device, with stand-ins for what is not here: I2S hears clip.pcm, pins print what they do.

micropython run_example.py EXAMPLE PLATFORM    # in a folder with secret.json and clip.pcm; ends where the clip does

PLATFORM: as sys.platform and, behind a colon, sys.implementation._machine.
"""

import asyncio
import io
import sys

import micropython


class Over(BaseException):
    """The clip is at its end."""


class Pin:
    IN, OUT, PULL_UP = 0, 1, 2
    pressed_at = 0
    """Sample from which on a button is down; 0: never."""

    def __init__(self, name, mode=-1, pull=-1, *, value=None):
        there = {"with ESP32": set(range(40)) - {1, 3, 6, 7, 8, 9, 10, 11}, "with ESP32C3": range(11)}.get(
            System.implementation._machine.replace("Generic module ", "")
        )
        assert there is None or name in there, name
        self.name, self.level = name, value

    def value(self, level=None):
        if level is None:
            return int(not (Pin.pressed_at and I2S.heard >= Pin.pressed_at))
        if level != self.level:
            print("pin", self.name, int(level), "at", I2S.heard)
        self.level = level


class I2S(io.IOBase):
    RX, MONO, STEREO = 0, 0, 1
    heard, over = 0, False

    def __init__(self, id, *, sck, ws, sd, mode, bits, format, rate, ibuf):
        assert all(isinstance(pin, Pin) for pin in (sck, ws, sd))
        assert (mode, bits, format, rate) == (I2S.RX, 16, I2S.MONO, 16000)
        assert ibuf > 0
        self.file, self.handler = open("clip.pcm", "rb"), None

    def irq(self, handler):
        self.handler = handler

    def readinto(self, buffer):
        n = self.file.readinto(buffer)
        I2S.heard += n // 2
        I2S.over = n < len(buffer)
        if I2S.over and self.handler is None:
            raise Over
        if not I2S.over and self.handler is not None:
            micropython.schedule(self.handler, self)
        return n

    def ioctl(self, request, argument):
        return argument if request == 3 else 0  # a stream that can always be read


class Machine:
    pass


class Time:
    def sleep(self, seconds):
        """Lets callbacks run, until all was heard; then once more, for what was found meanwhile."""
        for _ in range(2000):
            pass
        if self.last:
            raise Over
        self.last = I2S.over

    last = False


class Implementation:
    pass


class System:
    argv = [sys.argv[1]]
    implementation = Implementation


# All of asyncio is loaded before what it needs is replaced.
assert asyncio.StreamReader
Machine.Pin, Machine.I2S = Pin, I2S
# An ESP32 of the first kind is told from its successors by the machine.
System.platform, _, System.implementation._machine = sys.argv[2].partition(": ")
if len(sys.argv) > 3:
    Pin.pressed_at = int(sys.argv[3])
with open(sys.argv[1]) as file:
    source = file.read()
sys.modules.update({"machine": Machine, "time": Time(), "sys": System})
try:
    exec(source, {"__name__": "__main__"})
except Over:
    print("over")
