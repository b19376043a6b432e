"""Runs contestants in turn, and keeps what they tell."""

import json
import statistics
import subprocess
from collections import defaultdict

from harness.others import Watch
from harness.places import say
from harness.programs import NAMES, OURS, exists


class Figures:
    """By contestant and name: a value for each round, and the unit."""

    def __init__(self):
        self.values = defaultdict(dict)
        self.units = {}
        # Why a contestant has no figures in a group: (who, group) -> text.
        self.missing = {}
        self.faults = []
        # What others took of the machine, for each run of a contestant.
        self.others = []

    def add(self, who, round_number, figures):
        by_name = defaultdict(list)
        for name, value, unit in figures:
            by_name[name].append(value)
            self.units[who, name] = unit
        for name, values in by_name.items():
            self.values[who, name][round_number] = statistics.median(values)

    def __contains__(self, figure):
        return bool(self.values.get(figure))

    def median(self, who, name):
        return statistics.median(self.values[who, name].values())

    def spread(self, who, name):
        values = self.values[who, name].values()
        return min(values), max(values)

    def ratio(self, ours, who, name, less):
        """How many times better ours is: the median of what each round says, so that a slow minute is in both."""
        our, their = self.values.get((OURS, ours), {}), self.values.get((who, name), {})
        both = our.keys() & their.keys()
        if not both:
            return float("nan")
        return statistics.median(their[n] / our[n] if less else our[n] / their[n] for n in both)

    def check(self, group, checks):
        """What contestants found has to be the same."""
        if len({value for _, value in checks}) > 1:
            self.faults.append(f"{group}: the contestants did not do the same work: {checks}")

    def as_json(self):
        return {
            f"{who}: {name}": {
                "unit": self.units[who, name],
                "median": self.median(who, name),
                "low": self.spread(who, name)[0],
                "high": self.spread(who, name)[1],
                "rounds": list(values.values()),
            }
            for (who, name), values in self.values.items()
        }


def run(programs, groups, rounds, quick, absent, rest=None):
    """`rounds` times each group, each by all programs that know it, one right after the other."""
    figures = Figures()
    for round_number in range(rounds):
        for group in groups:
            able = [program for program in programs if group in program.groups]
            # Nobody is always the first.
            turn = round_number % len(able) if able else 0
            checks = []
            for program in able[turn:] + able[:turn]:
                why = absent.get(program.who) or (None if exists(program.argv) else "it is not there")
                if why:
                    figures.missing[program.who, group] = why
                    continue
                say(f"round {round_number + 1} of {rounds}: {group}: {NAMES.get(program.who, program.who)}")
                watch = Watch()
                try:
                    found = program.run(group, quick, (rest or {}).get(group, ()))
                    figures.others.append(watch.share())
                except (subprocess.SubprocessError, json.JSONDecodeError, KeyError) as error:
                    figures.missing[program.who, group] = f"failed: {error}"
                    figures.faults.append(f"{group}: {program.who} failed: {error}")
                    continue
                checks += [(program.who, value) for _, value, unit in found if unit == "check"]
                figures.add(program.who, round_number, [figure for figure in found if figure[2] != "check"])
            figures.check(group, checks)
    return figures
