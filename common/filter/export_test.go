package filter

import "github.com/gopkts/gopkts/common/link"

// Steps is [VM.RunInfo] by the engine that follows the program.
func (v *VM) Steps(data []byte, wireLen int, info *link.Info) uint32 {
	return v.follow(v.start, data, wireLen, info)
}

// Leaves reports whether the direct engine has a test that leaves a packet to
// the other one, whatever its length, and how many instructions of the program that
// one does not have to follow then, because the direct engine has.
func (v *VM) Leaves() (leaves bool, behind int) {
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
			leaves, behind = true, max(behind, int(t.off))
		}
		todo = append(todo, t.no)
		for _, is := range t.comparisons() {
			todo = append(todo, is.to)
		}
	}
	return leaves, behind
}

// Typical are expressions as people write them.
var Typical = typical

// RaceEnabled says that the race detector is at work.
const RaceEnabled = raceEnabled
