#!/usr/bin/env bash
# platform_test.sh: platform.sh finds a file, a function and a system that docs/porting.md does not name, and a file or
# a function that is not where it says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
check=platform.sh
copied=(src go/internal docs/porting.md)
# shellcheck source=tests/tooling/finds.sh
. tests/tooling/finds.sh

bash tests/tooling/platform.sh
finds 'does not name posix/new.c' 'touch src/platform/posix/new.c'
finds 'does not name bsd/new.h' 'mkdir src/platform/bsd && touch src/platform/bsd/new.h'
finds 'names win32/watch.c, which is not there' 'rm src/platform/win32/watch.c'
finds 'where shmi_clock_later is, of win32' "echo 'uint64_t shmi_clock_later(void);' >>src/platform/platform.h"
finds 'linux/futex.c defines shmi_word_wake_home' \
    "sed -i 's/shmi_word_wake_home(/shmi_word_wake_away(/' src/platform/linux/futex.c"
finds 'does not name park/futex_other.go' 'touch go/internal/park/futex_other.go'
finds 'names osregion/quota_linux.go, which is not there' 'rm go/internal/osregion/quota_linux.go'
