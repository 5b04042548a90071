"""Actors on threads of which exactly one runs: at every call another may go on, as the schedule says.

The code that runs is ordinary blocking code, so each actor needs a stack of its own. The baton goes from thread to
thread directly; where the one that holds it goes on, no thread is switched.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial


class Killed(BaseException):
    """The process is gone: nothing that it would have done from here on happens."""


@dataclass(eq=False, slots=True)
class Actor:
    """Something that runs: an invocation. After ``deadline`` it is dead; before ``ready_at`` it waits for an answer.

    ``hops`` is how long the chain of the function's own messages is, of which it works on the last.
    """

    name: str
    started: float
    deadline: float
    skew: float = 0.0
    ready_at: float = 0.0
    dead: bool = False
    hops: int = 0
    thread: _Thread | None = None


class _Thread:
    """A thread that is used again and again."""

    def __init__(self) -> None:
        self.baton = _thread.allocate_lock()
        self.baton.acquire()
        self.job: Callable[[], None] | None = None
        threading.Thread(target=self._loop, daemon=True, name="simulated").start()

    def _loop(self) -> None:
        while True:
            self.baton.acquire()
            job, self.job = self.job, None
            if job is not None:
                job()


_IDLE: list[_Thread] = []


@dataclass(eq=False, slots=True)
class Scheduler:
    """Runs actors; ``choose`` says who is next, None: nobody has anything to do."""

    choose: Callable[[], Actor | None]
    actors: list[Actor] = field(default_factory=list)
    current: Actor | None = None
    error: BaseException | None = None
    abandoned: bool = False
    _main: _thread.LockType = field(default_factory=_thread.allocate_lock)

    def spawn(self, actor: Actor, body: Callable[[], None]) -> None:
        """Let an actor begin when it is chosen."""
        actor.thread = _IDLE.pop() if _IDLE else _Thread()
        actor.thread.job = partial(self._run, actor, body)
        self.actors.append(actor)

    def run(self) -> None:
        """Go on until nobody has anything to do; what went wrong in the world is raised here."""
        self._main.acquire()
        try:
            self._hand_over(self._next())
            self._main.acquire()
            if self.error is not None:
                self._abandon()
        finally:
            self._main.release()
        if self.error is not None:
            raise self.error

    def switch(self) -> None:
        """Let others go on; called by the actor that runs, between any two steps. Raises Killed."""
        me = self.current
        if me is None or me.thread is None or me.dead:
            raise Killed
        following = self._next()
        if following is not me:
            self._hand_over(following)
            me.thread.baton.acquire()
        if me.dead:
            raise Killed

    def _next(self) -> Actor | None:
        if self.abandoned or self.error is not None:
            return None
        self.current = None
        try:
            self.current = self.choose()
        except BaseException as error:  # noqa: BLE001 - carried to the main thread, whatever it is
            self.error = error
        return self.current

    def _hand_over(self, to: Actor | None) -> None:
        self.current = to
        lock = self._main if to is None or to.thread is None else to.thread.baton
        lock.release()

    def _run(self, actor: Actor, body: Callable[[], None]) -> None:
        try:
            if not actor.dead:
                body()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - carried to the main thread, whatever it is
            self.error = self.error or error
        self.actors.remove(actor)
        if actor.thread is not None:
            _IDLE.append(actor.thread)
        self._hand_over(self._next())

    def _abandon(self) -> None:
        """Unwind whoever still stands somewhere."""
        self.abandoned = True
        for actor in list(self.actors):
            actor.dead = True
            self._hand_over(actor)
            self._main.acquire()
