"""What listening costs under MicroPython: for each host the core's counter over every call of process, and the heap.

Prints lines of a word and a number, as tests/cost.c does; listening_cost.py makes figures of them.
"""

import gc
from array import array

import airmark
from machine import mem32

CONTROL, RELOAD, VALUE = 0xE000E010, 0xE000E014, 0xE000E018
MASK = 0xFFFFFF

mem32[RELOAD] = MASK
mem32[VALUE] = 0
mem32[CONTROL] = 5

with open("/files/key", "rb") as file:
    key = airmark.Key(file.read())
block = bytearray(320)
counts = array("I", [0] * 1000)


def listen(process, file):
    """Counts of every block of the file."""
    blocks = 0
    while file.readinto(block) == len(block):
        start = mem32[VALUE]
        process(block)
        counts[blocks] = (start - mem32[VALUE]) & MASK
        blocks += 1
    return blocks


def nothing():
    """What counting adds to each of the counts."""
    start = mem32[VALUE]
    return (start - mem32[VALUE]) & MASK


nothing()
print("empty", nothing())
for host in range(2):
    gc.collect()
    before = gc.mem_alloc()
    detector = airmark.Detector(key, 16000)
    gc.collect()
    print("heap", gc.mem_alloc() - before)
    with open(f"/files/{host}.pcm", "rb") as file:
        blocks = listen(detector.process, file)
    print("host", host)
    for i in range(blocks):
        print("block", counts[i])
    del detector
