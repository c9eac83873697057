#include "textflag.h"

// func vfork(number, a1, a2, a6 uintptr) (r1, errno uintptr)
TEXT ·vfork(SB), NOSPLIT, $0-48
	MOVD	number+0(FP), R8
	MOVD	a1+8(FP), R0
	MOVD	a2+16(FP), R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	MOVD	a6+24(FP), R5
	// Where to return is in a register, which the kernel keeps.
	SVC
	MOVD	ZR, errno+40(FP)
	CMN	$4095, R0
	BCC	done
	NEG	R0, R0
	MOVD	R0, errno+40(FP)
	MOVD	ZR, R0
done:
	MOVD	R0, r1+32(FP)
	RET

// func threadPointer() uintptr
TEXT ·threadPointer(SB), NOSPLIT, $0-8
	MRS	TPIDR_EL0, R0
	MOVD	R0, ret+0(FP)
	RET
