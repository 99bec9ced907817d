#!/usr/bin/env bash
# rooms_test.sh: rooms.sh finds an include upwards, a circle, a room that is not listed and a file in no room.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
check=rooms.sh
copied=(src docs/design.md)
# shellcheck source=tests/tooling/finds.sh
. tests/tooling/finds.sh

bash tests/tooling/rooms.sh
finds 'of a room below its own' "echo '#include \"api/config.h\"' >>src/region/slot.h"
finds 'include each other' "echo '#include \"serve/scan.h\"' >>src/serve/home.h"
finds 'does not list src/attic' 'mkdir src/attic'
finds 'in no room' 'touch src/loose.c'
finds 'not named from src' "echo '#include \"slot.h\"' >>src/region/region.c"
