"""The wire: what is taken, what is refused and in which words, what goes out."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from realtime.codec import MAX_DEPTH, BadMessage, decode, encode
from realtime.codes import ErrorCode
from realtime.messages import (
    MAX_INT,
    PROTOCOL,
    Ack,
    BuiltIn,
    Bye,
    ClientMessage,
    Count,
    Custom,
    Error,
    Leave,
    MemberInfo,
    Message,
    Ping,
    Pong,
    Presence,
    Resync,
    RoomMessage,
    RoomSignal,
    ServerMessage,
    Signal,
    State,
    Welcome,
)

CLIENT_FRAMES: dict[str, tuple[str, ClientMessage]] = {
    "message": ('{"type":"message","data":{"text":"hi"}}', Message({"text": "hi"})),
    "message-ref": ('{"type":"message","data":null,"ref":"a-1"}', Message(None, "a-1")),
    "message-int-ref": ('{"ref":-7,"data":[1,2.5],"type":"message"}', Message([1, 2.5], -7)),
    "signal": ('{"type":"signal","data":{"typing":true}}', Signal({"typing": True})),
    "signal-to": ('{"type":"signal","data":1,"to":"m-2"}', Signal(1, "m-2")),
    "state": ('{"type":"state","state":{"hand":null}}', State({"hand": None})),
    "resync": ('{"type":"resync"}', Resync()),
    "leave": ('{"type":"leave"}', Leave()),
    "pong": ('{"type":"pong"}', Pong()),
    "own": ('{"type":"buzz","team":3,"ref":9}', Custom("buzz", {"team": 3}, 9)),
    "own-bare": ('{"type":"quiz.next-one_2"}', Custom("quiz.next-one_2", {})),
}

MEMBER = MemberInfo("m-1", "Ada", 2, {"hand": "up"}, False)
MESSAGE = RoomMessage(offset=7, member="m-1", name="Ada", data={"n": 1}, at="2026-01-02T03:04:05Z")

SERVER_FRAMES: dict[str, tuple[ServerMessage, dict[str, Any]]] = {
    "welcome": (
        Welcome(
            protocol=PROTOCOL,
            room="Küche",
            member="m-1",
            epoch="e1",
            offset=7,
            recovered=None,
            messages=[Raw(encode(MESSAGE))],
            members=Raw(encode([MEMBER])),
            count=Count(1, 2),
            seq=3,
            heartbeat=20,
            retry_ms=(0, 500),
            build="b1",
        ),
        {
            "type": "welcome",
            "protocol": 1,
            "room": "Küche",
            "member": "m-1",
            "epoch": "e1",
            "offset": 7,
            "recovered": None,
            "messages": [
                {
                    "type": "message",
                    "offset": 7,
                    "member": "m-1",
                    "name": "Ada",
                    "data": {"n": 1},
                    "at": "2026-01-02T03:04:05Z",
                }
            ],
            "members": [
                {
                    "id": "m-1",
                    "name": "Ada",
                    "connections": 2,
                    "state": {"hand": "up"},
                    "away": False,
                }
            ],
            "count": {"members": 1, "connections": 2},
            "seq": 3,
            "heartbeat": 20,
            "retry_ms": [0, 500],
            "build": "b1",
        },
    ),
    "message": (
        RoomMessage(offset=1, member=None, name="server", data=[None], at="2026-01-02T03:04:05Z"),
        {
            "type": "message",
            "offset": 1,
            "member": None,
            "name": "server",
            "data": [None],
            "at": "2026-01-02T03:04:05Z",
        },
    ),
    "signal": (
        RoomSignal(member="m-1", data={"x": 1}),
        {"type": "signal", "member": "m-1", "data": {"x": 1}},
    ),
    "presence": (
        Presence(seq=4, count=Count(0, 0), joins=[], updates=[], leaves=["m-1"]),
        {
            "type": "presence",
            "seq": 4,
            "count": {"members": 0, "connections": 0},
            "joins": [],
            "updates": [],
            "leaves": ["m-1"],
        },
    ),
    "ack": (Ack("a-1", 7), {"type": "ack", "ref": "a-1", "offset": 7}),
    "error": (
        Error(code="rate", detail="Slower, please."),
        {"type": "error", "code": "rate", "detail": "Slower, please."},
    ),
    "error-ref": (
        Error(code=ErrorCode.BAD_SHAPE, detail="No.", path="$.data", ref=0),
        {"type": "error", "code": "bad_shape", "detail": "No.", "path": "$.data", "ref": 0},
    ),
    "ping": (Ping(), {"type": "ping"}),
    "bye": (
        Bye(reason="restart", reconnect=True, retry_ms=(100, 900)),
        {"type": "bye", "reason": "restart", "reconnect": True, "retry_ms": [100, 900]},
    ),
}

# name: (frame, code, path, ref)
HOSTILE: dict[str, tuple[str | bytes, str, str, Any]] = {
    "empty": ("", "bad_json", "$", UNSET),
    "no JSON": ("hello", "bad_json", "$", UNSET),
    "cut short": ('{"type":"message","data":', "bad_json", "$", UNSET),
    "two objects": ('{"type":"pong"}{"type":"pong"}', "bad_json", "$", UNSET),
    "single quotes": ("{'type':'pong'}", "bad_json", "$", UNSET),
    "a byte order mark": ('\ufeff{"type":"pong"}', "bad_json", "$", UNSET),
    "NaN": ('{"type":"message","data":NaN}', "bad_json", "$.data", UNSET),
    "Infinity": ('{"type":"message","data":-Infinity}', "bad_json", "$.data", UNSET),
    "1e400": ('{"type":"message","data":1e400,"ref":1}', "bad_json", "$.data", UNSET),
    "an integer of 4,301 digits": (
        '{"type":"message","data":' + "9" * 4301 + "}",
        "bad_json",
        "$.data",
        UNSET,
    ),
    "a lone surrogate, escaped": (
        r'{"type":"message","data":"\ud800 and some more text"}',
        "bad_json",
        "$.data",
        UNSET,
    ),
    "a low surrogate first": (
        r'{"type":"message","data":"\udc00\ud800"}',
        "bad_json",
        "$.data",
        UNSET,
    ),
    "a lone surrogate as a key": (r'{"type":"buzz","\ud800":1}', "bad_json", "$", UNSET),
    "a lone surrogate in a str": (
        '{"type":"message","data":"\ud800"}',
        "bad_json",
        "$.data",
        UNSET,
    ),
    "invalid UTF-8": (b'{"type":"message","data":"\xff"}', "bad_json", "$", UNSET),
    "an encoded surrogate": (
        b'{"type":"message","data":"\xed\xa0\x80"}',
        "bad_json",
        "$.data",
        UNSET,
    ),
    "UTF-16": ('{"type":"pong"}'.encode("utf-16"), "bad_json", "$", UNSET),
    "a raw control character": ('{"type":"message","data":"\x01"}', "bad_json", "$", UNSET),
    "an array": ("[]", "bad_shape", "$", UNSET),
    "a number": ("42", "bad_shape", "$", UNSET),
    "a string": ('""', "bad_shape", "$", UNSET),
    "null": ("null", "bad_shape", "$", UNSET),
    "no type": ('{"data":1,"ref":5}', "bad_shape", "$.type", 5),
    "null as a type": ('{"type":null,"ref":5}', "bad_shape", "$.type", 5),
    "a number as a type": ('{"type":1}', "bad_shape", "$.type", UNSET),
    "an array as a type": ('{"type":["message"]}', "bad_shape", "$.type", UNSET),
    "an empty type": ('{"type":"","ref":5}', "unknown_type", "$.type", 5),
    "a private method": ('{"type":"_secret"}', "unknown_type", "$.type", UNSET),
    "upper case": ('{"type":"Message"}', "unknown_type", "$.type", UNSET),
    "a type and a newline": (r'{"type":"buzz\n"}', "unknown_type", "$.type", UNSET),
    "a type of 33 letters": ('{"type":"' + "a" * 33 + '"}', "unknown_type", "$.type", UNSET),
    "a Cyrillic a": ('{"type":"b\u0430zz"}', "unknown_type", "$.type", UNSET),
    "a prototype": ('{"type":"__proto__"}', "unknown_type", "$.type", UNSET),
    "two types": ('{"type":"buzz","data":1,"type":"message"}', "bad_shape", "$.type", UNSET),
    "no data": ('{"type":"message","ref":"r"}', "bad_shape", "$.data", "r"),
    "null as a ref": ('{"type":"message","data":1,"ref":null}', "bad_shape", "$.ref", UNSET),
    "true as a ref": ('{"type":"message","data":1,"ref":true}', "bad_shape", "$.ref", UNSET),
    "a fraction as a ref": ('{"type":"message","data":1,"ref":1.5}', "bad_shape", "$.ref", UNSET),
    "an array as a ref": ('{"type":"message","data":1,"ref":[]}', "bad_shape", "$.ref", UNSET),
    "a ref of 65 characters": (
        '{"type":"message","data":1,"ref":"' + "é" * 65 + '"}',
        "bad_shape",
        "$.ref",
        UNSET,
    ),
    "2**53 as a ref": (
        f'{{"type":"message","data":1,"ref":{2**53}}}',
        "bad_shape",
        "$.ref",
        UNSET,
    ),
    "null as a ref of an own type": ('{"type":"buzz","ref":null}', "bad_shape", "$.ref", UNSET),
    "2**53 as a ref of an own type": (
        f'{{"type":"buzz","ref":-{2**53}}}',
        "bad_shape",
        "$.ref",
        UNSET,
    ),
    "a signal without data": ('{"type":"signal","ref":1}', "bad_shape", "$.data", 1),
    "a signal to a number": ('{"type":"signal","data":1,"to":7}', "bad_shape", "$.to", UNSET),
    "a signal to nobody": ('{"type":"signal","data":1,"to":""}', "bad_shape", "$.to", UNSET),
    "a signal to null": ('{"type":"signal","data":1,"to":null}', "bad_shape", "$.to", UNSET),
    "a state that is text": ('{"type":"state","state":"up"}', "bad_shape", "$.state", UNSET),
    "a state that is an array": ('{"type":"state","state":[]}', "bad_shape", "$.state", UNSET),
    "a state that is null": ('{"type":"state","state":null}', "bad_shape", "$.state", UNSET),
    "no state": ('{"type":"state"}', "bad_shape", "$.state", UNSET),
}

DEEP = "[" * 10_000 + "]" * 10_000


def refusal(frame: str | bytes) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        decode(frame)
    return caught.value


# From the browser


@pytest.mark.parametrize(("frame", "message"), CLIENT_FRAMES.values(), ids=CLIENT_FRAMES)
@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "bytes"])
def test_each_client_message_is_taken(frame: str, message: ClientMessage, form: Any) -> None:
    assert decode(form(frame)) == message


@pytest.mark.parametrize(("frame", "code", "path", "ref"), HOSTILE.values(), ids=HOSTILE)
def test_a_bad_frame_is_refused_with_code_path_and_ref(
    frame: str | bytes, code: str, path: str, ref: Any
) -> None:
    error = refusal(frame)
    assert (error.code, error.path, error.ref) == (code, path, ref)


@pytest.mark.parametrize("frame", [frame for frame, *_ in HOSTILE.values()], ids=HOSTILE)
def test_every_refusal_can_be_sent_and_is_short(frame: str | bytes) -> None:
    sent = json.loads(encode(refusal(frame).answer()))
    assert sent["type"] == "error"
    assert 10 < len(sent["detail"]) < 300


def test_a_refusal_says_what_was_wrong_and_what_to_do() -> None:
    assert refusal('{"type":"message","ref":1}').detail == (
        "Object missing required field `data`. The fields of `message`: data, ref."
    )
    assert refusal("42").detail == (
        "Expected `object`, got `int`. "
        'Send an object with a type, such as {"type": "message", "data": "hi"}.'
    )


def test_a_megabyte_of_type_is_not_sent_back() -> None:
    for frame in ('{"type":"%s"}', '{"type":"%s","type":"message"}'):
        assert len(refusal(frame % ("A" * 1_000_000)).detail) < 300


def test_fields_nobody_names_are_ignored() -> None:
    assert decode('{"type":"pong","at":17}') == Pong()


@pytest.mark.parametrize("ref", ["", "é" * 64, 0, MAX_INT, -MAX_INT])
def test_a_ref_may_be_text_of_64_characters_or_an_exact_integer(ref: str | int) -> None:
    assert decode(json.dumps({"type": "message", "data": 1, "ref": ref})) == Message(1, ref)
    assert decode(json.dumps({"type": "buzz", "ref": ref})) == Custom("buzz", {}, ref)


@pytest.mark.parametrize(
    "data",
    [
        {"__proto__": {"admin": True}, "constructor": 1, "hasOwnProperty": None},
        {"type": "leave", "ref": [], "": 0},
        "\u202egnp.exe\u202c \u0000 \u2028 \U0001f600 </script>",
        [0, -1, 2**53, 2**64, -(2**70), 10**400, 1e308, 5e-324],
        [],
        {},
    ],
    ids=["prototype keys", "our own words", "bidi NUL separators", "numbers", "array", "object"],
)
def test_data_comes_through_as_it_is(data: Any) -> None:
    message = decode(json.dumps({"type": "message", "data": data}))
    assert message == Message(data)
    assert json.loads(encode(Message(data)))["data"] == data


def test_prototype_keys_of_an_own_type_are_plain_fields() -> None:
    frame = '{"type":"buzz","__proto__":{"a":1},"self":2}'
    assert decode(frame) == Custom("buzz", {"__proto__": {"a": 1}, "self": 2})


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert decode('{"type":"message","data":{"a":1,"a":2},"data":{"a":3,"a":4}}') == Message(
        {"a": 4}
    )


def test_minus_zero_stays_a_number() -> None:
    message = decode('{"type":"message","data":[-0,-0.0]}')
    assert isinstance(message, Message)
    assert encode(message) == b'{"type":"message","data":[0,-0.0]}'


def nested(depth: int, kind: str) -> str:
    opened, closed = {"array": ("[", "]"), "object": ('{"a":', "}"), "mixed": ('[{"a":', "}]")}[
        kind
    ]
    times = depth // 2 if kind == "mixed" else depth
    return opened * times + "1" + closed * times


@pytest.mark.parametrize(
    "frame",
    ['{"type":"message","data":%s}', '{"type":"buzz","x":%s}', '{"type":"state","state":{"x":%s}}'],
    ids=["message", "own type", "state"],
)
def test_ten_thousand_levels_are_too_deep(frame: str) -> None:
    assert refusal(frame % DEEP).code == "too_deep"


@pytest.mark.parametrize(
    "frame",
    [DEEP, "[" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, '{"type":"pong","x":' + DEEP],
    ids=["arrays", "left open", "objects", "ignored and left open"],
)
def test_ten_thousand_levels_of_nonsense_are_refused(frame: str) -> None:
    # As what depends on how deep this Python lets C code recurse.
    assert refusal(frame).code in ("too_deep", "bad_shape", "bad_json")


@pytest.mark.parametrize("kind", ["array", "object", "mixed"])
def test_data_may_be_32_levels_deep_and_no_deeper(kind: str) -> None:
    frame = '{"type":"message","ref":"r","data":[1,%s]}'
    assert isinstance(decode(frame % nested(MAX_DEPTH - 2, kind)), Message)
    error = refusal(frame % nested(MAX_DEPTH, kind))
    assert (error.code, error.ref) == ("too_deep", "r")


@pytest.mark.parametrize(
    "frame",
    ['{"type":"message","data":%s}', '{"type":"signal","data":%s}', '{"type":"state","state":%s}'],
    ids=["message", "signal", "state"],
)
def test_the_limit_is_exact(frame: str) -> None:
    decode(frame % nested(MAX_DEPTH, "object"))
    assert refusal(frame % nested(MAX_DEPTH + 1, "object")).code == "too_deep"


def test_the_fields_of_an_own_type_are_one_level_themselves() -> None:
    frame = '{"type":"buzz","ref":1,"a":%s}'
    decode(frame % nested(MAX_DEPTH - 1, "array"))
    error = refusal(frame % nested(MAX_DEPTH, "array"))
    assert (error.code, error.ref) == ("too_deep", 1)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    rows = [{"t": n, "v": [n]} for n in range(500)]
    assert decode(json.dumps({"type": "message", "data": rows})) == Message(rows)
    text = "[" * 500
    assert decode(json.dumps({"type": "message", "data": text})) == Message(text)


# Whatever is sent

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
frame_keys = st.sampled_from(["type", "data", "ref", "to", "state", "__proto__"]) | st.text()
type_names = st.sampled_from([*CLIENT_FRAMES, "quiz.buzz", "_x", "on_x", "Message"])


def check_decode(frame: str | bytes) -> None:
    """`BadMessage`, or a message that can be sent on as it came; nothing else."""
    try:
        message = decode(frame)
    except BadMessage as error:
        encode(error.answer())
        return
    if isinstance(message, Custom):
        assert message.handler.isidentifier()
        encode(Message(message.fields, message.ref))
    else:
        assert decode(encode(message)) == message


@given(json_values)
def test_any_json_in_data_comes_back_the_same(data: Any) -> None:
    message = decode(json.dumps({"type": "message", "data": data}))
    assert isinstance(message, Message)
    assert json.loads(encode(message)) == {"type": "message", "data": data}


@given(st.text())
@example('{"type":{}}')
def test_any_text_is_taken_or_refused(text: str) -> None:
    check_decode(text)


@given(st.text(st.characters(exclude_categories=[]), max_size=30))
def test_any_text_with_surrogates_is_taken_or_refused(text: str) -> None:
    check_decode(text)
    check_decode('{"type":"message","data":"' + text + '"}')
    check_decode(json.dumps({"type": "buzz", text: text}))


@given(st.binary())
def test_any_bytes_are_taken_or_refused(frame: bytes) -> None:
    check_decode(frame)
    check_decode(b'{"type":"message","data":"' + frame + b'"}')


@given(st.dictionaries(frame_keys, type_names | json_values, max_size=6))
def test_any_object_is_taken_or_refused(fields: dict[str, Any]) -> None:
    check_decode(json.dumps(fields))


@given(st.sampled_from([frame for frame, _ in CLIENT_FRAMES.values()]), st.data())
def test_any_good_frame_with_a_bad_byte_is_taken_or_refused(
    frame: str, draw: st.DataObject
) -> None:
    damaged = bytearray(frame.encode())
    damaged[draw.draw(st.integers(0, len(damaged) - 1))] = draw.draw(st.integers(0, 255))
    check_decode(bytes(damaged))


# To the browser


@pytest.mark.parametrize(("message", "fields"), SERVER_FRAMES.values(), ids=SERVER_FRAMES)
def test_each_server_message_has_just_the_fields_of_the_protocol(
    message: ServerMessage, fields: dict[str, Any]
) -> None:
    assert json.loads(encode(message)) == fields


def test_every_type_of_message_stands_in_these_examples() -> None:
    assert {type(message) for _, message in CLIENT_FRAMES.values()} == {*get_args(BuiltIn), Custom}
    assert {type(message) for message, _ in SERVER_FRAMES.values()} == {*get_args(ServerMessage)}


def test_a_client_in_python_can_read_the_server_with_these_types() -> None:
    message, _ = SERVER_FRAMES["presence"]
    assert msgspec.json.decode(encode(message), type=ServerMessage) == message


def test_a_welcome_copies_what_was_encoded_before() -> None:
    message = msgspec.structs.replace(
        SERVER_FRAMES["welcome"][0], members=Raw(b'["as it  is"]'), messages=[Raw(b"1 ")]
    )
    assert b'"messages":[1 ],"members":["as it  is"]' in encode(message)


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (object(), "a builtins.object"),
        ([1, {"a": 1j}], "a builtins.complex"),
        ({None: 1}, "a builtins.NoneType where"),
        ("\ud800", "half a character"),
        (LOOP, "contains itself"),
    ],
)
def test_data_that_is_no_json_is_our_mistake_and_says_why(data: Any, why: str) -> None:
    with pytest.raises(TypeError, match=f"cannot be sent as JSON: .*{why}"):
        encode(RoomSignal(member=None, data=data))
