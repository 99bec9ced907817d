"""python_faults.py <application>: what the example in Python does when calls fail, are cancelled or are interrupted at
the worst moment. There is no guest: each call waits until it is cancelled."""

import asyncio
import sys
from ctypes import byref

import shmipc
from shmipc_asyncio import Calls

cancel = shmipc._function("slot_cancel", shmipc.Slot)
sent = []  # the slots, as they are sent


def record_sent(send):
    def recording(slot, *arguments):
        sent.append(slot)
        return send(slot, *arguments)

    return recording


async def start(calls):
    """A call in flight: its task, and its slot."""
    task = asyncio.create_task(calls.call(b"waits"))
    await asyncio.sleep(0)
    return task, sent[-1]


async def code_of(task):
    """Of the error that the task ends with, soon."""
    await asyncio.wait({task}, timeout=5)
    assert task.done(), "nobody looks at the call"
    assert isinstance(task.exception(), shmipc.Error), repr(task.exception())
    return task.exception().code


async def an_index_is_given_on(host):
    """A's call has failed, so its slot is released and becomes B's, before A runs again."""
    held = shmipc.Slot()
    shmipc.slot_claim(host.peer, 0, byref(held))  # one is left
    calls = Calls(host)
    a, slot_a = await start(calls)
    b = asyncio.create_task(calls.call(b"waits"))
    cancel(slot_a)
    calls._look()
    assert not a.done()
    assert await code_of(a) == shmipc.Code.CANCELLED
    slot_b = sent[-1]
    assert slot_b.index == slot_a.index and slot_b.ticket != slot_a.ticket
    cancel(slot_b)
    assert await code_of(b) == shmipc.Code.CANCELLED
    calls.close()
    shmipc.release(held)


async def a_task_is_cancelled_when_its_call_is_over(host):
    """B's call finds A's over, before A runs again."""
    calls = Calls(host)
    a, slot_a = await start(calls)
    b = asyncio.create_task(calls.call(b"waits"))
    cancel(slot_a)
    a.cancel()
    await asyncio.sleep(0)
    await asyncio.wait({a}, timeout=5)
    assert a.cancelled()
    cancel(sent[-1])
    assert await code_of(b) == shmipc.Code.CANCELLED
    calls.close()


async def a_call_after_the_end(host):
    calls = Calls(host)
    calls.close()
    assert await code_of(asyncio.create_task(calls.call(b"waits"))) == shmipc.Code.CLOSED


async def one_of_three_fails(application):
    """The host is freed while a call is in flight, and another waits for its turn."""
    with shmipc.Host(application, slots=2) as host:
        calls = Calls(host)
        try:
            asyncio.get_running_loop().call_later(0.01, lambda: cancel(sent[-2]))
            await asyncio.gather(*(calls.call(b"waits") for _ in range(3)))
        finally:
            calls.close()


def close_during_calls(application):
    """No slot is released once its host is freed, and no slot is held that the shutdown would wait for."""
    late, freed = [], False
    slot_release, shutdown, free = shmipc.slot_release, shmipc._shutdown, shmipc._free

    def release_in_time(slot):
        if freed:
            late.append(slot.index)
            return 0
        return slot_release(slot)

    def free_once(peer):
        nonlocal freed
        free(peer)
        freed = True

    def shut_down(peer, timeout):
        try:
            return shutdown(peer, timeout)
        except shmipc.Error as error:
            late.append(error)
            raise

    shmipc.slot_release, shmipc._shutdown, shmipc._free = release_in_time, shut_down, free_once
    try:
        asyncio.run(one_of_three_fails(application))
        raise AssertionError("no call has failed")
    except shmipc.Error as error:
        assert error.code == shmipc.Code.CANCELLED, error
    finally:
        shmipc.slot_release, shmipc._shutdown, shmipc._free = slot_release, shutdown, free
    assert freed and not late, late


def ctrl_c_right_after_the_claim(host):
    claim = shmipc.slot_claim

    def interrupted(*arguments):
        claim(*arguments)
        raise KeyboardInterrupt

    shmipc.slot_claim = interrupted
    try:
        host.call_in_steps(b"waits")
        raise AssertionError("not interrupted")
    except KeyboardInterrupt:
        pass
    finally:
        shmipc.slot_claim = claim
    slot = shmipc.Slot()
    claim(host.peer, 0, byref(slot))  # fails if the only one is lost
    shmipc.release(slot)


def main():
    application = sys.argv[1]
    shmipc.slot_send = record_sent(shmipc.slot_send)
    for part in an_index_is_given_on, a_task_is_cancelled_when_its_call_is_over, a_call_after_the_end:
        with shmipc.Host(application, slots=2) as host:
            asyncio.run(part(host))
    close_during_calls(application)
    with shmipc.Host(application, slots=1) as host:
        ctrl_c_right_after_the_claim(host)


main()
