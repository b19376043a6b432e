"""The tasks; wit/world.wit describes them. `componentize-py -d wit -w tasks bindings .` writes the modules imported here, for editors."""

import wit_world
from componentize_py_types import Err
from wit_world import Summary


class WitWorld(wit_world.WitWorld):
    """The world's functions, in snake_case; the name of the class is fixed."""

    def greet(self, name: str) -> str:
        return f"Hello, {name}!"

    def summarize(self, numbers: list[float]) -> Summary:
        """Fails by raising Err: the caller gets the value. Any other exception is a trap, and ends this task only."""
        if not numbers:
            raise Err("there are no numbers")
        return Summary(
            count=len(numbers),
            sum=sum(numbers),
            mean=sum(numbers) / len(numbers),
            smallest=min(numbers),
            largest=max(numbers),
        )
