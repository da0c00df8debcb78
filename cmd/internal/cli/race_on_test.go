//go:build race

package cli

// raceEnabled says that the race detector is at work: everything takes many
// times as long as it would.
const raceEnabled = true
