"""Several processes, each with a region of its own, which it creates itself: with spawn, and with fork."""

import multiprocessing
import sys

import shmipc


def work(application, barrier, results):
    """What a worker does: create, then call. The barrier shows that all have a region at the same time."""
    with shmipc.Host(application) as host:
        barrier.wait()
        results.put((host.name.removeprefix(application), host.call(b"worker").decode()))
        barrier.wait()


def run(method, application):
    context = multiprocessing.get_context(method)
    barrier, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=work, args=(application, barrier, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    print(f"{method}:", sorted(results.get() for _ in workers))
    for worker in workers:
        worker.join()


def work_with_parents_host(application, host):
    """What goes wrong if the host was created before the fork, and what is right."""
    try:
        host.call(b"child")
    except shmipc.Error as error:
        print(f"child, the parent's host: {error.code.name}")
    host.close()  # what the child has of it; the parent's stays
    with shmipc.Host(application) as own:
        print(f"child, its own host, {own.name.removeprefix(application)}:", own.call(b"child").decode())


def fork_too_late(application):
    with shmipc.Host(application) as host:
        child = multiprocessing.get_context("fork").Process(target=work_with_parents_host, args=(application, host))
        sys.stdout.flush()
        child.start()
        child.join()
        print(f"parent, {host.name.removeprefix(application)}:", host.call(b"parent").decode())


if __name__ == "__main__":
    run("spawn", sys.argv[1])
    run("fork", sys.argv[1])
    fork_too_late(sys.argv[1])
