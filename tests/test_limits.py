"""Token bucket, strikes and fair shares; the clock is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.limits import Strikes, TokenBucket, fair_share


def taken(bucket: TokenBucket, now: float, tries: int = 1000) -> int:
    return sum(bucket.take(now) for _ in range(tries))


def test_a_new_bucket_holds_its_burst_and_no_more() -> None:
    assert taken(TokenBucket(20, 40), now=1e6) == 40


def test_it_fills_at_its_rate() -> None:
    bucket = TokenBucket(20, 40)
    taken(bucket, now=0)
    assert taken(bucket, now=0.5) == 10


def test_a_long_silence_earns_one_burst() -> None:
    bucket = TokenBucket(20, 40)
    taken(bucket, now=0)
    assert taken(bucket, now=86_400) == 40


def test_a_refusal_costs_nothing() -> None:
    bucket = TokenBucket(1, 2)
    assert not bucket.take(0, cost=3)
    assert bucket.take(0, cost=2)


def test_a_clock_that_stands_still_gives_and_takes_nothing() -> None:
    bucket = TokenBucket(20, 40)
    assert [taken(bucket, now=7.0, tries=30), taken(bucket, now=7.0, tries=30)] == [30, 10]


def test_a_clock_that_steps_back_takes_no_token_and_goes_on_from_there() -> None:
    bucket = TokenBucket(20, 40)
    taken(bucket, now=1000, tries=30)
    assert taken(bucket, now=0) == 10
    assert taken(bucket, now=1) == 20


def test_the_first_moment_may_be_negative() -> None:
    assert taken(TokenBucket(1, 3), now=-5.0) == 3


def test_wait_says_when_the_next_token_comes() -> None:
    bucket = TokenBucket(20, 40)
    assert bucket.wait(0) == 0
    taken(bucket, now=0)
    assert bucket.wait(0) == pytest.approx(0.05)
    assert bucket.wait(0.04) == pytest.approx(0.01)


@pytest.mark.parametrize(("rate", "burst"), [(0, 40), (-1, 40), (20, 0), (20, 0.5)])
def test_a_bucket_that_could_never_give_is_a_mistake_of_ours(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="a rate above 0"):
        TokenBucket(rate, burst)


def test_ten_thousand_of_them_carry_no_dict() -> None:
    assert not hasattr(TokenBucket(1, 1), "__dict__")
    assert not hasattr(Strikes(), "__dict__")


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 100),
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=50),
)
def test_never_more_than_burst_plus_rate_times_time(
    rate: float, burst: int, steps: list[float]
) -> None:
    bucket, now, total = TokenBucket(rate, burst), 1e6, 0
    for step in steps:
        now += step
        total += taken(bucket, now, tries=20)
    assert total <= burst + rate * (now - 1e6) + 0.01


@given(rate=st.floats(0.1, 1000), uptime=st.floats(0, 3e8), tries=st.integers(0, 50))
def test_who_waits_as_long_as_told_is_served(rate: float, uptime: float, tries: int) -> None:
    bucket = TokenBucket(rate, 40)
    taken(bucket, uptime, tries)
    assert bucket.take(uptime + bucket.wait(uptime))


def test_twenty_bad_frames_in_a_row_are_one_too_many() -> None:
    strikes = Strikes(20)
    assert [strikes.bad() for _ in range(20)] == [False] * 19 + [True]


def test_a_good_frame_forgives_the_bad_ones_before_it() -> None:
    strikes = Strikes(2)
    strikes.bad()
    strikes.good()
    assert not strikes.bad()


def test_when_there_is_enough_everybody_has_what_they_want() -> None:
    assert fair_share([3, 1, 2], 6) >= 3
    assert fair_share([], 6) == 6


def test_only_those_who_want_most_are_cut() -> None:
    assert fair_share([1, 100, 2, 100], 43) == 20


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(0, 20_000))
def test_a_share_uses_what_there_is_and_no_more(wants: list[int], total: int) -> None:
    share = fair_share(wants, total)
    used = sum(min(want, share) for want in wants)
    assert used <= total
    if sum(wants) > total:  # nobody could have one more
        assert used + sum(want > share for want in wants) > total
