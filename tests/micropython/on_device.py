"""What the module airmark must do, on any interpreter: MicroPython on a device or an emulator, and CPython on the host.

    <interpreter> on_device.py FOLDER    # prints a line for each check, last "N passed, N failed"

FOLDER is made by interpreters.py: golden vectors as they are, a marked clip with the detections that the integer model
gives for it, key files. MicroPython needs the module `sound` too, which makes the vectors' input (soundmod/).
"""

import gc
import json
import struct
import sys
from array import array

import airmark

DEVICE = sys.implementation.name == "micropython"
if DEVICE:
    import micropython
    import sound

FOLDER = sys.argv[1] if len(sys.argv) > 1 else "/files"
KINDS = ("constant", "square", "ramp", "noise", "mark")
FIELDS = ("sample", "score_q8", "drift_ppm_q4", "key", "early")

passed = failed = 0


def load(name):
    with open(FOLDER + "/" + name) as file:
        return json.load(file)


def check(name, function, *arguments):
    """Runs a check: a function that raises AssertionError where something is not as it must be."""
    global passed, failed
    gc.collect()
    try:
        function(*arguments)
        passed += 1
        print("ok", name)
    except Exception as error:
        failed += 1
        print("not ok", name)
        sys.print_exception(error) if DEVICE else sys.excepthook(type(error), error, error.__traceback__)


