"""Questions to the disk, put so that whoever asks need not know where they wait.

In this file:
    Question     something that may take a while: a file to be read
    Asking       a search that stops at such questions
    ask          stop at one
    elsewhere    answer them in a thread

A search for what an address means is a generator that yields questions.  A server
answers them in threads, a command where it stands (``mailbox.steps.finished``); the
search is the same.
"""

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from maildrop.mailbox.gate import InThread

T = TypeVar("T")


class Question(Generic[T]):
    """Something that may take a while.

    Args:
        work: Finds the answer.
    """

    __slots__ = ("_work", "answer")

    answer: T

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work

    def __call__(self) -> None:
        """Do the work, on any thread."""
        self.answer = self._work()


Asking = Generator[Question[Any], None, T]


def ask(work: Callable[[], T]) -> Asking[T]:
    """Stop at a question; gives its answer."""
    question = Question(work)
    yield question
    return question.answer


async def elsewhere(search: Asking[T], in_thread: InThread) -> T:
    """Answer all questions in a thread; does not suspend if there are none."""
    try:
        question = next(search)
        while True:
            try:
                await in_thread(question)
            except BaseException as error:
                question = search.throw(error)
            else:
                question = next(search)
    except StopIteration as done:
        result: T = done.value
        return result
