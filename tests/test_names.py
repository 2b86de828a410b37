"""Names: what is accepted, what is unique, what is made up."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.names import (
    ADJECTIVES,
    ANIMALS,
    MAX_FULL_LENGTH,
    MAX_LENGTH,
    NameRefused,
    Names,
    friendly_name,
    full_room_name,
    group_name,
    member_name,
    name_key,
    room_name,
)

CHANNELS_ACCEPTS = re.compile(r"[a-zA-Z0-9\-_.]{1,99}", re.ASCII)

# Short enough to pass often, and full of what passes for something else.
TYPED = st.text(st.sampled_from("aAÅéﬁＡ 2.-ñ日ßİ👩💻🏽\u200d\u200c\ufe0f\u094d\u0301سم\u202e"))


Check = Callable[[str], str]
both = pytest.mark.parametrize("check", [room_name, member_name])


# What is accepted.


@pytest.mark.parametrize(
    "name",
    [
        "kitchen",
        "Küche 2",
        "台所",
        "مطبخ",
        "מטבח",
        "кухня",
        "50% off?",
        "...",
        "🦦",
        "👩🏽\u200d💻",
        "🏳\ufe0f\u200d🌈",
        "❤\ufe0f\u200d🔥",
        "می\u200cخواهم",  # Persian: "I want"
        "क्\u200dष",  # Hindi: half a letter
        "അവന്\u200d",  # Malayalam: ends with a joiner
        "辻\U000e0100",  # Japanese: this very form of the character
    ],
)
def test_a_name_of_any_script_is_kept_as_it_is(name: str) -> None:
    assert room_name(name) == name
    assert member_name(name) == name


def test_the_newest_emoji_may_be_unknown_to_this_python() -> None:
    unassigned = "\U0001fffd"
    assert unicodedata.category(unassigned) == "Cn"
    assert member_name(unassigned) == unassigned


def test_a_name_typed_on_a_mac_and_on_a_pc_is_one_name() -> None:
    assert room_name("Ku\u0308che") == room_name("Küche") == "K\u00fcche"


def test_white_space_around_a_name_is_dropped() -> None:
    assert room_name("\u00a0 living room \n") == "living room"
    assert member_name("\t Ada ") == "Ada"


def test_white_space_within_a_members_name_becomes_one_space() -> None:
    assert member_name("Ada \n\t\u3000 Lovelace") == "Ada Lovelace"


def test_a_members_name_may_have_a_slash() -> None:
    assert member_name("Sam (they/them)") == "Sam (they/them)"


@both
def test_64_characters_after_nfc_are_accepted_and_65_are_not(check: Check) -> None:
    assert check("e\u0301" * 64) == "é" * 64
    with pytest.raises(NameRefused, match="at most 64 characters, this one has 65"):
        check("e\u0301" * 65)


# What is refused.


@both
@pytest.mark.parametrize(
    "char",
    [
        "\x00",
        "\x1b",
        "\x7f",
        "\ud800",  # half of a surrogate pair
        "\u061c",
        "\u200e",
        "\u200f",
        "\u202a",
        "\u202e",
        "\u2066",
        "\u2069",
        "\u00ad",  # soft hyphen
        "\ufeff",  # byte order mark
        "\U000e0041",  # tag
        "\ue000",  # private use: another picture on each device
        "\u3164",  # Hangul filler, a letter with nothing to see
    ],
)
def test_what_cannot_be_seen_or_turns_the_text_round_is_refused_by_its_code(
    check: Check, char: str
) -> None:
    with pytest.raises(NameRefused, match=rf"U\+{ord(char):04X} .*please leave it out"):
        check(f"Ada{char}Lovelace")


def test_a_line_separator_is_refused_in_a_room_and_white_space_in_a_members_name() -> None:
    with pytest.raises(NameRefused, match="LINE SEPARATOR"):
        room_name("a\u2028b")
    assert member_name("a\u2028b") == "a b"


@both
@pytest.mark.parametrize("text", ["", "  ", "\u00a0\n", "\u0301", "\ufe0f"])
def test_a_name_with_nothing_to_see_is_refused(check: Check, text: str) -> None:
    with pytest.raises(NameRefused, match="something to see"):
        check(text)


@both
@pytest.mark.parametrize(
    "text",
    [
        "A\u200dda",  # Latin letters do not join
        "\u200dAda",
        "Ada\u200c",
        "سلام\u200c",  # nothing follows
        "سل\u200c\u200cام",
        "سل\u200c ام",
        "👩\u200d",
    ],
)
def test_a_joiner_that_joins_nothing_is_refused(check: Check, text: str) -> None:
    with pytest.raises(NameRefused, match="JOINER"):
        check(text)


@pytest.mark.parametrize("text", [".", "..", " .. ", "a/b", "a\\b"])
def test_a_room_name_that_has_no_url_is_refused(text: str) -> None:
    with pytest.raises(NameRefused, match="URL"):
        room_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("kitchen", "kitchen"),
        ("quiz/first", "quiz/first"),
        (" quiz/first\n", "quiz/first"),
        ("quiz/Ku\u0308che 2", "quiz/Küche 2"),
        ("a-1_b/messages", "a-1_b/messages"),
        ("user/0123456789abcdef", "user/0123456789abcdef"),
        ("k" * 64 + "/" + "x" * 64, "k" * 64 + "/" + "x" * 64),
    ],
)
def test_a_rooms_full_name_may_have_its_kind_before_a_slash(text: str, name: str) -> None:
    assert full_room_name(text) == name
    assert len(name) <= MAX_FULL_LENGTH


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Quiz/first", "kind.* not 'Quiz'"),
        ("1/first", "kind.* not '1'"),
        ("/first", "kind.* not ''"),
        ("../first", "kind.* not '..'"),
        ("qu iz/first", "kind.* not 'qu iz'"),
        ("quiz\\/first", "kind"),
        ("k" * 65 + "/first", r"kind.* not 'k{40}'"),
        ("quiz/", "something to see"),
        ("quiz/..", "folders"),
        ("quiz/.", "folders"),
        ("quiz/a\\b", "leave out"),
        ("quiz/a\u202eb", "U\\+202E"),
        ("quiz/" + "x" * 65, "at most 64"),
        ("quiz/first/second", "one slash"),
        ("quiz//first", "one slash"),
        ("..", "folders"),
        ("", "something to see"),
    ],
)
def test_the_part_of_a_full_name_that_is_wrong_is_named(text: str, fault: str) -> None:
    with pytest.raises(NameRefused, match=rf'(?s)^[A"].*{fault}.*\.$'):
        full_room_name(text)


@given(text=st.text(st.sampled_from("aB/.é\u0301 \\-\u202e1")))
def test_a_full_name_has_at_most_one_slash_and_is_accepted_again_unchanged(text: str) -> None:
    try:
        name = full_room_name(text)
    except NameRefused:
        return
    assert full_room_name(name) == name
    assert name.count("/") <= 1
    assert room_name(name.rpartition("/")[2]) == name.rpartition("/")[2]


@both
def test_a_giant_is_refused_without_normalizing_it(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_normalize = SimpleNamespace(category=unicodedata.category)
    monkeypatch.setattr("realtime.names.unicodedata", no_normalize)
    with pytest.raises(NameRefused, match="at most 64"):
        check("a" + "\u0301\u0316" * 32_000)  # normalizing this takes seconds


@both
@given(text=TYPED)
def test_a_name_that_was_accepted_is_accepted_again_unchanged(check: Check, text: str) -> None:
    try:
        name = check(text)
    except NameRefused:
        return
    assert check(name) == name
    assert 1 <= len(name) <= MAX_LENGTH
    assert name == unicodedata.normalize("NFC", name).strip()


@both
@given(text=st.text())
def test_any_text_is_accepted_or_refused_with_a_sentence(check: Check, text: str) -> None:
    with contextlib.suppress(NameRefused):
        check(text)
        return
    with pytest.raises(NameRefused, match=r'^[A"].*\.$'):
        check(text)


# What is unique.


def test_the_second_ada_is_ada_2_and_the_third_ada_3() -> None:
    names = Names()
    assert [names.claim("Ada") for _ in range(3)] == ["Ada", "Ada 2", "Ada 3"]


@pytest.mark.parametrize("twin", ["ada", "ADA", "Ａｄａ", "A\ufe0fda"])
def test_a_name_that_looks_the_same_is_the_same(twin: str) -> None:
    names = Names()
    names.claim("Ada")
    assert names.claim(twin) == f"{twin} 2"


def test_the_key_sees_through_case_that_changes_the_length() -> None:
    assert name_key("STRASSE") == name_key("straße")
    assert name_key("ﬁn") == name_key("FIN")
    assert name_key("ΐ") == name_key("ΐ".upper())
    assert name_key("Ada") != name_key("Bob")


def test_a_number_that_somebody_asked_for_outright_is_passed_over() -> None:
    names = Names()
    names.claim("Ada 2")
    assert [names.claim("Ada") for _ in range(2)] == ["Ada", "Ada 3"]


def test_a_name_given_back_is_free_for_the_next() -> None:
    names = Names()
    names.claim("Ada")
    names.claim("Ada")
    names.release("Ada")
    assert names.claim("ada") == "ada"
    names.release("Ada 2")
    assert names.claim("Ada") == "Ada 2"


def test_three_screens_of_one_name_share_three_names_for_ever() -> None:
    names = Names()
    screens = [names.claim("Screen") for _ in range(3)]
    for number in [1, 2, 0, 2, 1, 0]:
        names.release(screens[number])
        screens[number] = names.claim("Screen")
    assert screens == ["Screen", "Screen 2", "Screen 3"]


def test_the_lowest_free_number_is_given_first() -> None:
    names = Names()
    for _ in range(4):
        names.claim("Ada")
    names.release("Ada 4")
    names.release("Ada 2")
    assert [names.claim("Ada") for _ in range(3)] == ["Ada 2", "Ada 4", "Ada 5"]


def test_a_number_keeps_the_name_within_64_characters() -> None:
    names = Names()
    longest = "x" * 61 + " yz"
    names.claim(longest)
    assert names.claim(longest) == "x" * 61 + " 2"


def test_a_number_does_not_leave_a_joiner_that_joins_nothing() -> None:
    names = Names()
    cut_at_the_joiner = "ب" * 61 + "\u200cبب"
    names.claim(member_name(cut_at_the_joiner))
    assert names.claim(cut_at_the_joiner) == "ب" * 61 + " 2"


def test_nothing_is_remembered_of_names_given_back() -> None:
    names = Names()
    taken = [names.claim(name) for name in ["Ada", "ada", "Ada 2", "Ada", "Bob"]]
    for name in taken:
        names.release(name)
    assert names._taken == {}
    assert names._crowds == {}


def test_a_thousand_adas_cost_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = 0

    def count(name: str) -> str:
        nonlocal tried
        tried += 1
        return name_key(name)

    monkeypatch.setattr("realtime.names.name_key", count)
    names = Names()
    assert len({names.claim("Ada") for _ in range(1000)}) == 1000
    assert tried <= 2 * 1000


@given(st.lists(TYPED, max_size=12))
def test_a_numbered_name_is_as_legal_as_the_name_it_was_made_from(texts: list[str]) -> None:
    names = Names()
    for text in texts:
        try:
            wanted = member_name(text * 8)
        except NameRefused:
            continue
        given_names = [names.claim(wanted), names.claim(wanted)]
        assert [member_name(name) for name in given_names] == given_names


# What is made up.


def test_a_friendly_name_is_an_adjective_and_an_animal() -> None:
    adjective, animal = friendly_name("device-1").split()
    assert adjective in ADJECTIVES
    assert animal in ANIMALS


def test_there_are_64_different_words_of_each_kind() -> None:
    assert len(set(ADJECTIVES)) == len(ADJECTIVES) == 64
    assert len(set(ANIMALS)) == len(ANIMALS) == 64


def test_a_friendly_name_is_the_same_in_every_process() -> None:
    assert friendly_name("device-1") == "Brave Koala"


def test_friendly_names_use_all_the_words() -> None:
    names = {friendly_name(str(seed)) for seed in range(2000)}
    assert {name.split()[0] for name in names} == set(ADJECTIVES)
    assert {name.split()[1] for name in names} == set(ANIMALS)


# Groups.


def test_the_group_of_a_plain_room_can_be_read() -> None:
    assert group_name("rooms", "kitchen-2") == "rooms.kitchen-2"


def test_the_group_of_any_other_room_is_a_hash() -> None:
    assert re.fullmatch(r"rooms\.\.[0-9a-f]{64}", group_name("rooms", "Küche"))


def test_groups_know_upper_from_lower_case() -> None:
    assert group_name("rooms", "Kitchen") != group_name("rooms", "kitchen")


def test_a_room_cannot_be_named_after_the_hash_of_another() -> None:
    hashed = group_name("rooms", "Küche").removeprefix("rooms.")
    assert group_name("rooms", hashed) != group_name("rooms", "Küche")
    assert group_name("rooms", hashed[1:]) != group_name("rooms", "Küche")


@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_every_room_has_a_group_of_its_own_that_channels_accepts(one: str, other: str) -> None:
    groups = [group_name("r" * 32, room) for room in (one, other)]
    assert all(CHANNELS_ACCEPTS.fullmatch(group) for group in groups)
    assert (groups[0] == groups[1]) == (one == other)


@pytest.mark.parametrize("prefix", ["", "a.b", "ä", "r" * 33])
def test_a_prefix_that_would_break_the_group_is_our_error(prefix: str) -> None:
    with pytest.raises(ValueError, match="group prefix"):
        group_name(prefix, "kitchen")
