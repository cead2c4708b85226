"""Waiting: who may, where."""

import time

import pytest
from twisted.python import threadable

from maildrop.app.patience import patient
from maildrop.mailbox.steps import MustWait


def test_a_thread_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(threadable, "ioThread", None)
    patient(0.25)
    assert slept == [0.25]


def test_the_reactors_thread_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threadable, "ioThread", threadable.getThreadID())
    with pytest.raises(MustWait):
        patient(0.25)
