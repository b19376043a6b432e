"""Maps a function over lines of JSON with `multiprocessing.Pool`: what one writes where there is no `taskcell map`."""

import json
import sys
from multiprocessing import Pool


def task(line):
    return json.dumps(json.loads(line))


if __name__ == "__main__":
    with Pool(2) as pool:
        sys.stdout.writelines(line + "\n" for line in pool.map(task, sys.stdin.read().splitlines()))
