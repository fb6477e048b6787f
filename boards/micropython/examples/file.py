"""Detect in a WAV file (one channel, 16 bits): the same script on a device, on a computer, and in CPython on the host.

micropython file.py secret.json heard.wav
"""

import struct
import sys

import airmark

PCM, EXTENSIBLE = 1, 0xFFFE
"""Formats of a WAV file; of the second the format itself comes later."""
UNTIL_THE_END = 0xFFFFFFFF
"""Length of sound that was written to a pipe."""


def fail(what):
    """Say what is wrong and end: MicroPython's sys.exit may print nothing."""
    print("file.py:", what)
    sys.exit(2)


def rate_of(chunk, name):
    """The rate that the chunk of the format tells."""
    if len(chunk) < 16:
        fail(name + " is a broken WAV file: its format is cut off")
    form, channels, rate, bits = struct.unpack("<HHI6xH", chunk[:16])
    if form == EXTENSIBLE and len(chunk) >= 26:
        (form,) = struct.unpack("<H", chunk[24:26])
    if (form, channels, bits) != (PCM, 1, 16):
        other = "" if form == PCM else f"format {form}, "
        has = f"{name} has {other}channels: {channels}, bits: {bits}"
        fail(has + "; give PCM of one channel and 16 bits, as a microphone's")
    return rate


def find_sound(file, name):
    """The rate and how many bytes of sound there are, which come next in the file."""
    start = file.read(12)
    if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
        fail(name + " is not a WAV file")
    rate = None
    while True:
        head = file.read(8)
        if len(head) < 8:
            fail(name + " is a broken WAV file: there is no sound in it")
        kind, size = struct.unpack("<4sI", head)
        if kind == b"data":
            if rate is None:
                fail(name + " is a broken WAV file: no format comes before the sound")
            return rate, size
        read = min(size, 40) if kind == b"fmt " else 0
        if read:
            rate = rate_of(file.read(read), name)
        file.seek(size + size % 2 - read, 1)


def main(key, name):
    """Print a line for each mark: sample, score, drift, key."""
    with open(name, "rb") as file:
        rate, size = find_sound(file, name)
        heard = 0
        detector = airmark.Detector([airmark.Key.load(key)], rate=rate)
        buffer = memoryview(bytearray(1024))
        while True:
            n = file.readinto(buffer[: min(size - heard, len(buffer))])
            if not n:
                break
            heard += n
            tell(detector.process(buffer[: n - n % 2]))
        tell(detector.flush())
    if size != UNTIL_THE_END and heard < size:
        fail(f"{name} is cut short: {size - heard} of {size} bytes of sound are missing")
    if heard < 2:
        fail(name + " is a broken WAV file: there is no sound in it")


def tell(marks):
    """A line for each."""
    for d in marks:
        print(d.sample, d.score, d.drift_ppm, d.key)


if len(sys.argv) != 3:
    fail("give a key file and a WAV file: file.py secret.json heard.wav")
try:
    main(sys.argv[1], sys.argv[2])
except OSError as error:
    fail(f"{sys.argv[2]}: cannot read it ({error})")
except airmark.AirmarkError as error:
    fail(str(error))
