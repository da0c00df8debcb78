//go:build race

package pcap_test

// raceEnabled says that the race detector is at work: everything takes many
// times as long as it would.
const raceEnabled = true
