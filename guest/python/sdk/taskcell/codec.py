"""How Python's values become the bytes of messages, and back. The host carries bytes and does not look at them."""

import json
from typing import Any, Protocol


class Codec(Protocol):
    @staticmethod
    def encode(value: Any) -> bytes: ...

    @staticmethod
    def decode(data: bytes) -> Any: ...


class JSON:
    """Numbers, strings, lists, dicts, booleans and None: every language can read and write it."""

    @staticmethod
    def encode(value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    @staticmethod
    def decode(data: bytes) -> Any:
        return json.loads(data)


class BYTES:
    """Bytes as they are."""

    @staticmethod
    def encode(value: bytes) -> bytes:
        return bytes(value)

    @staticmethod
    def decode(data: bytes) -> bytes:
        return data
