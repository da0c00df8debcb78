// Package sequence puts together what networks cut and shuffle: IP fragments
// into datagrams ([Fragments]), TCP segments into streams ([TCP], and [MPTCP] for
// those that go over several paths), SCTP chunks into messages ([SCTP]), and
// streams into the messages of the protocol above ([Messages]).
//
// Each is a [Sequence] of typed inputs and outputs, and [Then] makes one of two:
//
//	s := sequence.Then(sequence.Then(&sequence.Fragments{}, &sequence.TCP{}),
//		&sequence.Messages{Framer: frame})
//	for m, err := range sequence.All(s, sequence.Datagrams(file.Frames(), nil)) {
//		…
//	}
//
// Nothing waits for ever, and nothing grows without bound: each type has
// [Limits], with defaults, counts what they cost, and takes the time from the
// packets. Who chooses the packets can neither make it slow nor make it confuse
// two flows.
package sequence
