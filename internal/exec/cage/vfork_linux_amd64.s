#include "textflag.h"

// func vfork(number, a1, a2, a6 uintptr) (r1, errno uintptr)
TEXT ·vfork(SB), NOSPLIT|NOFRAME, $0-48
	MOVQ	number+0(FP), AX
	MOVQ	a1+8(FP), DI
	MOVQ	a2+16(FP), SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVQ	a6+24(FP), R9
	// Where to return is kept in a register: the child returns first, and
	// its calls overwrite this place on the stack.
	POPQ	R12
	SYSCALL
	PUSHQ	R12
	MOVQ	$0, errno+40(FP)
	CMPQ	AX, $0xfffffffffffff001
	JCS	done
	NEGQ	AX
	MOVQ	AX, errno+40(FP)
	MOVQ	$0, AX
done:
	MOVQ	AX, r1+32(FP)
	RET

// func share(flags, stack, key uintptr, a *arena, entry uintptr) (pid, errno uintptr)
TEXT ·share(SB), NOSPLIT, $0-56
	MOVQ	flags+0(FP), DI
	MOVQ	stack+8(FP), SI
	MOVQ	key+16(FP), R9
	MOVQ	a+24(FP), R12
	MOVQ	entry+32(FP), R13
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	MOVQ	$56, AX // clone
	SYSCALL
	CMPQ	AX, $0xfffffffffffff001
	JCS	done
	NEGQ	AX
	MOVQ	AX, errno+48(FP)
	MOVQ	$0, pid+40(FP)
	RET
done:
	CMPQ	AX, $0
	JEQ	child
	MOVQ	AX, pid+40(FP)
	MOVQ	$0, errno+48(FP)
	RET
child:
	// As Go calls: the argument in AX, a zero in X15, and R14 as it was. The
	// way into Go that the compiler makes for assembly would look for more
	// memory than is left in a program that is built to find races.
	MOVQ	R12, AX
	XORPS	X15, X15
	CALL	R13
	INT	$3

// func threadPointer() uintptr
TEXT ·threadPointer(SB), NOSPLIT, $8-8
	MOVQ	$158, AX // arch_prctl
	MOVQ	$0x1003, DI // ARCH_GET_FS
	LEAQ	at-8(SP), SI
	SYSCALL
	MOVQ	at-8(SP), AX
	MOVQ	AX, ret+0(FP)
	RET
