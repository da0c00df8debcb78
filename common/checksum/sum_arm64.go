package checksum

const (
	// vectorMin is the length in bytes from which the vector form is used.
	vectorMin = 256
	// vectorMax is the most bytes that one call of the assembly is given: what
	// bounds its lanes below 2^47, and how long it keeps the goroutine from
	// being preempted.
	vectorMax = 1 << 20
	// copyMin is not reached: copyVector does nothing here.
	copyMin = 1<<63 - 1
)

// haveVector reports true: the vector registers are part of the architecture.
func haveVector() bool { return true }

// sumBlocks returns the sum of the 32-bit words of b, as the machine loads
// them. Only whole runs of 32 bytes count, and at most vectorMax bytes may be
// given.
func sumBlocks(b []byte) uint64 { return sumNEON(b) }

// sumNEON returns what [sumBlocks] says.
//
//go:noescape
func sumNEON(b []byte) uint64

func copyVector(_, src []byte, acc uint64) (uint64, []byte) { return acc, src }
