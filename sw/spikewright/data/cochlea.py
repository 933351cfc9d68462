"""A model of the inner ear: sound in, spikes of 700 channels out.

Four stages, after the pipeline that made the Spiking Heidelberg Digits [1], with equations and parameters of our own:

1. Basilar membrane: 700 gammatone filters [2] of order 4, whose centres lie evenly along the cochlea between 80 Hz and
   8 kHz (place-frequency map [3], bandwidths [4]). Channel 0 is the base, the highest frequency, as in SHD.
2. Hair cells: half-wave rectification; the fine structure is kept below about 1 kHz and smoothed to the envelope above,
   as the cell's membrane does; compression, saturation and short-term adaptation.
3. One spiking cell per channel, a leaky integrate-and-fire neuron with noise and a refractory period.
4. Spike times in whole ticks of 0.5 ms, which is the resolution of the published float16 times between 0.5 s and 1 s.

A word of 0.6 s takes about 0.1 s on one core: filters are applied in the frequency domain, and each channel is brought
back to the time domain in a band of 4 kHz around it only.

References
----------
[1] Cramer, Stradmann, Schemmel, Zenke, "The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking
    Neural Networks", IEEE Transactions on Neural Networks and Learning Systems, 2020.
[2] Patterson, Nimmo-Smith, Holdsworth, Rice, "An efficient auditory filterbank based on the gammatone function", 1987.
[3] Greenwood, "A cochlear frequency-position function for several species - 29 years later", J. Acoust. Soc. Am., 1990.
[4] Glasberg, Moore, "Derivation of auditory filter shapes from notched-noise data", Hearing Research, 1990.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft, signal

from spikewright.contract.errors import InputError
from spikewright.data.shd import CHANNELS

TICK = 0.0005
"""Resolution of the spike times, in seconds."""

LOWEST, HIGHEST = 80.0, 8000.0
"""Centre frequencies of the last and the first channel, in Hz."""

BAND = 4000
"""Width of the band in which a channel is computed, in Hz; two samples of it make a tick."""

_BLOCK = 20  # channels computed at once, few enough for the cache
_ORDER = 4  # of the gammatone filters
_LOCKING = 1000.0  # Hz, above which a hair cell's membrane smooths the fine structure
_LOUDNESS = 0.4  # root mean square of the sound after normalisation, in units of the hair cells' half saturation
_ADAPTATION, _ADAPTATION_TIME = 0.8, 0.030  # share of the drive that adapts away, and its time constant in seconds
_MEMBRANE_TIME = 0.004  # seconds
_GAIN = 1.15  # threshold voltages per tick at full drive
_NOISE, _SPONTANEOUS = 0.33, 0.12  # noise of the current: threshold voltages per tick at full drive; drive of silence
_REFRACTORY = 2  # ticks
_RINGING = 0.05  # seconds of silence that the cochlea is listened to after a sound

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Complex = npt.NDArray[np.complex128]


def centre_frequencies() -> Floats:
    """Centre frequency of each channel in Hz, falling; shape (700,). Evenly spaced in Greenwood's place x:

    ``f = 165.4 * (10**(2.1 * x) - 0.88)``.
    """
    base, apex = (math.log10(f / 165.4 + 0.88) / 2.1 for f in (HIGHEST, LOWEST))
    return 165.4 * (10 ** (2.1 * np.linspace(base, apex, CHANNELS)) - 0.88)


def bandwidths(frequencies: Floats) -> Floats:
    """Equivalent rectangular bandwidth in Hz of the auditory filters centred at `frequencies` (Glasberg and Moore)."""
    return 24.7 * (4.37 * frequencies / 1000 + 1)


@lru_cache(maxsize=4)
def _filters(size: int, sample_rate: int) -> tuple[Integers, Complex]:
    """First frequency bin of each channel's band, and the gammatone response in it: shapes (700,), (700, band bins)."""
    centres = centre_frequencies()[:, None]
    bins = size * BAND // sample_rate
    first = np.maximum(np.rint(centres * size / sample_rate).astype(np.int64) - bins // 2, 0)
    frequency = (first + np.arange(bins)) * (sample_rate / size)
    response = 1 / (1 + 1j * (frequency - centres) / (1.019 * bandwidths(centres)))
    return first[:, 0], (response**_ORDER * (2 * bins / size)).astype(np.complex128)


def receptor_currents(sound: Floats, sample_rate: int) -> Floats:
    """Basilar membrane and the membranes of the hair cells: rectified motion of each channel.

    Parameters
    ----------
    sound : float64 array, shape (n,)
        In units of the hair cells' half saturation.
    sample_rate : int
        In Hz, at least 8000.

    Returns
    -------
    float64 array, shape (ticks, 700)
        Per tick of 0.5 ms, up to 50 ms after the end of the sound.
    """
    # Both sizes are whole: `size` samples of sound last as long as `bins` of a band. Few sizes, so that the filters are
    # made once.
    unit = sample_rate // math.gcd(sample_rate, BAND)
    duration = len(sound) / sample_rate + _RINGING
    size = unit * fft.next_fast_len(math.ceil(0.3 * math.ceil(duration / 0.3) * sample_rate / unit))
    first, response = _filters(size, sample_rate)
    bins = response.shape[1]
    spectrum = np.zeros(int(first[0]) + bins, np.complex128)
    positive = fft.rfft(sound, size)[: len(spectrum)]
    spectrum[: len(positive)] = positive
    bands = np.lib.stride_tricks.sliding_window_view(spectrum, bins)
    centres = centre_frequencies()
    # The share of the fine structure that the cells' membrane, a low-pass of fourth order, lets through. Only a band
    # that starts at 0 Hz has its true phase; all others are far above the cells' reach.
    kept = np.where(first == 0, 1 / np.sqrt(1 + (centres / _LOCKING) ** 8), 0)
    ticks = min(math.ceil(duration / TICK), bins // 2)
    currents = np.empty((ticks, CHANNELS))
    for start in range(0, CHANNELS, _BLOCK):
        block = slice(start, start + _BLOCK)
        motion = fft.ifft(bands[first[block]] * response[block], axis=1)[:, : 2 * ticks]
        current = np.abs(motion) / math.pi  # the mean of a half-wave rectified oscillation
        if kept[block].any():
            current += kept[block, None] * (np.maximum(motion.real, 0) - current)
        currents[:, block] = ((current[:, 0::2] + current[:, 1::2]) / 2).T
    return currents


def hair_cells(currents: Floats) -> Floats:
    """Drive of each channel's spiking cell, 0 to 1, after compression, saturation and adaptation.

    With the receptor current c, ``s = sqrt(c) / (1 + sqrt(c))`` and its running mean m, the drive is
    ``max(0, s - 0.8 m)``.

    Parameters
    ----------
    currents : float64 array, shape (ticks, channels)
        What `receptor_currents` returns.

    Returns
    -------
    float64 array, shape (ticks, channels)
    """
    compressed = np.sqrt(currents)
    drive = compressed / (1 + compressed)
    leak = math.exp(-TICK / _ADAPTATION_TIME)
    adapted: Floats = signal.lfilter([1 - leak], [1, -leak], drive, axis=0)
    # Rounded, so that the last bits of the transform, which differ between processors, hardly ever reach the cells.
    return np.asarray(np.round(np.maximum(drive - _ADAPTATION * adapted, 0), 6), np.float64)


def fire(drive: Floats, rng: np.random.Generator) -> tuple[Floats, Integers]:
    """Spikes of leaky integrate-and-fire cells with noise.

    Per tick ``v <- max(0, leak * v + gain * drive + noise * sqrt(drive + spontaneous) * N(0, 1))``, a spike where
    ``v >= 1``, then ``v <- 0`` and two ticks of silence.

    Parameters
    ----------
    drive : float64 array, shape (ticks, channels)
    rng : Generator

    Returns
    -------
    times : float64 array, shape (spikes,)
        In seconds, whole ticks, rising.
    units : int64 array, shape (spikes,)
        Channels, rising within a tick.
    """
    leak = round(math.exp(-TICK / _MEMBRANE_TIME), 6)
    # Drawn without regard to the drive: a spike more or less leaves the rest of the random numbers as they were.
    current = _GAIN * drive + _NOISE * np.sqrt(drive + _SPONTANEOUS) * rng.standard_normal(drive.shape)
    v = np.zeros(drive.shape[1])
    silent = np.zeros(drive.shape[1], np.int64)
    fired = np.zeros(drive.shape, bool)
    for tick, input_current in enumerate(current):
        v *= leak
        v += input_current
        np.maximum(v, 0, out=v)
        v[silent > 0] = 0
        silent -= 1
        spikes = v >= 1
        fired[tick] = spikes
        v[spikes] = 0
        silent[spikes] = _REFRACTORY
    ticks, units = np.nonzero(fired)
    return (ticks * TICK).astype(np.float64), units.astype(np.int64)


def hear(
    sound: npt.ArrayLike, sample_rate: int, *, seed: int | tuple[int, ...] = 0, level: float = 0.0
) -> tuple[Floats, Integers]:
    """Spikes that a sound causes in the inner ear.

    Parameters
    ----------
    sound : array, shape (n,)
        Pressure, in any unit: the sound is normalised to a fixed root mean square.
    sample_rate : int
        In Hz, at least 8000.
    seed : int or tuple of int
        Seed of the noise of the cells. The same seed gives the same spikes.
    level : float
        Loudness in dB relative to the normal one.

    Returns
    -------
    times : float64 array, shape (spikes,)
        Seconds from the start of the sound, rising. The last spikes come up to 50 ms after its end.
    units : int64 array, shape (spikes,)
        Channels 0 (8 kHz) to 699 (80 Hz).

    Raises
    ------
    InputError
        If the sound is not a row of finite numbers, or the sample rate is too low.
    """
    samples = np.asarray(sound, np.float64)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise InputError("sound must be a row of finite numbers, not another array")
    if sample_rate < 8000:
        raise InputError(f"sample_rate must be at least 8000 Hz, not {sample_rate}")
    loudness = math.sqrt(float(np.mean(samples**2))) if len(samples) else 0.0
    if loudness > 0:
        samples = samples * (_LOUDNESS * 10 ** (level / 20) / loudness)
    return fire(hair_cells(receptor_currents(samples, sample_rate)), np.random.default_rng(seed))
