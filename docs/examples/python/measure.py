"""What a call of 16 bytes takes from Python, in each of the ways that the examples show; in alternating blocks."""

import asyncio
import statistics
import sys
import time

import shmipc
from shmipc_asyncio import Calls

COUNT, BLOCKS = 5000, 9
TEXT = b"sixteen letters."


async def call(host, _):
    for _ in range(COUNT):
        host.call(TEXT)


async def call_in_steps(host, _):
    for _ in range(COUNT):
        host.call_in_steps(TEXT)


async def asyncio_one(_, calls):
    for _ in range(COUNT):
        await calls.call(TEXT)


async def asyncio_16(_, calls):
    async def caller():
        for _ in range(COUNT // 16):
            await calls.call(TEXT)

    await asyncio.gather(*(caller() for _ in range(16)))


async def main():
    ways = {
        "call": call,
        "call_in_steps": call_in_steps,
        "asyncio, one at a time": asyncio_one,
        "asyncio, 16 in flight": asyncio_16,
    }
    taken = {name: [] for name in ways}
    with shmipc.Host(sys.argv[1], slots=16) as host:
        calls = Calls(host)
        await calls.call(TEXT)  # a guest is there
        for _ in range(BLOCKS):
            for name, way in ways.items():
                begin = time.perf_counter()
                await way(host, calls)
                taken[name].append((time.perf_counter() - begin) / COUNT)
        calls.close()
    for name, times in taken.items():
        print(f"{name}: {statistics.median(times) * 1e6:.1f} us a call")


asyncio.run(main())
