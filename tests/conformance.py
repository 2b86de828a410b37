"""What RFC 6455 and RFC 7692 ask of a server that echoes, as a table: sent, and what comes back.

The kinds of cases are those of the public conformance suite, Autobahn|Testsuite, whose numbers
stand in brackets; the section is the RFC's. Frames are made by `tests/raw.py`, so nothing that is
sent here has passed a library that would have put it right.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from tests.raw import CLOSE, frame

TEXT, BINARY, CLOSING, PING, PONG = 1, 2, 8, 9, 10
DONE = (CLOSING, struct.pack(">H", 1000))
LIMIT = 65_536

Frames = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Case:
    sent: bytes
    # Opcode and payload of each frame that comes back; a close by its first two bytes.
    back: Frames
    section: str
    deflate: str = ""


def closed(code: int) -> tuple[int, bytes]:
    return CLOSING, struct.pack(">H", code) if code != 1005 else b""


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(8, struct.pack(">H", code) + reason)


def parts(opcode: int, *payloads: bytes) -> bytes:
    """One message in as many frames."""
    last = len(payloads) - 1
    return b"".join(
        frame(opcode if not n else 0, payload, fin=n == last) for n, payload in enumerate(payloads)
    )


def masked(opcode: int, payload: bytes, mask: bytes) -> bytes:
    body = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body


def squeezed(*payloads: bytes, bits: int = 12, context: bool = True) -> list[bytes]:
    """Each payload as permessage-deflate has it (RFC 7692, section 7.2.1)."""
    done, maker = [], zlib.compressobj(9, zlib.DEFLATED, -bits)
    for payload in payloads:
        if not context:
            maker = zlib.compressobj(9, zlib.DEFLATED, -bits)
        done.append((maker.compress(payload) + maker.flush(zlib.Z_SYNC_FLUSH))[:-4])
    return done


def echoed(opcode: int, payload: bytes, section: str) -> Case:
    return Case(frame(opcode, payload) + CLOSE, [(opcode, payload), DONE], section)


FRAMING = {
    f"[1.{1 if opcode == TEXT else 2}] {size} bytes of {name}": echoed(
        opcode, (b"*" if opcode == TEXT else b"\xfe") * size, "5.2"
    )
    for opcode, name in ((TEXT, "text"), (BINARY, "binary"))
    for size in (0, 1, 125, 126, 127, 128, 65_535, 65_536)
} | {
    "[1.1] a mask that is not zero": Case(
        masked(1, b"Hello", b"\x37\xfa\x21\x3d") + CLOSE, [(TEXT, b"Hello"), DONE], "5.3"
    ),
    "[5.1] no mask": Case(frame(1, b"hi", masked=False), [closed(1002)], "5.1"),
}

PINGS = {
    "[2.1] an empty ping": Case(frame(9) + CLOSE, [(PONG, b""), DONE], "5.5.2"),
    "[2.2] a ping with text": Case(frame(9, b"hi") + CLOSE, [(PONG, b"hi"), DONE], "5.5.2"),
    "[2.3] a ping with bytes": Case(
        frame(9, b"\x00\xff\xfe") + CLOSE, [(PONG, b"\x00\xff\xfe"), DONE], "5.5.2"
    ),
    "[2.4] a ping of 125": Case(
        frame(9, b"\xfe" * 125) + CLOSE, [(PONG, b"\xfe" * 125), DONE], "5.5"
    ),
    "[2.5] a ping of 126": Case(frame(9, b"x" * 126), [closed(1002)], "5.5"),
    "[2.7] a pong nobody asked for": Case(frame(10) + CLOSE, [DONE], "5.5.3"),
    "[2.8] a pong with text, and a ping": Case(
        frame(10, b"x") + frame(9, b"y") + CLOSE, [(PONG, b"y"), DONE], "5.5.3"
    ),
    "[2.10] ten pings": Case(
        b"".join(frame(9, b"%d" % n) for n in range(10)) + CLOSE,
        [*((PONG, b"%d" % n) for n in range(10)), DONE],
        "5.5.3",
    ),
}

RESERVED = {
    f"[3.{bits}] reserved bits {bits:03b} of opcode {opcode}": Case(
        frame(opcode, b"hi", reserved=bits), [closed(1002)], "5.2"
    )
    for bits in range(1, 8)
    for opcode in (TEXT, BINARY, PING)
}

OPCODES = {
    f"[4] opcode {opcode}": Case(frame(opcode, b"hi"), [closed(1002)], "5.2")
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
}

FRAGMENTS = {
    "[5.3] text in two": Case(
        parts(1, b"frag", b"ment") + CLOSE, [(TEXT, b"fragment"), DONE], "5.4"
    ),
    "[5.5] text in bytes": Case(
        parts(1, *(b"%c" % c for c in b"fragment")) + CLOSE, [(TEXT, b"fragment"), DONE], "5.4"
    ),
    "[5.6] a ping between": Case(
        frame(1, b"a", fin=False) + frame(9, b"!") + frame(0, b"b") + CLOSE,
        [(PONG, b"!"), (TEXT, b"ab"), DONE],
        "5.4",
    ),
    "[5.8] pings between, one part each": Case(
        frame(1, b"a", fin=False)
        + frame(9)
        + frame(0, b"b", fin=False)
        + frame(9)
        + frame(0)
        + CLOSE,
        [(PONG, b""), (PONG, b""), (TEXT, b"ab"), DONE],
        "5.4",
    ),
    "[5.9] a part of nothing": Case(frame(0, b"x"), [closed(1002)], "5.4"),
    "[5.11] an open part of nothing": Case(frame(0, b"x", fin=False), [closed(1002)], "5.4"),
    "[5.15] a part after the last": Case(
        parts(1, b"a", b"b") + frame(0, b"c"), [(TEXT, b"ab"), closed(1002)], "5.4"
    ),
    "[5.18] a text inside a text": Case(
        frame(1, b"a", fin=False) + frame(1, b"b"), [closed(1002)], "5.4"
    ),
    "[5.1] a ping in parts": Case(frame(9, b"a", fin=False), [closed(1002)], "5.5"),
    "[5.2] a pong in parts": Case(frame(10, b"a", fin=False), [closed(1002)], "5.5"),
    "[5] a close in parts": Case(frame(8, b"\x03\xe8", fin=False), [closed(1002)], "5.5"),
    "[5] empty parts": Case(parts(2, b"", b"", b"") + CLOSE, [(BINARY, b""), DONE], "5.4"),
}

GOOD_TEXTS = [
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\x00",
    "\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff",
    "\ufeff",
    "\ufdd0\ufffe\U0001fffe",  # not characters, yet valid (6.22)
    "\ud7ff\ue000\ufffd",
    "👩‍👩‍👧",
]
BAD_TEXTS = [
    b"\x80",
    b"\xbf",
    b"\xc0\xaf",  # overlong
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xed\xa0\x80",  # half a character
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf4\x90\x80\x80",  # above U+10FFFF
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xc3",  # not whole
    b"\xe2\x82",
    b"\xf0\x9f\x98",
]
UTF8 = (
    {
        f"[6.2] valid {text!a}": Case(
            frame(1, text.encode()) + CLOSE, [(TEXT, text.encode()), DONE], "8.1"
        )
        for text in GOOD_TEXTS
    }
    | {
        f"[6.2] valid {text!a}, a byte in each part": Case(
            parts(1, *(bytes([byte]) for byte in text.encode())) + CLOSE,
            [(TEXT, text.encode()), DONE],
            "5.6",
        )
        for text in GOOD_TEXTS
    }
    | {f"[6.3] invalid {data!r}": Case(frame(1, data), [closed(1007)], "8.1") for data in BAD_TEXTS}
    | {
        f"[6.3] invalid {data!r}, a byte in each part": Case(
            parts(1, b"ok", *(bytes([byte]) for byte in data)), [closed(1007)], "8.1"
        )
        for data in BAD_TEXTS
    }
    | {
        "[6.4] bytes need not be text": Case(
            frame(2, b"\xff\xed\xa0\x80") + CLOSE, [(BINARY, b"\xff\xed\xa0\x80"), DONE], "5.6"
        )
    }
)

GOOD_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
BAD_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
CLOSES = (
    {
        "[7.1.1] a message, then a close": echoed(TEXT, b"hi", "5.5.1"),
        "[7.1.2] two closes": Case(CLOSE + CLOSE, [DONE], "5.5.1"),
        "[7.1.3] a ping after a close": Case(CLOSE + frame(9, b"x"), [DONE], "5.5.1"),
        "[7.1.4] a text after a close": Case(CLOSE + frame(1, b"x"), [DONE], "5.5.1"),
        # The message can never be whole, which the library holds for a fault.
        "[7.1.5] a close inside a text": Case(
            frame(1, b"x", fin=False) + CLOSE, [closed(1002)], "5.4"
        ),
        "[7.3.1] a close without a code": Case(frame(8), [closed(1005)], "7.1.5"),
        "[7.3.2] half a code": Case(frame(8, b"\x03"), [closed(1002)], "5.5.1"),
        "[7.3.4] a reason": Case(close_frame(1000, b"bye"), [DONE], "5.5.1"),
        "[7.3.5] the longest reason": Case(close_frame(1000, b"x" * 123), [DONE], "5.5"),
        "[7.3.6] a longer one": Case(close_frame(1000, b"x" * 124), [closed(1002)], "5.5"),
        "[7.5.1] a reason of invalid UTF-8": Case(
            close_frame(1000, b"\xce\xba\xed\xa0\x80"), [closed(1007)], "8.1"
        ),
    }
    | {
        f"[7.7] code {code}": Case(close_frame(code), [closed(code)], "7.4.2")
        for code in GOOD_CODES
    }
    | {f"[7.9] code {code}": Case(close_frame(code), [closed(1002)], "7.4") for code in BAD_CODES}
)

LIMITS = {
    "[9] a byte too many": Case(frame(2, b"x" * (LIMIT + 1)), [closed(1009)], "7.4.1"),
    "[9] a byte too many in parts": Case(parts(2, b"x" * LIMIT, b"x"), [closed(1009)], "7.4.1"),
    "[9] as long as may be, in 64 parts": Case(
        parts(2, *[b"x" * 1024] * 64) + CLOSE, [(BINARY, b"x" * LIMIT), DONE], "5.4"
    ),
    "[9] the largest size there is": Case(frame(2, b"x", length=2**63 - 1), [closed(1009)], "5.2"),
    "[9] a size whose highest bit is set": Case(frame(2, length=2**63), [closed(1009)], "5.2"),
    "[9] 1,000 small ones": Case(
        frame(1, b"x" * 64) * 1_000 + CLOSE, [*[(TEXT, b"x" * 64)] * 1_000, DONE], "5.2"
    ),
}

OFFER = "permessage-deflate; client_max_window_bits"
ONE, TWO = squeezed(b"Hello", b"Hello")
LONE = squeezed(b"Hello", b"Hello", context=False)[1]
BOMB = squeezed(bytes(10_000_000))[0]
DEFLATE = {
    "[12] a compressed text": Case(
        frame(1, ONE, reserved=4) + CLOSE, [(TEXT, b"Hello"), DONE], "7692 7.2.3.1", OFFER
    ),
    "[12] the second by the context of the first": Case(
        frame(1, ONE, reserved=4) + frame(1, TWO, reserved=4) + CLOSE,
        [(TEXT, b"Hello"), (TEXT, b"Hello"), DONE],
        "7692 7.2.3.2",
        OFFER,
    ),
    "[13] no context is taken over": Case(
        frame(1, LONE, reserved=4) * 2 + CLOSE,
        [(TEXT, b"Hello"), (TEXT, b"Hello"), DONE],
        "7692 7.1.1",
        OFFER + "; client_no_context_takeover; server_no_context_takeover",
    ),
    "[12] compressed in parts, a ping between": Case(
        frame(1, ONE[:3], reserved=4, fin=False) + frame(9) + frame(0, ONE[3:]) + CLOSE,
        [(PONG, b""), (TEXT, b"Hello"), DONE],
        "7692 6.1",
        OFFER,
    ),
    "[12] an empty message": Case(
        frame(1, b"\x00", reserved=4) + CLOSE, [(TEXT, b""), DONE], "7692 7.2.3.6", OFFER
    ),
    "[12] not compressed though it may be": Case(
        frame(1, b"Hello") + CLOSE, [(TEXT, b"Hello"), DONE], "7692 6", OFFER
    ),
    "[12] 60,000 bytes": Case(
        frame(2, squeezed(b"x" * 60_000)[0], reserved=4) + CLOSE,
        [(BINARY, b"x" * 60_000), DONE],
        "7692 6",
        OFFER,
    ),
    "[12] small, and too large inside": Case(
        frame(2, BOMB, reserved=4), [closed(1009)], "7692 8", OFFER
    ),
    "[12] garbage": Case(frame(1, b"\xff" * 9, reserved=4), [closed(1002)], "7692 6.2", OFFER),
    "[12] the bit on a later part": Case(
        frame(1, ONE[:3], reserved=4, fin=False) + frame(0, ONE[3:], reserved=4),
        [closed(1002)],
        "7692 6.1",
        OFFER,
    ),
    "[12] the bit on a ping": Case(frame(9, reserved=4), [closed(1002)], "7692 6.1", OFFER),
    "[12] invalid UTF-8 inside": Case(
        frame(1, squeezed(b"\xff")[0], reserved=4), [closed(1007)], "8.1", OFFER
    ),
    "[13] another window": Case(
        frame(1, squeezed(b"Hello", bits=9)[0], reserved=4) + CLOSE,
        [(TEXT, b"Hello"), DONE],
        "7692 7.1.2",
        "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9",
    ),
    "[13] an offer that cannot be met, and a plain one": Case(
        frame(1, b"Hello") + CLOSE,
        [(TEXT, b"Hello"), DONE],
        "7692 5.1",
        "permessage-deflate; server_max_window_bits=99, x-unknown; a=b",
    ),
}

CASES = {
    **FRAMING,
    **PINGS,
    **RESERVED,
    **OPCODES,
    **FRAGMENTS,
    **UTF8,
    **CLOSES,
    **LIMITS,
    **DEFLATE,
}


def frames_of(data: bytes) -> Frames:
    """A server's frames, inflated; of a close the code only."""
    maker, found = zlib.decompressobj(-15), Frames()
    while data:
        first, size, start = data[0], data[1], 2
        assert not size & 0x80, "a server does not mask (RFC 6455, 5.1)"
        assert first & 0x80, "an echo in one frame"
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        body, data = data[start : start + size], data[start + size :]
        assert len(body) == size, "half a frame"
        if first & 0x40:
            body = maker.decompress(body + b"\0\0\xff\xff")
        found.append((first & 15, body[:2] if first & 15 == CLOSING else body))
    return found
