"""Where things are, and what is built or fetched before anything is measured."""

import os
import random
import shutil
import subprocess
import sys
import venv
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent.parent
PEERS = BENCH / "peers"
CACHE = Path(os.environ.get("TASKCELL_CACHE", ROOT / ".cache")).resolve()
# Peers, inputs and the compiled code of the runs: all ours, and none of it in the way of anybody else.
OURS = CACHE / "bench"
INPUTS = OURS / "inputs"
PYTHON = OURS / "python/bin/python"
NODE_MODULES = OURS / "node"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release"

TEXT_BYTES = 100_000_000


def say(text):
    print(f"tests/bench/run: {text}", file=sys.stderr, flush=True)


def environment():
    """That of every contestant: without the user's own cache of compiled code."""
    return os.environ | {"XDG_CACHE_HOME": str(OURS / "code"), "PYTHONDONTWRITEBYTECODE": "1"}


def build():
    subprocess.run(
        ["cargo", "build", "--release", "--quiet", "--locked", "-p", "taskcell-bench", "-p", "taskcell-cli"], cwd=ROOT, check=True
    )
    INPUTS.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "guest/examples/fib.wat", INPUTS / "numbers.wat")
    shutil.copyfile(BENCH / "guests/bytes.wat", INPUTS / "bytes.wat")
    shutil.copyfile(guest("word-count"), INPUTS / "words.wasm")
    if not (INPUTS / "text").exists():
        write_text(INPUTS / "text")


def guest(name):
    """The module of an example guest, built if it is not there or older than what it is made of."""
    module = CACHE / f"guests/{name}.wasm"
    sources = [path for folder in ("sdk", f"examples/{name}") for path in (ROOT / "guest" / folder).rglob("*.rs")]
    if not module.exists() or module.stat().st_mtime < max(path.stat().st_mtime for path in sources):
        say(f"building the guests, for {name}")
        subprocess.run([ROOT / "guest/build"], check=True)
    return module


def write_text(path):
    """Words of a made language, the frequent ones short, in lines; always the same."""
    say(f"writing {TEXT_BYTES // 1_000_000} MB of text, once")
    dice = random.Random(1)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    vocabulary = ["".join(dice.choices(letters[:18], k=min(2 + n.bit_length() // 2 + dice.randrange(4), 14))) for n in range(20_000)]
    weights = [1 / (n + 2) for n in range(len(vocabulary))]
    ends = ["", "", "", "", "", "", "", ",", ".", ";", "!", "?"]
    unfinished = path.with_name("text.new")
    with open(unfinished, "w") as out:
        written = 0
        while written < TEXT_BYTES:
            words = dice.choices(vocabulary, weights, k=120_000)
            marks = dice.choices(ends, k=len(words))
            text = "".join(
                f"{word.capitalize() if n % 12 == 0 else word}{mark}{chr(10) if n % 12 == 11 else ' '}"
                for n, (word, mark) in enumerate(zip(words, marks, strict=True))
            )
            written += out.write(text)
    unfinished.rename(path)


def fetch_peers():
    """Installs what is not there. Gives why what can't be had is missing, by its name."""
    OURS.mkdir(parents=True, exist_ok=True)
    return {name: why for name, why in (("loky", fetch_loky()), ("piscina", fetch_piscina())) if why}


def is_fetched(list_of_ours, kept):
    return kept.exists() and kept.read_bytes() == list_of_ours.read_bytes()


def fetch_loky():
    wanted, kept = PEERS / "requirements.txt", OURS / "fetched.txt"
    if not PYTHON.exists():
        # The interpreter that runs this, with nothing of its packages: what all Python peers run on.
        venv.create(OURS / "python", clear=True, with_pip=True)
    if is_fetched(wanted, kept):
        return None
    say("fetching loky from PyPI, once")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]
    return finish(pip, wanted, kept)


def fetch_piscina():
    if not shutil.which("node") or not shutil.which("npm"):
        return "node or npm is not installed"
    wanted, kept = PEERS / "package-lock.json", OURS / "fetched.json"
    if is_fetched(wanted, kept):
        return None
    say("fetching piscina from npm, once")
    NODE_MODULES.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(PEERS / name, NODE_MODULES / name)
    npm = ["npm", "ci", "--prefix", NODE_MODULES, "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    return finish(npm, wanted, kept)


def finish(command, wanted, kept):
    done = subprocess.run(command, stdout=sys.stderr)
    if done.returncode != 0:
        return f"could not be fetched ({command[0] if isinstance(command[0], str) else 'pip'} exited with {done.returncode})"
    # Last: while the list is not there, what it lists is not either.
    shutil.copyfile(wanted, kept)
    return None
