"""The short form of `python -m tests.fuzz.run`: what is kept, and a little that is new each time.

FUZZ_SECONDS in the environment makes it longer, for each target.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.history import History
from realtime.names import Names
from realtime.roster import Roster
from tests.fuzz import corpus, targets
from tests.fuzz.run import main
from tests.processes import ROOT, Process, running
from tests.raw import talk, upgrade
from tests.test_bad_input import assert_clean, assert_unharmed, mutated

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0.7"))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from(["type", "data", "ref", "to", "state", "__proto__", "type "])
TYPES = st.sampled_from(
    ["message", "signal", "state", "resync", "pong", "quiz.buzz", "", "Message"]
)


def play(target: str) -> int:
    """Every input that is kept; says how many there are."""
    inputs = corpus.load(target)
    for data in inputs:
        targets.TARGETS[target](data)
    return len(inputs)


@pytest.mark.parametrize("target", corpus.NAMES)
def test_every_input_that_was_kept_is_still_taken(target: str) -> None:
    assert play(target) > 0


@pytest.mark.parametrize("target", corpus.NAMES)
def test_inputs_made_of_those_that_were_kept_find_nothing(target: str) -> None:
    seed = random.randrange(1 << 32)
    chance, inputs = random.Random(seed), [data for data in corpus.load(target) if data]
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        data = mutated(chance.choice(inputs) + chance.choice(inputs)[:40], chance)[:2_000]
        try:
            targets.TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target} failed for {data!r}") from error


FRAMES = st.dictionaries(FIELDS, JSON)


@given(FRAMES | st.builds(lambda kind, frame: frame | {"type": kind}, TYPES, FRAMES))
@settings(max_examples=200, deadline=None)
def test_any_json_is_refused_in_words_or_can_be_said_again(frame: dict[str, object]) -> None:
    text = json.dumps(frame)
    targets.wire(text.encode())
    targets.talking(text.encode())


def test_there_are_as_many_targets_as_names() -> None:
    assert tuple(targets.TARGETS) == tuple(corpus.NAMES)


# --- That it would find something ----------------------------------------------------------------


def broken_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "decode", lambda frame: dict[str, str]()["type"])


def broken_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Names, "claim", lambda self, wanted: wanted)


def broken_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "_newest", lambda self, count: list(self._ring)[:count])


def broken_roster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Roster, "_end_grace", lambda self, member: False)


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("wire", broken_decode),
        ("naming", broken_names),
        ("remembering", broken_resume),
        ("attending", broken_roster),
        ("rooms", broken_roster),
    ],
)
def test_a_fault_is_found_by_what_is_kept(
    target: str, fault: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    with pytest.raises((AssertionError, KeyError)):
        play(target)


# --- A real socket -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*command, folder=tmp_path_factory.mktemp("fuzz")) as process:
        yield process
        assert_unharmed(process)
    assert_clean(process)


@pytest.mark.parametrize("path", [b"/ws/echo/", b"/ws/rooms/fuzz/"])
def test_any_bytes_on_a_real_socket_leave_the_server_unharmed(target: Process, path: bytes) -> None:
    chance = random.Random()
    inputs = [data[1:] for data in corpus.load("socket")]
    ends = time.monotonic() + SECONDS * 2
    while time.monotonic() < ends:
        data = mutated(chance.choice(inputs) * 2 or b"x", chance)
        answer = talk(target.port, upgrade(path), data, timeout=0.05)
        assert answer.status in (101, None), data  # None: it was too busy for this one


# --- The long form -------------------------------------------------------------------------------


def test_without_the_fuzzer_the_long_form_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.fuzz.run.find_spec", lambda name: None)
    assert main(["wire"]) == 2
    assert 'pip install -e ".[test,fuzz]"' in capsys.readouterr().out


def test_a_target_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["wires"])
    assert "wires" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: .[fuzz]")
def test_the_long_form_tries_inputs_and_says_how_many() -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", "--minutes", "0.03", "address"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| address | 0.03 min |" in done.stdout
    assert done.stdout.rstrip().endswith("| nothing |")


def test_an_input_is_kept_when_it_goes_a_way_of_its_own() -> None:
    same = [b'{"type":"pong"}', b'{"type":"pong" }', b'{"type":"resync","a":"longer"}']
    assert corpus.smallest(targets.wire, [*same, b"["]) == [b"[", same[0]]


def test_what_is_kept_can_be_packed_and_unpacked(tmp_path: Path) -> None:
    corpus.unpack("wire", tmp_path)
    assert sorted(corpus.pack(tmp_path)) == sorted(corpus.load("wire"))
