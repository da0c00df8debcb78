package checksum

// haveVector says that the machine has no vector form of the sum.
const (
	haveVector = false
	vectorMin  = 0
)

func sumVector(b []byte, acc uint64) (uint64, []byte) { return acc, b }
