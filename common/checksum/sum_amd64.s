#include "textflag.h"

// The words of a vector are added as 32-bit numbers, two to a 64-bit lane,
// without separating them: one accumulator takes the whole lanes, modulo 2^64,
// and another the upper words alone. The lower words' sum follows from the two
// at the end:
//
//	lower = lanes - upper<<32
//
// which is exact as long as it is below 2^64. A call adds at most 2^20 bytes,
// so that it is below 2^47. This costs three vector operations for 32 bytes,
// where unpacking both halves costs four.

// ADD32 adds the vector X, and spoils it.
#define ADD32(X, LANES, UPPER) \
	VPADDQ X, LANES, LANES \
	VPSRLQ $32, X, X       \
	VPADDQ X, UPPER, UPPER

// ZERO clears the accumulators.
#define ZERO \
	VPXOR Y0, Y0, Y0 \
	VPXOR Y1, Y1, Y1 \
	VPXOR Y2, Y2, Y2 \
	VPXOR Y3, Y3, Y3

// FINISH adds up the accumulators Y0, Y1 (lanes) and Y2, Y3 (upper) into AX.
#define FINISH \
	VPADDQ       Y1, Y0, Y0   \
	VPADDQ       Y3, Y2, Y2   \
	VPSLLQ       $32, Y2, Y3  \
	VPSUBQ       Y3, Y0, Y0   \
	VPADDQ       Y2, Y0, Y0   \
	VEXTRACTI128 $1, Y0, X1   \
	VPADDQ       X1, X0, X0   \
	VPSRLDQ      $8, X0, X1   \
	VPADDQ       X1, X0, X0   \
	VMOVQ        X0, AX       \
	VZEROUPPER

// func sumAVX2(b []byte) uint64
TEXT ·sumAVX2(SB), NOSPLIT, $0-32
	MOVQ b_base+0(FP), SI
	MOVQ b_len+8(FP), CX
	ZERO
	SUBQ $128, CX
	JLT  tail

	PCALIGN $32
loop:
	VMOVDQU 0(SI), Y4
	VMOVDQU 32(SI), Y5
	VMOVDQU 64(SI), Y6
	VMOVDQU 96(SI), Y7
	ADD32(Y4, Y0, Y2)
	ADD32(Y5, Y1, Y3)
	ADD32(Y6, Y0, Y2)
	ADD32(Y7, Y1, Y3)
	ADDQ    $128, SI
	SUBQ    $128, CX
	JGE     loop

tail:
	ADDQ $96, CX // the bytes left, less 32
	JLT  done

tailLoop:
	VMOVDQU (SI), Y4
	ADD32(Y4, Y0, Y2)
	ADDQ    $32, SI
	SUBQ    $32, CX
	JGE     tailLoop

done:
	FINISH
	MOVQ AX, ret+24(FP)
	RET

// func copyAVX2(dst, src []byte, total int) (sum uint64, ok bool)
TEXT ·copyAVX2(SB), NOSPLIT, $0-65
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), CX
	MOVQ total+48(FP), DX

	// The two overlap when either begins less than DX bytes behind the other.
	MOVQ DI, AX
	SUBQ SI, AX
	CMPQ AX, DX
	JCS  overlap
	NEGQ AX
	CMPQ AX, DX
	JCS  overlap

	ZERO
	SUBQ $128, CX
	JLT  tail

	PCALIGN $32
loop:
	VMOVDQU 0(SI), Y4
	VMOVDQU 32(SI), Y5
	VMOVDQU 64(SI), Y6
	VMOVDQU 96(SI), Y7
	VMOVDQU Y4, 0(DI)
	VMOVDQU Y5, 32(DI)
	VMOVDQU Y6, 64(DI)
	VMOVDQU Y7, 96(DI)
	ADD32(Y4, Y0, Y2)
	ADD32(Y5, Y1, Y3)
	ADD32(Y6, Y0, Y2)
	ADD32(Y7, Y1, Y3)
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $128, CX
	JGE     loop

tail:
	ADDQ $96, CX // the bytes left, less 32
	JLT  done

tailLoop:
	VMOVDQU (SI), Y4
	VMOVDQU Y4, (DI)
	ADD32(Y4, Y0, Y2)
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $32, CX
	JGE     tailLoop

done:
	FINISH
	MOVQ AX, sum+56(FP)
	MOVB $1, ok+64(FP)
	RET

overlap:
	MOVQ $0, sum+56(FP)
	MOVB $0, ok+64(FP)
	RET
