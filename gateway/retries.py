"""Asking: a call to one replica, and to another one where that one has left."""

import asyncio
import time
from typing import Any, Final

import grpc
from prometheus_client import Counter

from chassis.call import Call
from gateway.outcomes import Answered
from gateway.replica import TURNED_AWAY, Replica
from gateway.replicas import Replicas

_MOST_ATTEMPTS: Final = 3
_WAIT_SECONDS: Final = 0.02  # before asking the same one again, as there is no other; then thrice
_WAIT_FACTOR: Final = 3


class Asking:
    """Asks replicas until one answers, within the call's deadline and the budget for retries."""

    def __init__(self, replicas: Replicas, retries: Counter) -> None:
        """`retries` counts what is asked again."""
        self._replicas = replicas
        self._retries = retries
        self._budget = Budget()

    async def ask(self, request: Any, call: Call) -> Answered:
        """The answer; raises NoReplica and AioRpcError."""
        tried: set[Replica] = set()
        wait = _WAIT_SECONDS
        attempts = 0  # perhaps more than are tried: the only one is asked again, too
        while True:
            replica = await self._replicas.choose(call, tried)
            attempts += 1
            began = time.monotonic()
            try:
                answered = await replica.ask(request, call)
            except grpc.aio.AioRpcError as error:
                if not self._again(error, attempts):
                    raise
                self._retries.inc()
            else:
                self._budget.answered()
                self._replicas.took(time.monotonic() - began)
                return answered
            tried.add(replica)
            if not self._replicas.others(tried):
                await asyncio.sleep(min(wait, call.deadline.left()))
                wait *= _WAIT_FACTOR

    def _again(self, error: grpc.aio.AioRpcError, attempts: int) -> bool:
        if not self._replicas.found or error.code() not in TURNED_AWAY:
            return False
        self._budget.failed()
        return attempts < _MOST_ATTEMPTS and self._budget.allows


class Budget:
    """Keeps an outage from being multiplied, as gRPC's own retry throttling does.

    A failure takes one of 100 tokens, an answer gives a tenth of one back; from half of them down
    nothing is asked again. In the long run that is one retry for ten answers.
    """

    _FULL: Final = 100.0
    _PER_ANSWER: Final = 0.1

    def __init__(self) -> None:
        self._tokens = self._FULL

    @property
    def allows(self) -> bool:
        """Whether something may be asked again."""
        return self._tokens > self._FULL / 2

    def answered(self) -> None:
        """Notes an answer."""
        self._tokens = min(self._FULL, self._tokens + self._PER_ANSWER)

    def failed(self) -> None:
        """Notes a failure that would be worth asking again."""
        self._tokens = max(0.0, self._tokens - 1)
