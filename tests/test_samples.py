"""What the plots show: rates between samples, and a ring that ends."""

from __future__ import annotations

from realtime.web.samples import KEPT, Sample, Samples


def sample(at: float, total: int = 0) -> Sample:
    return Sample(at, 5, 4, 3, total, 10 * total, 100 * total, lag=0.01, memory=None)


def test_rates_are_between_the_last_two() -> None:
    samples = Samples()
    assert samples.rates() is None
    samples.add(sample(0, 0))
    assert samples.rates() is None
    samples.add(sample(2, 100))
    samples.add(sample(4, 110))
    assert samples.rates() == {"received": 5, "delivered": 50, "sent_bytes": 500}


def test_a_clock_that_stands_divides_nothing_by_zero() -> None:
    samples = Samples()
    for at in (5, 5, 4):
        samples.add(sample(at, at))
    assert samples.rates() is None


def test_the_series_is_bounded_and_ends_now() -> None:
    samples = Samples()
    assert samples.series()["ago"] == []
    for number in range(10 * KEPT):
        samples.add(sample(2.0 * number, number))
    series = samples.series()
    assert {len(values) for values in series.values()} == {KEPT}
    assert (series["ago"][0], series["ago"][-1]) == (2.0 * (KEPT - 1), 0)
    assert series["delivered"] == [5] * KEPT
    assert series["memory"] == [None] * KEPT
