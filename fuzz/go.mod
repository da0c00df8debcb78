module github.com/gopkts/gopkts/fuzz

go 1.26.0

require (
	github.com/gopacket/gopacket v1.7.7
	github.com/gopkts/gopkts/common v0.1.0
	golang.org/x/mod v0.43.0
)

require (
	github.com/gopkts/gopkts/pkts v0.1.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)
