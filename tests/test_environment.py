"""Settings from variables: what is taken, what is refused, and in which words."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from realtime.environment import HOST, ORIGIN, URL, BadSetting, Environment, secret_key


def test_without_a_variable_the_default_holds() -> None:
    env = Environment({})
    assert env("PORT", 8000) == 8000
    assert env("NAMES", ["a"]) == ["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("FALSE", False), ("0", False)],
)
def test_a_switch_is_true_or_false_in_any_case(text: str, value: bool) -> None:
    assert Environment({"DEBUG": text})("DEBUG", False) is value


def test_a_value_has_the_type_of_its_default() -> None:
    env = Environment({"WHOLE": "7", "PART": "7", "TEXT": "7", "LIST": " a, ,b ,"})
    assert repr(env("WHOLE", 1)) == "7"
    assert repr(env("PART", 1.0)) == "7.0"
    assert env("TEXT", "") == "7"
    assert env("LIST", ["z"]) == ["a", "b"]


def test_both_limits_are_inside() -> None:
    env = Environment({"LOW": "1", "HIGH": "10"})
    assert (env("LOW", 5, low=1, high=10), env("HIGH", 5, low=1, high=10)) == (1, 10)


@pytest.mark.parametrize("text", ["0", "11", "", " 5", "5.5", "five", "nan", "inf", "0x5", "٥"])
def test_a_number_that_cannot_be_used_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadSetting) as refusal:
        Environment({"PORT": text})("PORT", 5, low=1, high=10)
    assert str(refusal.value) == (
        f"The environment variable PORT={text!r} cannot be used: "
        "it must be a whole number from 1 to 10."
    )


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-inf", "1e999", "-0.1", "", "1,5", "1_0"])
def test_seconds_are_a_finite_number_in_range(text: str) -> None:
    with pytest.raises(BadSetting, match=r"it must be a number from 0 to 60\.$"):
        Environment({"GRACE": text})("GRACE", 5.0, low=0, high=60)


@pytest.mark.parametrize("text", ["yes", "on", "", "2", "truth", "None"])
def test_a_switch_that_is_neither_true_nor_false_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match=r"it must be true or false\.$"):
        Environment({"DEBUG": text})("DEBUG", False)


def test_a_choice_outside_the_list_is_refused_with_the_list() -> None:
    env = Environment({"LEVEL": "info"})
    with pytest.raises(BadSetting, match=r"it must be one of INFO, ERROR\.$"):
        env("LEVEL", "INFO", choices=("INFO", "ERROR"))


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (HOST, "chat.example .example.com * [::1] a-b.c", "http://a a:80 a/ a_b"),
        (ORIGIN, "https://a http://a.b:80 https://*.a.b http://[::1]:8000", "a https:// ws://a *"),
        (ORIGIN, "HTTPS://A.example", "https://a/ https://a.* https://a:x https://u@a"),
        (URL, "http://10.0.0.2:8000 https://a/b", "10.0.0.2 http:// ftp://a"),
    ],
)
def test_a_pattern_lets_through_what_can_work(pattern: str, good: str, bad: str) -> None:
    for text in good.split():
        env = Environment({"LIST": text, "ONE": text})
        assert env("LIST", [], pattern=pattern) == [text]
        assert env("ONE", "", pattern=pattern) == text
    for text in bad.split():
        with pytest.raises(BadSetting, match=r"it must be a name\.$"):
            Environment({"LIST": text})("LIST", [], pattern=pattern, wanted="a name")


def test_a_misspelt_variable_is_refused_with_the_nearest_name() -> None:
    env = Environment({"REALTIME_PROT": "9", "OTHER": "x"})
    env("REALTIME_PORT", 8000)
    with pytest.raises(
        BadSetting, match=r"REALTIME_PROT is no setting .* did you mean REALTIME_PORT\?"
    ):
        env.refuse_unknown()


def test_a_variable_like_no_setting_is_refused_too() -> None:
    env = Environment({"REALTIME_QQQQ": "9"})
    env("PORT", 8000)
    with pytest.raises(BadSetting, match=r"settings\.py lists those that exist"):
        env.refuse_unknown()


def test_variables_of_others_are_left_alone() -> None:
    env = Environment({"HOME": "/", "REALTIME_PORT": "1"})
    env("REALTIME_PORT", 8000)
    env.refuse_unknown()


def test_a_refused_setting_ends_the_process_with_status_1() -> None:
    assert issubclass(BadSetting, SystemExit)
    assert BadSetting("why").code == "why"  # Python prints it to stderr and exits with 1


# --- The secret key ------------------------------------------------------------------------------


def test_the_key_is_made_once_and_then_reused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = secret_key(path)
    assert len(first) >= 50
    assert len(set(first)) >= 5
    assert secret_key(path) == first
    assert secret_key(tmp_path / "other") != first


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    secret_key(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_nothing_else_is_left_beside_the_key(tmp_path: Path) -> None:
    secret_key(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("rest", ["", "\n", "cut short"])
def test_a_key_that_a_power_cut_spoilt_is_replaced(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "key"
    path.write_text(rest)
    healed = secret_key(path)
    assert len(healed) >= 50
    assert secret_key(path) == healed


def test_a_key_of_ones_own_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 50 + "\n")
    assert secret_key(path) == "k" * 50


def test_a_folder_that_cannot_be_written_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting, match=r"make the folder writable, or set SECRET_KEY"):
        secret_key(tmp_path / "file" / "key")


def test_a_folder_that_is_not_there_gives_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"No secret key can be stored .* or set SECRET_KEY"):
        secret_key(tmp_path / "missing" / "key")


def test_a_key_file_that_is_no_text_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff" * 60)
    with pytest.raises(BadSetting, match="can be neither read nor made"):
        secret_key(tmp_path / "key")
