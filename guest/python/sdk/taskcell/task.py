"""What a running task may know of itself, and tell."""

import logging

import wit_world.imports.task as bound

_LEVELS = {
    logging.DEBUG: bound.Level.DEBUG,
    logging.INFO: bound.Level.INFO,
    logging.WARNING: bound.Level.WARN,
    logging.ERROR: bound.Level.ERROR,
    logging.CRITICAL: bound.Level.ERROR,
}


def current_task() -> bound.Identity:
    """Its id, attempt, name and parent."""
    return bound.self()


def cancelled() -> bool:
    """Whether somebody asked this task to stop. A loop may ask often."""
    return bound.cancelled()


def progress(done: int, total: int | None = None, note: str = "") -> None:
    """Tells how far this task is."""
    bound.progress(done, total, note)


def log(message: str, level: int = logging.INFO) -> None:
    """Writes a line to the log of this job, at a level of the module `logging`."""
    bound.log(_LEVELS.get(level, bound.Level.TRACE), message)


def cpu_count() -> int:
    """How many CPUs this job may use."""
    return bound.cpu_count()


class LogHandler(logging.Handler):
    """Sends what is logged by the module `logging` to the log of this job: `logging.getLogger().addHandler(LogHandler())`."""

    def emit(self, record: logging.LogRecord) -> None:
        log(self.format(record), record.levelno)
