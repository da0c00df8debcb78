//go:build !race

package pkts

const raceEnabled = false
