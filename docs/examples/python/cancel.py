"""How a call ends early: by its time-out, by another thread, and by Ctrl-C."""

import struct
import sys
import threading

import shmipc

SLEEP = shmipc.APPLICATION


def milliseconds(count):
    return struct.pack("<q", count)


def report(what, call):
    try:
        call()
        print(f"{what}: answered")
    except shmipc.Error as error:
        print(f"{what}: {error.code.name}")
    except KeyboardInterrupt:
        print(f"{what}: KeyboardInterrupt")


def stop_by_another_thread(host):
    """The token belongs to the thread that calls, and ends whatever that thread waits for."""
    token = shmipc.StopToken()
    thread = threading.Thread(target=call_with_token, args=(host, token))
    thread.start()
    shmipc.stop(token)
    thread.join()


def call_with_token(host, token):
    shmipc.set_thread_token(token)
    report("another thread", lambda: host.call(milliseconds(60000), SLEEP))
    shmipc.set_thread_token(None)


def main():
    with shmipc.Host(sys.argv[1], slots=1) as host:  # each call that ends early gives its slot to the next
        report("time-out", lambda: host.call(milliseconds(60000), SLEEP, timeout=0.1))
        report("time-out in steps", lambda: host.call_in_steps(milliseconds(60000), SLEEP, timeout=0.1))
        stop_by_another_thread(host)
        print("press Ctrl-C", flush=True)
        report("Ctrl-C", lambda: host.call_in_steps(milliseconds(61000), SLEEP, timeout=60))
        report("the next call", lambda: host.call(b"hello"))


main()
