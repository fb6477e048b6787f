"""Sound as it comes: from a microphone, or from a file played in real time."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from airmark import audio
from airmark.errors import AirmarkError, MissingExtraError

BLOCK_S = 0.05
"""Sound is handed on in blocks of about this length."""
WAITING_S = 10.0
"""How much sound may wait for whoever takes it before some is lost."""
PATIENCE_S = 0.2
"""How long an empty block is waited for; so long can the end of listening take."""

Block = npt.NDArray[np.floating[Any]]


def in_time(
    source: audio.Info, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Block]:
    """A file's blocks, (n, channels) float64, each when its last sample has been played and not before.

    now, sleep: the clock, seconds. Raises AirmarkError where the file is damaged.
    """
    start = now()
    played = 0
    for block in audio.blocks(source, max(1, round(BLOCK_S * source.rate))):
        played += len(block)
        wait = start + played / source.rate - now()
        if wait > 0:
            sleep(wait)
        yield block


class Microphone:
    """A sound card's input, by PortAudio; use it in a ``with`` statement and take its ``blocks``.

    The sound card's thread only copies into a queue. What is lost is counted: ``lost`` samples because they were not
    taken in time, which become silence so that later places stay right, and ``overruns`` times an unknown number
    because PortAudio itself dropped some.
    """

    def __init__(self, device: str | None = None, rate: int | None = None) -> None:
        """device: number or part of a name, default the system's; rate: Hz, default the device's own.

        Raises MissingExtraError without the package sounddevice, AirmarkError where PortAudio, the device or the rate
        is not to be had.
        """
        self._sd = _sounddevice()
        asked: int | str | None = int(device) if device is not None and device.isdecimal() else device
        try:
            found = self._sd.query_devices(asked, "input")
        except (ValueError, self._sd.PortAudioError) as error:
            raise AirmarkError(f"{_named(device)}: {_reason(error)}; {self._there()}") from None
        self.name = str(found["name"])
        self.rate = round(float(found["default_samplerate"])) if rate is None else rate
        audio.check_rate(self.rate, "--rate" if rate is not None else self.name)
        self.lost = self.overruns = 0
        self._gap = 0
        self._waiting: queue.Queue[tuple[int, Block]] = queue.Queue(round(WAITING_S / BLOCK_S))
        self._stream = self._open(asked)

    def _open(self, device: int | str | None) -> Any:
        reason: Exception | None = None
        # Some sound cards have no mono; the detector takes the mean of what there is.
        for channels in (1, 2):
            try:
                return self._sd.InputStream(
                    self.rate, round(BLOCK_S * self.rate), device, channels, "float32", callback=self._take
                )
            except (ValueError, self._sd.PortAudioError) as error:
                reason = reason or error
        assert reason is not None
        raise AirmarkError(f"{self.name} at {self.rate} Hz: {_reason(reason)}") from None

    def _there(self) -> str:
        try:
            devices = [d for d in self._sd.query_devices() if d["max_input_channels"] > 0]
        except self._sd.PortAudioError:
            devices = []
        names = ", ".join(f"{d['index']} {d['name']}" for d in devices)
        return f"there is {names}" if names else "this computer has no microphone that PortAudio knows"

    def __enter__(self) -> Microphone:
        """Begin to listen."""
        try:
            self._stream.start()
        except self._sd.PortAudioError as error:
            raise AirmarkError(f"{self.name}: {_reason(error)}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End listening."""
        self._stream.close()

    def _take(self, samples: Block, frames: int, moment: object, status: Any) -> None:
        """What PortAudio's own thread calls: must return at once."""
        if status.input_overflow:
            self.overruns += 1
        try:
            self._waiting.put_nowait((self._gap, samples.copy()))
            self._gap = 0
        except queue.Full:
            self._gap += frames
            self.lost += frames

    def blocks(self) -> Iterator[Block]:
        """What is heard, (n, channels) float32, and an empty block whenever nothing came for PATIENCE_S; never ends.

        Raises AirmarkError when the device stops.
        """
        while True:
            try:
                gap, samples = self._waiting.get(timeout=PATIENCE_S)
            except queue.Empty:
                if not self._stream.active:
                    raise AirmarkError(f"{self.name}: the microphone has stopped; is it still connected?") from None
                yield np.zeros((0, 1), np.float32)
                continue
            for start in range(0, gap, len(samples)):
                yield np.zeros((min(len(samples), gap - start), samples.shape[1]), np.float32)
            yield samples


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("listening to a microphone", "listen") from error
    except OSError as error:
        raise AirmarkError("the microphone needs PortAudio: install it (Debian and Ubuntu: libportaudio2)") from error
    return sounddevice


def _named(device: str | None) -> str:
    return "the default microphone" if device is None else f"--device {device}"


def _reason(error: Exception) -> str:
    """PortAudio's words, without its error numbers."""
    return str(error.args[0] if error.args else error).splitlines()[0]
