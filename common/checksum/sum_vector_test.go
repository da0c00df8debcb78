//go:build amd64 || arm64

package checksum

// vectorImplementations returns the assembly in both its roles, with the
// remainder left to the generic form, at every length: [Sum] and [Copy] take
// it from a minimum only.
func vectorImplementations() []implementation {
	if !haveVector() {
		return nil
	}
	return []implementation{
		{"sumVector", func(b []byte, acc uint64) uint64 {
			acc, b = sumVector(b, acc)
			return sumGeneric(b, acc)
		}},
		{"copyVector", func(b []byte, acc uint64) uint64 {
			acc, b = copyVector(make([]byte, len(b)), b, acc)
			return sumGeneric(b, acc)
		}},
	}
}
