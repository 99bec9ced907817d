#include "base/error.h"

#include "base/text.h"
#include "base/thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const sentences[] = {
    [-SHMIPC_OK] = "success",
    [-SHMIPC_E_INVALID] = "an argument is outside its range",
    [-SHMIPC_E_NO_MEMORY] = "the process is out of memory",
    [-SHMIPC_E_SYSTEM] = "a system call failed",
    [-SHMIPC_E_NOT_SUPPORTED] = "this system lacks what the library needs",
    [-SHMIPC_E_NO_DESCRIPTORS] = "out of file descriptors",
    [-SHMIPC_E_NO_SPACE] = "the shared-memory file system is full",
    [-SHMIPC_E_NAME] = "the name is not valid",
    [-SHMIPC_E_NAME_IN_USE] = "a live host uses this name",
    [-SHMIPC_E_NOT_FOUND] = "no live host has a region of this name",
    [-SHMIPC_E_DENIED] = "access to the region is denied, or its owner or mode is not trusted",
    [-SHMIPC_E_FULL] = "no more guests can attach",
    [-SHMIPC_E_NOT_A_REGION] = "the object of this name is not a region",
    [-SHMIPC_E_BYTE_ORDER] = "the region has the other byte order",
    [-SHMIPC_E_VERSION] = "the region speaks another protocol version",
    [-SHMIPC_E_NOT_READY] = "the region's header is not complete",
    [-SHMIPC_E_TRUNCATED] = "the region is smaller than its header says",
    [-SHMIPC_E_CORRUPT] = "the region is corrupt",
    [-SHMIPC_E_TOO_LARGE] = "a message exceeds its capacity",
    [-SHMIPC_E_TYPE] = "the message type is reserved",
    [-SHMIPC_E_TIMEOUT] = "timed out; never started",
    [-SHMIPC_E_TIMEOUT_STARTED] = "timed out after it was started",
    [-SHMIPC_E_CANCELLED] = "cancelled; never started",
    [-SHMIPC_E_CANCELLED_STARTED] = "cancelled after it was started",
    [-SHMIPC_E_NO_PEER] = "no live peer is attached; never started",
    [-SHMIPC_E_PEER_DIED] = "the peer died, or left while its handler ran",
    [-SHMIPC_E_CLOSED] = "the peer is closed; a call was never started",
    [-SHMIPC_E_CLOSED_STARTED] = "closed after it was started",
    [-SHMIPC_E_SHUTDOWN] = "the peer is shutting down; a call was never started",
    [-SHMIPC_E_HANDLER] = "the handler failed",
    [-SHMIPC_E_STALE] = "the slot is no longer claimed",
    [-SHMIPC_E_STATE] = "not possible now",
    [-SHMIPC_E_WOKEN] = "woken by shmipc_wake",
    [-SHMIPC_E_NAME_LOST] = "the region's name was removed by somebody else",
};

const char *shmipc_strerror(int error) {
    int count = (int)(sizeof sentences / sizeof *sentences);
    return error <= 0 && error > -count ? sentences[-error] : "unknown error";
}

const char *shmipc_last_error(void) {
    return shmi_thread_state()->last.text;
}

int shmipc_last_os_error(void) {
    return shmi_thread_state()->last.os_error;
}

uint32_t shmipc_version(void) {
    return SHMIPC_VERSION;
}

void shmi_record_failure(int os_error, const char *format, ...) {
    struct last_failure *last = &shmi_thread_state()->last;
    char text[sizeof last->text]; /* the last text may be part of the new one */
    va_list arguments;
    va_start(arguments, format);
    last->os_error = os_error;
    (void)vsnprintf(text, sizeof text, format, arguments);
    shmi_text_escape(last->text, sizeof last->text, text, strlen(text));
    va_end(arguments);
}
