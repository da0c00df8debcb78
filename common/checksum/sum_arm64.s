#include "textflag.h"

// Each 32-bit word is widened and added to a 64-bit lane in one instruction.
// A call adds at most 2^20 bytes, so that a lane stays below 2^47.

// func sumNEON(b []byte) uint64
TEXT ·sumNEON(SB), NOSPLIT, $0-32
	MOVD b_base+0(FP), R0
	MOVD b_len+8(FP), R1
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	SUBS $64, R1
	BLT  tail

loop:
	VLD1.P  64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VUADDW  V0.S2, V16.D2, V16.D2
	VUADDW2 V0.S4, V17.D2, V17.D2
	VUADDW  V1.S2, V18.D2, V18.D2
	VUADDW2 V1.S4, V19.D2, V19.D2
	VUADDW  V2.S2, V16.D2, V16.D2
	VUADDW2 V2.S4, V17.D2, V17.D2
	VUADDW  V3.S2, V18.D2, V18.D2
	VUADDW2 V3.S4, V19.D2, V19.D2
	SUBS    $64, R1
	BGE     loop

tail:
	ADDS $32, R1 // the bytes left, less 32: they are below 64
	BLT  done
	VLD1.P  32(R0), [V0.S4, V1.S4]
	VUADDW  V0.S2, V16.D2, V16.D2
	VUADDW2 V0.S4, V17.D2, V17.D2
	VUADDW  V1.S2, V18.D2, V18.D2
	VUADDW2 V1.S4, V19.D2, V19.D2

done:
	VADD V17.D2, V16.D2, V16.D2
	VADD V19.D2, V18.D2, V18.D2
	VADD V18.D2, V16.D2, V16.D2
	VMOV V16.D[0], R2
	VMOV V16.D[1], R3
	ADD  R3, R2, R2
	MOVD R2, ret+24(FP)
	RET
