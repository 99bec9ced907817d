"""Calls from asyncio: the loop watches the host's descriptor, and a task awaits each call."""

import asyncio
from ctypes import byref, c_int

import shmipc


class Calls:
    """Of one host and one loop. As many calls as there are slots are in flight, the others wait."""

    def __init__(self, host):
        descriptor = c_int()
        shmipc.get_fd(host.peer, byref(descriptor))
        self.host = host
        self.descriptor = descriptor.value
        self.loop = asyncio.get_running_loop()
        self.free = asyncio.Semaphore(host.slots)
        self.held = {}  # the future of an answer: its slot, until that is released
        self.closed = False
        self.loop.add_reader(self.descriptor, self._look)

    def close(self):
        """Before the host is closed: abandons the calls in flight, and cancels their tasks."""
        self.closed = True
        self.loop.remove_reader(self.descriptor)
        for answer, slot in self.held.items():
            shmipc.release(slot)
            answer.cancel()
        self.held.clear()

    async def call(self, data, kind=0):
        """A task that is cancelled, by asyncio.timeout too, abandons its call, and the handler is told."""
        async with self.free:
            slot = await self._claim()
            answer = self.loop.create_future()
            self.held[answer] = slot
            try:
                shmipc.send(slot, data, kind)
                self._look()
                return await answer
            finally:
                if self.held.pop(answer, None):  # else it is released already, and its host may be freed
                    shmipc.release(slot)

    async def _claim(self):
        """At once; but a slot whose call was abandoned is free only when its handler has returned."""
        slot = shmipc.Slot()
        while not self.closed:
            try:
                shmipc.slot_claim(self.host.peer, 0, byref(slot))
                return slot
            except shmipc.Error as error:
                if error.code != shmipc.Code.TIMEOUT:
                    raise
            await asyncio.sleep(0.01)
        raise shmipc.Error(shmipc.Code.CLOSED, "the calls of this loop were closed")

    def _look(self):
        """Takes what has come. If more has come by then, the descriptor is readable, and the loop calls this again."""
        for answer, slot in list(self.held.items()):
            if shmipc.slot_ready(slot):
                self._take(answer, slot)
        slots = list(self.held.values())
        shmipc.arm(self.host.peer, 0, (shmipc.Slot * len(slots))(*slots), len(slots))

    def _take(self, answer, slot):
        del self.held[answer]
        try:
            if not answer.done():  # else its task was cancelled, but has not run since
                answer.set_result(shmipc.receive(slot))
        except shmipc.Error as error:
            answer.set_exception(error)
        finally:
            shmipc.release(slot)
