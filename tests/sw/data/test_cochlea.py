from typing import Any

import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data import cochlea

RATE = 22050


def tone(frequency: float, seconds: float = 0.4, rate: int = RATE) -> Any:
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def test_centres_lie_evenly_along_the_cochlea() -> None:
    centres = cochlea.centre_frequencies()
    assert centres.shape == (700,)
    assert centres[[0, -1]] == pytest.approx([8000, 80])
    place = np.log10(centres / 165.4 + 0.88) / 2.1
    assert np.diff(place) == pytest.approx(-(place[0] - place[-1]) / 699)


def test_bandwidth_at_1_khz() -> None:
    # Glasberg and Moore's own example: about 130 Hz.
    assert cochlea.bandwidths(np.array([1000.0])) == pytest.approx([132.639])


@pytest.mark.parametrize("channel", [520, 600, 680])
def test_low_channels_are_rectified_gammatone_filters(channel: int) -> None:
    sound = np.random.default_rng(1).standard_normal(int(0.3 * RATE))
    got = cochlea.receptor_currents(sound, RATE)[:, channel]

    # The same filter in the time domain, sampled as finely as the sound.
    centre = cochlea.centre_frequencies()[channel]
    decay = 2 * np.pi * 1.019 * cochlea.bandwidths(np.array([centre]))[0]
    t = np.arange(int(0.2 * RATE)) / RATE
    impulse = decay**4 * t**3 / 6 * np.exp(-decay * t) * np.cos(2 * np.pi * centre * t) / RATE * 2
    moved = np.maximum(np.convolve(sound, impulse), 0)
    at = (np.arange(2 * len(got)) * RATE / cochlea.BAND).round().astype(int)
    want = moved[at].reshape(-1, 2).mean(axis=1)
    assert np.corrcoef(got, want)[0, 1] > 0.99
    assert got.mean() == pytest.approx(want.mean(), rel=0.03)


def test_high_channels_follow_the_envelope() -> None:
    # A tone at a channel's centre passes with gain 1, and a rectified sine has the mean 1 / pi.
    centre = cochlea.centre_frequencies()[50]
    assert centre > 5000
    currents = cochlea.receptor_currents(tone(centre), RATE)[200:600, 50]
    assert currents == pytest.approx(np.full(400, 1 / np.pi), rel=0.01)


def test_fine_structure_fades_above_1_khz() -> None:
    ripples = []
    for frequency in (300, 1300, 1800):
        channel = int(np.argmin(np.abs(cochlea.centre_frequencies() - frequency)))
        steady = cochlea.receptor_currents(tone(frequency), RATE)[200:600, channel]
        ripples.append(steady.std() / steady.mean())
    # A rectified sine has a ripple of 1.2, which averaging over ticks of 0.5 ms makes smaller, too: 0.9, 0.6 and 0.4.
    assert ripples[0] > 0.8
    assert ripples[1] < 0.3
    assert ripples[2] < 0.1


@pytest.mark.parametrize("frequency", [150.0, 500.0, 1500.0, 5000.0])
def test_a_tone_excites_its_own_place(frequency: float) -> None:
    _, units = cochlea.hear(tone(frequency), RATE)
    place = int(np.argmin(np.abs(cochlea.centre_frequencies() - frequency)))
    busiest = np.convolve(np.bincount(units, minlength=700), np.ones(21), "same").argmax()
    assert abs(int(busiest) - place) <= 20


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 11026])
def test_any_sample_rate(rate: int) -> None:
    reference = np.bincount(cochlea.hear(tone(1000), RATE)[1], minlength=700)
    units = np.bincount(cochlea.hear(tone(1000, rate=rate), rate)[1], minlength=700)
    assert abs(int(units.sum()) - int(reference.sum())) < 0.1 * reference.sum()


def test_drive_adapts() -> None:
    drive = cochlea.hair_cells(np.ones((400, 1)))[:, 0]
    assert drive[0] == pytest.approx(0.5, rel=0.02)
    assert drive[-1] == pytest.approx(0.5 * 0.2, rel=0.05)
    assert (np.diff(drive) <= 0).all()


