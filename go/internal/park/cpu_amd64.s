#include "textflag.h"

// func Pause(n uint32)
TEXT ·Pause(SB), NOSPLIT, $0-4
	MOVL n+0(FP), CX
again:
	PAUSE
	DECL CX
	JNZ again
	RET

// func Delay(turns uint32)
TEXT ·Delay(SB), NOSPLIT, $0-4
	MOVL turns+0(FP), CX
again:
	DECL CX
	JNZ again
	RET

// func Prefetch(line *byte)
TEXT ·Prefetch(SB), NOSPLIT, $0-8
	MOVQ line+0(FP), AX
	PREFETCHT0 (AX)
	RET

// The assembler does not know PREFETCHW (AX) and PREFETCHW 64(AX); processors that lack it pass over
// it, but for the very first.
//
// func PrefetchToWrite(line unsafe.Pointer, beyond bool)
TEXT ·PrefetchToWrite(SB), NOSPLIT, $0-9
	MOVQ line+0(FP), AX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	CMPB beyond+8(FP), $0
	JEQ done
	BYTE $0x0F; BYTE $0x0D; BYTE $0x48; BYTE $0x40
done:
	RET
