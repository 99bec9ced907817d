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
        self.sent = {}  # index of a slot: the slot, and the future of its answer
        self.loop.add_reader(self.descriptor, self._look)

    def close(self):
        """Before the host is closed."""
        self.loop.remove_reader(self.descriptor)

    async def call(self, data, kind=0):
        """A task that is cancelled, by asyncio.timeout too, abandons its call, and the handler is told."""
        async with self.free:
            slot = await self._claim()
            try:
                shmipc.send(slot, data, kind)
                answer = self.loop.create_future()
                self.sent[slot.index] = slot, answer
                self._look()
                return await answer
            finally:
                self.sent.pop(slot.index, None)
                shmipc.release(slot)

    async def _claim(self):
        """At once; but a slot whose call was abandoned is free only when its handler has returned."""
        slot = shmipc.Slot()
        while True:
            try:
                shmipc.slot_claim(self.host.peer, 0, byref(slot))
                return slot
            except shmipc.Error as error:
                if error.code != shmipc.Code.TIMEOUT:
                    raise
            await asyncio.sleep(0.01)

    def _look(self):
        """Takes what has come. If more has come by then, the descriptor is readable, and the loop calls this again."""
        for slot, answer in list(self.sent.values()):
            if shmipc.slot_ready(slot):
                self._take(slot, answer)
        slots = [slot for slot, _ in self.sent.values()]
        shmipc.arm(self.host.peer, 0, (shmipc.Slot * len(slots))(*slots), len(slots))

    def _take(self, slot, answer):
        del self.sent[slot.index]
        try:
            answer.set_result(shmipc.receive(slot))
        except shmipc.Error as error:
            answer.set_exception(error)
