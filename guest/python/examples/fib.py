"""The smallest tasks there are; ../../examples/fib/wit/world.wit describes them."""

import wit_world


class WitWorld(wit_world.WitWorld):
    """The world's functions; the name of the class is fixed."""

    def fib(self, n: int) -> int:
        # Numbers have no limit here, but WIT's u64 has one.
        return fib(n) % 2**64

    def sum(self, numbers: list[int]) -> int:
        return sum(numbers)

    def echo(self, data: bytes) -> bytes:
        return data

    def greet(self, name: str) -> str:
        return f"Hello, {name}!"


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)
