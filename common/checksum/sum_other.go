//go:build !amd64 && !arm64

package checksum

// The lengths have no meaning on a machine without a vector form.
const vectorMin, copyMin = 0, 0

func haveVector() bool { return false }

func sumVector(b []byte, acc uint64) (uint64, []byte) { return acc, b }

func copyVector(_, src []byte, acc uint64) (uint64, []byte) { return acc, src }
