#include "textflag.h"

// func pauses(n uint64)
TEXT ·pauses(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
again:
	PAUSE
	DECQ CX
	JNZ  again
	RET
