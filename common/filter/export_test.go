package filter

// Steps is [VM.Run] by the engine that follows the program.
func (v *VM) Steps(data []byte, wireLen int) uint32 { return v.steps(data, wireLen, nil) }

// Leaves reports whether the direct engine has a test that leaves a packet to
// the other one, whatever its length.
func (v *VM) Leaves() bool {
	seen := make(map[*test]bool)
	todo := []*test{v.first.Load()}
	for len(todo) > 0 {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t == nil || seen[t] {
			continue
		}
		seen[t] = true
		if t.kind == testLeave {
			return true
		}
		todo = append(todo, t.no)
		for _, is := range t.comparisons() {
			todo = append(todo, is.to)
		}
	}
	return false
}

// Typical are expressions as people write them.
var Typical = typical
