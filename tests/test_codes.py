"""Which close codes are final."""

from realtime.codes import CloseCode, is_final


def test_44xx_are_final_and_nothing_else_is() -> None:
    assert {code for code in CloseCode if is_final(code)} == {4400, 4401, 4403, 4404, 4409}


def test_an_applications_own_44xx_is_final_too() -> None:
    assert is_final(4410)
    assert not is_final(4500)


def test_the_retried_codes_are_there() -> None:
    retried = {code for code in CloseCode if not is_final(code)}
    assert retried == {1000, 1001, 1009, 1011, 1012, 4503, 4508, 4529}
