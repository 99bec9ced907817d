"""Calls from asyncio: several in flight, with time-outs, cancelled, and to a guest that is killed."""

import asyncio
import struct
import sys

import shmipc
from shmipc_asyncio import Calls

SLEEP = shmipc.APPLICATION


async def report(what, call):
    try:
        print(f"{what}: {(await call).decode()}")
    except shmipc.Error as error:
        print(f"{what}: {error.code.name}")
    except asyncio.TimeoutError:
        print(f"{what}: TimeoutError")
    except asyncio.CancelledError:
        print(f"{what}: CancelledError")


async def run(calls):
    await report("one call", calls.call(b"hello"))

    answers = await asyncio.gather(*(calls.call(b"call %d" % number) for number in range(10000)))
    right = sum(answer == b"CALL %d" % number for number, answer in enumerate(answers))
    print(f"at once: {right} of {len(answers)} answers are right")

    await report("time-out", asyncio.wait_for(calls.call(struct.pack("<q", 60000), SLEEP), 0.1))
    task = asyncio.create_task(calls.call(struct.pack("<q", 60000), SLEEP))
    await asyncio.sleep(0)
    task.cancel()
    await report("cancelled", task)

    sleeps = [calls.call(struct.pack("<q", 100), SLEEP) for _ in range(16)]
    await asyncio.gather(*sleeps, report("beside others that sleep", calls.call(b"hello")))
    print("kill the guest", flush=True)
    await report("a guest that dies", calls.call(struct.pack("<q", 62000), SLEEP))
    await report("the next guest", calls.call(b"hello"))


async def main():
    with shmipc.Host(sys.argv[1], slots=16) as host:
        calls = Calls(host)
        try:
            await run(calls)
        finally:
            calls.close()


asyncio.run(main())
