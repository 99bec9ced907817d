"""What these programs use of libshmipc, by ctypes: a host whose guests are Go processes.

ctypes gives the interpreter's lock back while a foreign function runs, so other threads of Python go on during a call.
"""

import ctypes
import enum
import os
import time
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

library = ctypes.CDLL(os.environ.get("LIBSHMIPC", "libshmipc.so.0.1"))

REGIONS = 64
WAIT_READY = 8
APPLICATION = 128  # the first message type that is free


class Code(enum.IntEnum):
    """The errors that these programs tell apart; others are numbers."""

    NAME_IN_USE = -8
    TIMEOUT = -20
    TIMEOUT_STARTED = -21
    CANCELLED = -22
    CANCELLED_STARTED = -23
    PEER_DIED = -25
    CLOSED = -26
    HANDLER = -29


class HostConfig(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("host_slots", c_uint32),
        ("guest_slots", c_uint32),
        ("request_capacity", c_uint32),
        ("response_capacity", c_uint32),
        ("mode", c_uint32),
        ("flags", c_uint32),
        ("spin_ns", c_int64),
        ("log", c_void_p),
        ("log_context", c_void_p),
        ("sddl", c_char_p),
    ]


class Request(Structure):
    _fields_ = [
        ("data", c_char_p),
        ("length", c_size_t),
        ("type", c_uint32),
        ("peer", c_uint32),
        ("slot", c_uint32),
        ("flags", c_uint32),
        ("to", c_uint64),
        ("reserved", c_uint64 * 3),
    ]


class Response(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("capacity", c_size_t),
        ("length", c_size_t),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("allocate", c_void_p),
        ("allocate_context", c_void_p),
        ("reserved", c_uint64 * 2),
    ]


class Slot(Structure):
    _fields_ = [("peer", c_void_p), ("index", c_uint32), ("ticket", c_uint32)]


class StopToken(Structure):
    """Must stay where it is, and outlive the calls that use it: keep a reference."""

    _fields_ = [("words", c_uint64 * 8)]


class Error(Exception):
    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = Code(code) if code in iter(Code) else code


def _check(result, function, arguments):
    if result < 0:
        raise Error(result, _last_error().decode())
    return result


def _function(name, *argtypes, restype=c_int):
    function = getattr(library, "shmipc_" + name)
    function.argtypes = argtypes
    function.restype = restype
    if restype is c_int:
        function.errcheck = _check
    return function


_last_error = _function("last_error", restype=c_char_p)
_host_create = _function("host_create", c_char_p, POINTER(HostConfig), POINTER(c_void_p))
_shutdown = _function("shutdown", c_void_p, c_int64)
_free = _function("free", c_void_p, restype=None)
_call = _function("call", c_void_p, POINTER(Request), POINTER(Response), c_int64)
slot_claim = _function("slot_claim", c_void_p, c_int64, POINTER(Slot))
slot_buffer = _function("slot_buffer", Slot, POINTER(c_size_t), restype=c_void_p)
slot_send = _function("slot_send", Slot, c_uint32, c_size_t, c_uint32)
slot_ready = _function("slot_ready", Slot)
slot_wait_any = _function("slot_wait_any", POINTER(Slot), c_size_t, c_int64, POINTER(c_size_t))
slot_receive = _function("slot_receive", Slot, c_int64, POINTER(Response))
slot_release = _function("slot_release", Slot)
get_fd = _function("get_fd", c_void_p, POINTER(c_int))
arm = _function("arm", c_void_p, c_uint32, POINTER(Slot), c_size_t)
set_thread_token = _function("set_thread_token", POINTER(StopToken), restype=c_void_p)
stop = _function("stop", POINTER(StopToken), restype=None)


def _nanoseconds(seconds):
    return max(0, int(seconds * 1e9))


class Host:
    """The region with the lowest number that is free: create it after fork, in each process its own."""

    def __init__(self, application, slots=4, capacity=4096):
        self.capacity = capacity
        self.slots = slots
        self.peer = c_void_p()
        config = HostConfig(ctypes.sizeof(HostConfig), slots, 2, capacity, capacity, 0o600, WAIT_READY, -1)
        for number in range(REGIONS):
            self.name = f"{application}-{number}"
            try:
                _host_create(self.name.encode(), byref(config), byref(self.peer))
                return
            except Error as error:
                if error.code != Code.NAME_IN_USE or number == REGIONS - 1:
                    raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """No thread may be in a call, or call later."""
        try:
            _shutdown(self.peer, _nanoseconds(1))
        except Error:
            pass  # what was under way is cut off; or this is a child, and the host its parent's
        _free(self.peer)
        self.peer = None

    def call(self, data, kind=0, timeout=10.0):
        """Calls a guest. In the main thread a signal, so also Ctrl-C, waits until this returns."""
        answer = ctypes.create_string_buffer(self.capacity)
        request = Request(data=data, length=len(data), type=kind)
        response = Response(data=ctypes.addressof(answer), capacity=self.capacity)
        _call(self.peer, byref(request), byref(response), _nanoseconds(timeout))
        return answer.raw[: response.length]

    def call_in_steps(self, data, kind=0, timeout=10.0, step=0.05):
        """The same, but Python runs signal handlers after each step: what they raise ends the call."""
        end = time.monotonic() + timeout
        slot, which = Slot(), c_size_t(0)
        try:  # the claim too: Ctrl-C may come as soon as the slot is claimed
            _in_steps(lambda ns: slot_claim(self.peer, ns, byref(slot)), end, step)
            send(slot, data, kind)
            try:
                _in_steps(lambda ns: slot_wait_any(byref(slot), 1, ns, byref(which)), end, step)
            except Error as error:
                if error.code != Code.TIMEOUT:
                    raise
            return receive(slot)  # TIMEOUT or TIMEOUT_STARTED if no answer has come
        finally:
            release(slot)  # a call that is still under way is abandoned, and its handler told


def _in_steps(wait, end, step):
    while True:
        left = end - time.monotonic()
        try:
            return wait(_nanoseconds(min(step, left)))
        except Error as error:
            if error.code != Code.TIMEOUT or left <= step:
                raise


def send(slot, data, kind=0):
    capacity = c_size_t()
    buffer = slot_buffer(slot, byref(capacity))
    if len(data) <= capacity.value:  # else it is refused
        ctypes.memmove(buffer, data, len(data))
    slot_send(slot, kind, len(data), 0)


def receive(slot):
    response = Response()
    slot_receive(slot, 0, byref(response))
    return ctypes.string_at(response.data, response.length)


def release(slot):
    try:
        slot_release(slot)
    except Error:
        pass  # it was never claimed; or its call has ended without an answer, which released it