def ref_fire(drive: Any, noise: Any) -> list[tuple[int, int]]:
    """One cell at a time, with the numbers of the model written out."""
    leak = round(float(np.exp(-0.125)), 6)
    spikes = []
    for unit in range(drive.shape[1]):
        v, free = 0.0, 0
        for tick in range(drive.shape[0]):
            v = leak * v + 1.15 * drive[tick, unit] + 0.33 * np.sqrt(drive[tick, unit] + 0.12) * noise[tick, unit]
            v = max(v, 0.0)
            if tick < free:
                v = 0.0
            if v >= 1:
                spikes.append((tick, unit))
                v, free = 0.0, tick + 3
    return sorted(spikes)


def test_cells_equal_a_loop_over_cells() -> None:
    drive = np.random.default_rng(2).uniform(0, 0.5, (300, 7))
    times, units = cochlea.fire(drive, np.random.default_rng(3))
    want = ref_fire(drive, np.random.default_rng(3).standard_normal(drive.shape))
    assert len(want) > 100
    assert list(zip((times / cochlea.TICK).round().astype(int).tolist(), units.tolist(), strict=True)) == want


def test_refractory_period() -> None:
    times, _ = cochlea.fire(np.full((1000, 1), 5.0), np.random.default_rng(0))
    assert np.diff(times).min() == pytest.approx(0.0015)


def test_a_channel_does_not_disturb_the_noise_of_others() -> None:
    drive = np.full((400, 3), 0.3)
    before = cochlea.fire(drive, np.random.default_rng(0))
    drive[:, 1] = 0
    after = cochlea.fire(drive, np.random.default_rng(0))
    for unit in (0, 2):
        assert np.array_equal(before[0][before[1] == unit], after[0][after[1] == unit])


def test_silence_is_nearly_silent() -> None:
    times, _ = cochlea.hear(np.zeros(2 * RATE), RATE)
    assert 0 < len(times) < 700


def test_no_sound_at_all() -> None:
    times, units = cochlea.hear(np.zeros(0), RATE)
    assert len(times) == len(units) < 100


def test_spikes_are_reproducible_and_in_order() -> None:
    sound = np.random.default_rng(4).standard_normal(4000)
    first, again, other = (cochlea.hear(sound, RATE, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert (np.diff(first[0]) >= 0).all()
    assert first[0].max() < 4000 / RATE + 0.051
    assert first[1].min() >= 0 and first[1].max() < 700


def test_rounding_errors_do_not_change_a_spike() -> None:
    # As another processor's transform would make them.
    sound = np.random.default_rng(5).standard_normal(4000)
    currents = cochlea.receptor_currents(sound, RATE)
    errors = 1 + 1e-13 * np.random.default_rng(6).standard_normal(currents.shape)
    first = cochlea.fire(cochlea.hair_cells(currents), np.random.default_rng(0))
    again = cochlea.fire(cochlea.hair_cells(currents * errors), np.random.default_rng(0))
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])


def test_loudness_is_normalised_and_the_level_counts() -> None:
    sound = tone(700)
    normal = cochlea.hear(sound, RATE)
    assert np.array_equal(normal[0], cochlea.hear(1024 * sound, RATE)[0])
    assert len(cochlea.hear(sound, RATE, level=6)[0]) > 1.1 * len(normal[0])


@pytest.mark.parametrize(
    ("sound", "rate", "message"),
    [
        ([0.0, np.nan], RATE, "sound must be a row of finite numbers, not another array"),
        (np.zeros((2, 2)), RATE, "sound must be a row of finite numbers, not another array"),
        ([0.0], 4000, "sample_rate must be at least 8000 Hz, not 4000"),
    ],
)
def test_bad_sound(sound: Any, rate: int, message: str) -> None:
    with pytest.raises(InputError) as error:
        cochlea.hear(sound, rate)
    assert str(error.value) == message
