"""Prints a C program that compiles if the structures and codes of the example's shmipc.py are those of shmipc.h."""

import ctypes

import shmipc

STRUCTURES = {
    "shmipc_host_config": shmipc.HostConfig,
    "shmipc_request": shmipc.Request,
    "shmipc_response": shmipc.Response,
    "shmipc_slot": shmipc.Slot,
    "shmipc_stop_token": shmipc.StopToken,
}


def claims():
    for name, structure in STRUCTURES.items():
        yield f"sizeof({name}) == {ctypes.sizeof(structure)}"
        for field, *_ in structure._fields_:
            place = getattr(structure, field)
            yield f"offsetof({name}, {field}) == {place.offset}"
            yield f"sizeof((({name} *)0)->{field}) == {place.size}"
    for code in shmipc.Code:
        yield f"SHMIPC_E_{code.name} == {code.value}"
    yield f"SHMIPC_WAIT_READY == {shmipc.WAIT_READY}"
    yield f"SHMIPC_TYPE_APPLICATION == {shmipc.APPLICATION}"


print("#include <shmipc/shmipc.h>")
for claim in claims():
    print(f'_Static_assert({claim}, "");')
