"""A host that calls Go from its main thread and from a pool of threads."""

import sys
from concurrent.futures import ThreadPoolExecutor

import shmipc

COUNT = 10000


def main():
    with shmipc.Host(sys.argv[1]) as host:
        print("main thread:", host.call(b"hello").decode())
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda number: host.call(b"call %d" % number), range(COUNT))
            right = sum(answer == b"CALL %d" % number for number, answer in enumerate(answers))
        print(f"8 threads: {right} of {COUNT} answers are right")
        try:
            host.call(b"")
        except shmipc.Error as error:
            print(f"{error.code.name}: {error}")


main()