def same(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def raw(detection):
    """A detection in the integers that golden vectors have."""
    score, drift = detection.score * 256, detection.drift_ppm * 16
    same((score % 1, drift % 1), (0, 0))
    return [detection.sample, int(score), int(drift), detection.key, detection.early]


def refuses(kind, words, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except kind as error:
        if words not in str(error):
            raise AssertionError(f"said {str(error)!r}, not {words!r}") from None
        return
    raise AssertionError(f"took {arguments!r} {options!r}")


# Golden vectors


if DEVICE:

    def key_of(columns):
        return airmark.Key(struct.pack("<4I", *(int(column[2:], 16) for column in columns)))

    class Input:
        """The samples of a recipe, in order."""

        def __init__(self, case):
            words = []
            for layer in case["input"]:
                seed = layer.get("seed", 0)
                start = [KINDS.index(layer["kind"]), layer["start"], layer["length"], layer.get("step", 0), seed]
                start += [layer.get("value", layer.get("first", 0))]
                start += [layer.get(name, 0) for name in ("high", "low", "amplitude", "period", "burst")]
                start += [int(column[2:], 16) for column in layer.get("columns", ["0x0"] * 4)]
                words += start + layer.get("amplitudes", [0] * 4) + [0] * 16
            self.layers = bytearray(b"".join(struct.pack("<I", word & 0xFFFFFFFF) for word in words))
            self.room = memoryview(bytearray(8192))
            self.at = 0

        def take(self, count):
            piece = self.room[: 2 * min(count, len(self.room) // 2)]
            sound.fill(self.layers, self.at, piece)
            self.at += len(piece) // 2
            return piece

else:
    import numpy as np

    from airmark.fixed import vectors
    from airmark.profile import profile

    class ToldApart(airmark.Key):
        """As on a device nobody minds one key given twice, which a vector has."""

        __eq__, __hash__ = object.__eq__, object.__hash__

    def key_of(columns):
        words = np.array([int(column, 16) for column in columns])
        return ToldApart(1 - 2 * (words >> np.arange(31, -1, -1)[:, None] & 1)[:, None, :], profile())

    class Input:
        """The same of the model's recipes."""

        def __init__(self, case):
            (of_model,) = (one for one in vectors.cases() if one.name == case["name"])
            self.samples = of_model.samples().astype("<i2")
            self.at = 0

        def take(self, count):
            self.at += count
            return self.samples[self.at - count : self.at].tobytes()


def new_detector(case, keys):
    return airmark.Detector(
        [key_of(key) for key in keys],
        case["rate"],
        threshold=case["threshold_q8"] / 256,
        early=case["early"],
        first_sample=case["first_sample"],
    )


def vector(name):
    """Detections, and after how many samples each; the score and what was dropped at the end."""
    case = load("vectors/" + name)
    detector, source = new_detector(case, case["keys"]), Input(case)
    events = {event["at"]: event for event in case["events"]}
    # Calls end right before and right after the sample at which a detection must become certain.
    cuts, begun = {case["length"]} | set(events), 0
    for at in sorted(events) + [case["length"]]:
        ats = [d["at"] + begun for d in case["detections"] if d["at"] + begun <= at]
        cuts |= {end for whole in ats for end in (whole - 1, whole)}
        begun = at
    found, begun = [], 0
    for cut in sorted(cuts):
        while source.at < cut:
            for d in detector.process(source.take(cut - source.at)):
                found.append(raw(d) + [source.at - begun])
        if cut in events:
            begun, keys = cut, events[cut].get("keys")
            detector.reset()
            detector = new_detector(case, keys) if keys else detector
    same(found, [[d[field] for field in FIELDS] + [d["at"]] for d in case["detections"]])
    same((detector.score * 256, detector.dropped), (case["score_q8"], case["dropped"]))


# A marked clip


def clip_blocks(size, offset=0):
    """The clip in blocks of so many samples, from a buffer at an address that is offset from a whole word."""
    room = memoryview(bytearray(2 * size + offset))[offset:]
    with open(FOLDER + "/clip.pcm", "rb") as file:
        while True:
            length = file.readinto(room)
            if not length:
                return
            yield room[:length]


def clip_detections(size, offset=0, detector=None, as_type=None):
    detector = detector or airmark.Detector([key], rate=clip["rate"])
    found = []
    for block in clip_blocks(size, offset):
        found += detector.process(as_type(block) if as_type else block)
    return found + list(detector.flush())


def clip_is_found():
    detector, found = airmark.Detector([key], rate=clip["rate"]), []
    for block in clip_blocks(160):
        for d in detector.process(block):
            found.append(d)
    same([raw(d) for d in found], clip["detections"])
    same(detector.score * 256, clip["score_q8"])
    same(list(detector.flush()), [])
    same([abs(d.time_s - d.sample / clip["rate"]) < 1e-6 for d in found], [True] * len(found))


def clip_cut(size, offset):
    same([raw(d) for d in clip_detections(size, offset)], clip["detections"])


def clip_in(as_type):
    same([raw(d) for d in clip_detections(1000, as_type=as_type)], clip["detections"])


def clip_twice():
    """A reset detector counts and finds as a new one; one with more sound behind it goes on counting."""
    detector = airmark.Detector(key, clip["rate"], first_sample=(1 << 63) - 1)
    moved = [[d[0] + (1 << 63) - 1] + d[1:] for d in clip["detections"]]
    for _ in range(2):
        same([raw(d) for d in clip_detections(441, detector=detector)], moved)
        detector.reset()
        same((detector.score, detector.dropped), (0, 0))


def several_keys():
    detector = airmark.Detector([other, key, other_yet], clip["rate"], threshold=6.5)
    same([raw(d) for d in clip_detections(500, detector=detector)], [d[:3] + [1] + d[4:] for d in clip["detections"]])
    same([k.name for k in detector.keys], ["other", "secret", "other_yet"])


def early():
    """Told a second sooner, before the mark has ended."""
    detector = airmark.Detector([key], clip["rate"], early=True, threshold=5.0)
    found, heard = [], 0
    for block in clip_blocks(160):
        heard += len(block) // 2
        for d in detector.process(block):
            found.append(raw(d))
            assert not d.early or heard < d.sample + 32768, (heard, d.sample)
    same(found + [raw(d) for d in detector.flush()], clip["early"])


# Memory


def no_allocation():
    """Listening takes no heap, nor does it need one: that is what a hard interrupt has."""
    detector = airmark.Detector([key], clip["rate"])
    quiet = bytearray(320)
    process = detector.process
    # What is allocated once, on the first call of a method and of gc, is behind.
    process(quiet)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    i = 0
    while i < 300:
        process(quiet)
        i += 1
    after = gc.mem_alloc()
    micropython.heap_lock()
    i = 0
    nothing = None
    try:
        while i < 300:
            nothing = process(quiet)
            i += 1
    finally:
        micropython.heap_unlock()
        gc.enable()
    same(after - before, 0)
    assert process(quiet) is nothing, "not one and the same empty tuple"


def hard_interrupts():
    """Without a heap a mark raises MemoryError, all samples are heard nevertheless, and listening goes on."""
    detector, errors, samples = airmark.Detector([key], clip["rate"]), 0, 0
    for block in clip_blocks(1000):
        samples += len(block) // 2
        micropython.heap_lock()
        try:
            detector.process(block)
        except MemoryError:
            errors += 1
        finally:
            micropython.heap_unlock()
    same(errors, len(clip["detections"]))
    again = [d.sample - samples for block in clip_blocks(160) for d in detector.process(block)]
    places = [sample for sample, *_ in clip["detections"]]
    same([abs(again[i] - places[i]) < 20 for i in range(len(again))], [True] * errors)
    detector.reset()
    same([raw(d) for d in clip_detections(300, detector=detector)], clip["detections"])


def two_threads():
    """Of two calls at once the later is refused, until the other is over. Only one thread uses the heap at a time."""
    import _thread
    import time

    # state: whether it is over, and how many calls were. At an odd address samples are taken in many pieces.
    detector, state = airmark.Detector([key], clip["rate"]), bytearray(2)
    silence = memoryview(bytearray(200001))[1:]

    def listen():
        try:
            while state[1] < 100:
                try:
                    detector.process(silence)
                    state[1] += 1
                except RuntimeError:
                    pass
        finally:
            state[0] = 1

    _thread.start_new_thread(listen, ())
    refused = within = 0
    refusing, taken = None, False
    while not state[0]:
        call = state[1]
        try:
            detector.reset()
            taken = True
        except RuntimeError:
            refused += 1
            if call == state[1]:
                # The same call refuses again: it was under way when one was taken.
                within += taken and call == refusing
                refusing, taken = call, False
    while not state[0]:
        time.sleep(0.01)
    time.sleep(0.05)
    same((refused > 0, within, state[1]), (True, 0, 100))
    detector.reset()
    same([raw(d) for d in clip_detections(300, detector=detector)], clip["detections"])


def survives_the_collector():
    """The keys and the state stay, whatever else is collected and written over."""
    detector = airmark.Detector([airmark.Key(bytes(key.words))], clip["rate"])
    found = []
    for i, block in enumerate(clip_blocks(400)):
        found += detector.process(block)
        if i % 40 == 0:
            gc.collect()
            junk = [b"\xff" * (16 + i) for i in range(50)]
            del junk
    same([raw(d) for d in found + list(detector.flush())], clip["detections"])


def heap_bytes():
    gc.collect()
    before = gc.mem_alloc()
    detector = airmark.Detector([key], clip["rate"])
    # What was needed on the way only is gone then.
    gc.collect()
    print("heap", gc.mem_alloc() - before, "bytes for a detector with", len(detector.keys), "key")
    assert gc.mem_alloc() - before < 16384


def one_mark_of_many():
    """Who keeps one mark of a call does not keep its others: of two one goes at least, whatever lies on the stack."""
    part = 88000
    sound = memoryview(bytearray(3 * part))
    for i in range(3):
        with open(FOLDER + "/clip.pcm", "rb") as file:
            file.seek(24000)
            same(file.readinto(sound[part * i : part * (i + 1)]), part)
    kept = list(airmark.Detector([key], clip["rate"]).process(sound))
    same(len(kept), 3)
    sound = None
    gc.collect()
    before = gc.mem_alloc()
    del kept[1:]
    gc.collect()
    freed = before - gc.mem_alloc()
    assert freed >= 32, f"{freed} bytes are free again"


def soft_interrupts():
    """Blocks are processed in scheduled callbacks while the main program works, and nothing is lost."""
    detector = airmark.Detector([key], clip["rate"])
    found = []

    def heard(block):
        found.extend(detector.process(block))

    # A file cannot be read by a callback that interrupts its reading: blocks are read here, and kept until heard.
    for block in clip_blocks(640):
        micropython.schedule(heard, bytes(block))
        work = 0
        for i in range(20):
            work += i
    found.extend(detector.flush())
    same([raw(d) for d in found], clip["detections"])


# Names, values and errors


def names():
    same(airmark.NUMERIC_VERSION, load("vectors/index.json")["numeric_version"])
    same(airmark.VERSION, clip["version"])
    detector = airmark.Detector(key)
    same((detector.rate, detector.engine, detector.first_sample), (16000, "c", 0))
    same((detector.score, detector.dropped), (0, 0))
    same(list(detector.keys), [key])
    same(list(detector.process(b"")), [])
    # One false alarm a year, all keys together.
    for count, wanted in enumerate(clip["thresholds_q8"]):
        keys = ([key, other, other_yet] + more_keys)[: count + 1]
        same(-(-airmark.Detector(keys).threshold * 256 // 1), wanted)
    (found,) = clip_detections(2000)[:1]
    shown = str(found)
    assert shown.startswith(f"Detection(sample={found.sample}, time_s="), shown
    assert shown.endswith(", key=0, early=False)"), shown
    assert "secret" in repr(key), repr(key)
    assert "+" not in repr(key), repr(key)
    assert "\\x" not in repr(key), repr(key)


def threshold_is_a_score():
    (score,) = [d[1] for d in clip["detections"]]
    for threshold, count in ((score / 256, 1), (score / 256 + 0.001, 0), (6, 1), (-5, 1), (200.0, 0)):
        same(len(clip_detections(3000, detector=airmark.Detector(key, threshold=threshold))), count)


def errors():
    detector = airmark.Detector([key])
    refused = airmark.AirmarkError
    buffer = bytearray(320)
    wrong_type = TypeError if DEVICE else refused
    refuses(refused, "whole", detector.process, buffer[:3])
    for bad in (3, None, "text", [1, 2], array("f", [0.0]), array("H", [0])):
        refuses(wrong_type, "array('h'), bytes, bytearray or a memoryview", detector.process, bad)
    for rate in (0, 3, -16000, 1 << 40):
        refuses(refused, "rate", airmark.Detector, [key], rate)
    refuses(refused, "at least one", airmark.Detector, [])
    for blank in ("0x00000000", "0xFFFFFFFF"):
        refuses(refused, "band", airmark.Detector, [key, key_of(["0x1", "0x2", blank, "0x4"])])
    refuses(refused, "engine", airmark.Detector, key, engine="best")
    for threshold in (float("nan"), float("inf"), -float("inf")):
        refuses(refused, "threshold", airmark.Detector, key, threshold=threshold)
    for first in (-1, 1 << 63):
        refuses(refused, "sample", airmark.Detector, key, first_sample=first)
    refuses(TypeError, "", airmark.Detector)
    refuses(TypeError, "", airmark.Detector, key, 16000, 6.5)
    refuses(TypeError, "", airmark.Detector, key, volume=11)
    if DEVICE:
        for keys in (3, None, "text", b"0123456789abcdef"):
            refuses(TypeError, "keys must be a Key", airmark.Detector, keys)
        for keys in ([3], [key, None], (b"0123456789abcdef",)):
            refuses(TypeError, "each of the keys must be a Key", airmark.Detector, keys)
        refuses(ValueError, "no more than", airmark.Detector, [key] * (airmark.MAX_KEYS + 1))
        changing = [key, key]
        changing.insert(0, ChangesTheList(changing))
        same(len(airmark.Detector(changing).keys), 3)
        refuses(ValueError, "16 bytes", airmark.Key, b"short")
        refuses(TypeError, "threshold must be a number", airmark.Detector, key, threshold="6")
        refuses(TypeError, "whole number", airmark.Detector, key, first_sample=1.5)
        refuses(TypeError, "rate must be", airmark.Detector, key, "16000")
        refuses(TypeError, "", airmark.Detection)
    # What was refused changed nothing.
    same([raw(d) for d in clip_detections(320, detector=detector)], clip["detections"])


class ChangesTheList:
    """A key in a list that is emptied as the key is read."""

    def __init__(self, changed):
        self.changed = changed

    @property
    def words(self):
        self.changed.clear()
        return key.words


def bad_keys():
    for name, words in clip["bad_keys"].items():
        refuses(airmark.AirmarkError, words, airmark.Key.load, FOLDER + "/" + name)
        refuses(airmark.AirmarkError, name, airmark.Key.load, FOLDER + "/" + name)


# Gate


def gate_answers():
    """A word within the clip's mark is suppressed as soon as the mark is told, one before it wakes."""
    ((mark, *_),) = clip["detections"]
    gate = airmark.Gate(airmark.GateConfig(clip["rate"], 40000))
    detector = airmark.Detector([key], clip["rate"])
    inside = airmark.Word(mark + 8000, mark + 16000, mark + 17000)
    before = airmark.Word(mark - 9000, mark - 2000, mark - 2000)
    heard, answers = 0, []
    for block in clip_blocks(160):
        found = detector.process(block)
        heard += len(block) // 2
        for d in found:
            gate.mark(d, heard)
        gate.heard(heard)
        for name, word in (("inside", inside), ("before", before)):
            if heard >= word.reported and name not in [told[0] for told in answers]:
                answer = gate.ask(word)
                if answer.verdict != airmark.Verdict.WAIT:
                    told = answer.mark and answer.mark.sample
                    answers.append([name, int(answer.verdict), answer.sample, answer.limited, answer.late, told])
    same(answers, clip["answers"])
    gate.reset(0)
    same(gate.ask(inside).verdict, airmark.Verdict.WAIT)
    refuses(airmark.AirmarkError, "a word that does not end after its start", gate.ask, airmark.Word(5, 5, 5))
    gate.heard(100)
    refuses(airmark.AirmarkError, "from before what was heard", gate.heard, 99)
    refuses(airmark.AirmarkError, "overlap", airmark.Gate, airmark.GateConfig(16000, 0, 101))
    refuses(airmark.AirmarkError, "rate", airmark.Gate, airmark.GateConfig(11025, 0))
    same(sorted(airmark.GateConfig(16000, 0, keys=(i for i in (1, 2))).keys), [1, 2])
    # What a gate asks for was said when it was made.
    refuses(AttributeError, "", setattr, airmark.GateConfig(16000, 0, keys=[1]), "keys", [0])
    for key_index in (-1, 256):
        refuses(airmark.AirmarkError, "key", lambda k: airmark.Gate(airmark.GateConfig(16000, 0, keys=[k])), key_index)
    if DEVICE:
        refuses(TypeError, "must be a Detection", gate.mark, 3, 200)
        refuses(TypeError, "heard must be", gate.heard, 3.5)
        refuses(TypeError, "three samples", gate.ask, ("a", "b", "c"))
        for wait in (-1, 1 << 32):
            refuses(ValueError, "wait must be", airmark.Gate, airmark.GateConfig(16000, wait))
        config = airmark.GateConfig(16000, 0)
        for config.mask in (b"", bytes(31), bytes(33)):
            refuses(ValueError, "mask must be 32 bytes", airmark.Gate, config)


def gate_minds_its_keys():
    ((mark, *_),) = clip["detections"]
    (found,) = clip_detections(4000)
    word = airmark.Word(mark + 8000, mark + 16000, mark + 17000)
    for keys, verdict in (([0], airmark.Verdict.SUPPRESS), ([1, 255], airmark.Verdict.WAKE)):
        gate = airmark.Gate(airmark.GateConfig(clip["rate"], 100000, keys=keys), first_sample=1)
        gate.mark(found, mark + 20000)
        gate.heard(mark + 90000)
        same(gate.ask(word).verdict, verdict)


clip = load("clip.json")
key, other, other_yet = (airmark.Key.load(FOLDER + "/" + name + ".json") for name in ("secret", "other", "other_yet"))
more_keys = [key_of(["0x%08X" % (i * 0x1234567) for i in range(n, n + 4)]) for n in range(1, 6)]

for case in load("vectors/index.json")["cases"]:
    check("vector " + case["file"], vector, case["file"])
check("clip", clip_is_found)
for size, offset in ((1, 0), (7, 1), (160, 3), (441, 0), (65, 1), (4001, 0), (70000, 0)):
    check(f"clip in blocks of {size} at an offset of {offset} bytes", clip_cut, size, offset)
for kind, as_type in (("bytes", bytes), ("bytearray", bytearray), ("array", lambda block: array("h", bytes(block)))):
    check("clip in " + kind, clip_in, as_type)
check("clip twice", clip_twice)
check("several keys", several_keys)
check("early", early)
check("names and values", names)
check("threshold", threshold_is_a_score)
check("errors", errors)
check("bad key files", bad_keys)
check("gate", gate_answers)
check("gate's keys", gate_minds_its_keys)
if DEVICE:
    check("no allocation while listening", no_allocation)
    check("the collector", survives_the_collector)
    check("one mark of many", one_mark_of_many)
    check("soft interrupts", soft_interrupts)
    check("hard interrupts", hard_interrupts)
    check("heap", heap_bytes)
    if getattr(sys.implementation, "_thread", "") == "unsafe":
        check("two threads", two_threads)
print(passed, "passed,", failed, "failed")
if not DEVICE:
    sys.exit(failed > 0)
