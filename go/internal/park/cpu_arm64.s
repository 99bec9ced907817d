#include "textflag.h"

// func Pause(n uint32)
TEXT ·Pause(SB), NOSPLIT, $0-4
	MOVWU n+0(FP), R0
again:
	YIELD
	SUBW $1, R0
	CBNZW R0, again
	RET

// func Delay(turns uint32)
TEXT ·Delay(SB), NOSPLIT, $0-4
	MOVWU turns+0(FP), R0
again:
	SUBW $1, R0
	CBNZW R0, again
	RET

// func Prefetch(line *byte)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVD line+0(FP), R0
	PRFM (R0), PLDL1KEEP
	RET

// func PrefetchToWrite(line unsafe.Pointer, beyond bool)
TEXT ·PrefetchToWrite(SB), NOSPLIT, $0-9
	MOVD line+0(FP), R0
	MOVBU beyond+8(FP), R1
	PRFM (R0), PSTL1KEEP
	CBZ R1, done
	ADD $64, R0
	PRFM (R0), PSTL1KEEP
done:
	RET
